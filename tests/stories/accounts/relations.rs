//! Friends and blocks.
use anyhow::Result;
use serde_json::{Value, json};
use wigwag_cluster::{Account, Cluster};
use wigwag_protocol::Code;
use wigwag_protocol::http::Friends;

#[tokio::test(flavor = "multi_thread")]
async fn friends_are_added_listed_blocked_and_removed() -> Result<()> {
    let cluster = Cluster::with_parameters(&[("MessagesFrom", "friends")]).await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut a = cluster.device(&ada).await?;
    let friend = |id: u64| json!({ "friend_id": id });
    let user = |id: u64| json!({ "user_id": id });
    let post = async |path: &str, by: &Account, body: Value| cluster.post::<Value>(path, Some(&by.token), &body).await;
    post("/friend/add", &ada, friend(bob.user_id)).await?;
    assert_eq!(
        a.say(bob.user_id, 1, "hi").await?.code,
        Code::NOT_FRIENDS.number(),
        "bob has not added ada"
    );
    post("/friend/add", &bob, friend(ada.user_id)).await?;
    let friends: Friends = cluster.get("/friend/list", Some(&bob.token)).await?;
    assert_eq!((friends.friend_ids, friends.next), (vec![ada.user_id], None));
    a.tell(bob.user_id, 1, "hi").await?;
    post("/block/add", &bob, user(ada.user_id)).await?;
    assert_eq!(a.say(bob.user_id, 2, "hi").await?.code, Code::BLOCKED.number());
    post("/block/remove", &bob, user(ada.user_id)).await?;
    a.tell(bob.user_id, 2, "hi again").await?;
    post("/friend/remove", &bob, friend(ada.user_id)).await?;
    assert_eq!(a.say(bob.user_id, 3, "hi").await?.code, Code::NOT_FRIENDS.number());
    let beyond = cluster
        .send("GET", "/friend/list?after=99999999999999998", Some(&bob.token), None)
        .await?;
    assert_eq!(beyond.status(), 400);
    cluster.stop().await;
    Ok(())
}
