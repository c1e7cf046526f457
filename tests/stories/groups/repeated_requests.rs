//! Requests that are repeated, and refusals that name users.
use anyhow::Result;
use serde_json::{Value, json};
use wigwag_cluster::Cluster;
use wigwag_protocol::http::Groups;

/// A request to make a group is repeated, as after a lost answer. Refusals name all users they are
/// about.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_makes_no_second_group_and_refusals_name_the_users() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let request = |id: &str| json!({ "name": "ours", "user_ids": [bob.user_id], "request_id": id });
    let create =
        async |id: &str| -> Result<Value> { cluster.post("/group/create", Some(&ada.token), &request(id)).await };
    let first = create("one").await?;
    // Bob is in the group already, even if he now blocks ada.
    let _: Value = cluster
        .post("/block/add", Some(&bob.token), &json!({ "user_id": ada.user_id }))
        .await?;
    assert_eq!(create("one").await?, first);
    let groups: Groups = cluster.get("/group/list", Some(&ada.token)).await?;
    assert_eq!(groups.groups.len(), 1);
    let group = first["group_id"].clone();
    for (id, of) in [
        ("", "request_id has 1 to 64 bytes"),
        (&"x".repeat(65), "request_id has 1 to 64 bytes"),
    ] {
        let (status, failure) = cluster
            .refused("/group/create", Some(&ada.token), &request(id).to_string())
            .await?;
        assert!(status == 400 && failure.message.ends_with(of), "{failure:?}");
    }
    let detail = async |path: &str, users: Value| -> Result<String> {
        let body = json!({ "name": "ours", "group_id": group, "user_ids": users }).to_string();
        Ok(cluster.refused(path, Some(&ada.token), &body).await?.1.message)
    };
    for path in ["/group/add", "/group/create"] {
        let message = detail(path, json!([5, eve.user_id, 7])).await?;
        assert_eq!(message, "USER_NOT_FOUND: there is no such user: users 5, 7");
    }
    let _: Value = cluster
        .post("/block/add", Some(&eve.token), &json!({ "user_id": ada.user_id }))
        .await?;
    let message = detail("/group/add", json!([eve.user_id, bob.user_id])).await?;
    assert!(
        message.ends_with(&format!(": user {}", eve.user_id)),
        "bob is in the group: {message}"
    );
    let message = detail("/group/create", json!([eve.user_id, bob.user_id])).await?;
    assert!(
        message.ends_with(&format!(": users {}, {}", eve.user_id, bob.user_id)),
        "{message}"
    );
    for after in ["9007199254740992", "18446744073709551615"] {
        let path = format!("/group_user/list?group_id={group}&after={after}");
        let answer = cluster.send("GET", &path, Some(&ada.token), None).await?;
        assert_eq!(answer.status(), 400);
    }
    cluster.stop().await;
    Ok(())
}
