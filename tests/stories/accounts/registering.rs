//! An account is made.
use anyhow::Result;
use serde_json::json;
use wigwag_cluster::Cluster;
use wigwag_protocol::Code;
use wigwag_protocol::http::{Me, Profile};

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_number_registers_once_and_is_shown_to_its_owner_only() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let me: Me = cluster.get("/me", Some(&ada.token)).await?;
    assert_eq!(
        (me.user_id, me.nickname.as_str(), &me.phone_number),
        (ada.user_id, "ada", &ada.phone_number)
    );
    let profile = cluster
        .send("GET", &format!("/user/{}", ada.user_id), Some(&bob.token), None)
        .await?
        .text()
        .await?;
    assert!(!profile.contains(&ada.phone_number));
    assert_eq!(serde_json::from_str::<Profile>(&profile)?.nickname, "ada");
    let again = json!({ "phone_number": ada.phone_number, "nickname": "x", "password": "correct horse" });
    let (status, failure) = cluster.refused("/register", None, &again.to_string()).await?;
    assert_eq!(
        (status.as_u16(), failure.code, failure.retryable),
        (409, Code::PHONE_NUMBER_TAKEN.number(), false)
    );
    cluster.stop().await;
    Ok(())
}
