//! Users who do not take messages from the caller are not added to a group.
use anyhow::Result;
use serde_json::{Value, json};
use wigwag_cluster::{Account, Cluster};
use wigwag_protocol::Code;
use wigwag_protocol::http::Groups;

#[tokio::test(flavor = "multi_thread")]
async fn a_user_cannot_be_added_by_somebody_whose_messages_they_do_not_take() -> Result<()> {
    for (messages_from, refusal) in [("anyone", Code::BLOCKED), ("friends", Code::NOT_FRIENDS)] {
        let cluster = Cluster::with(|options| {
            let parameters = &mut options.parameters;
            parameters.insert("MessagesFrom".to_owned(), messages_from.to_owned());
        })
        .await?;
        let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
        let post =
            async |path: &str, by: &Account, body: Value| cluster.post::<Value>(path, Some(&by.token), &body).await;
        match refusal {
            Code::BLOCKED => post("/block/add", &eve, json!({ "user_id": ada.user_id })).await?,
            _ => post("/friend/add", &bob, json!({ "friend_id": ada.user_id })).await?,
        };
        let create = json!({ "name": "g", "user_ids": [bob.user_id, eve.user_id] });
        assert_eq!(cluster.outcome("/group/create", &ada, &create).await?, refusal);
        let group = cluster.group(&ada, &[&bob]).await?;
        let add = json!({ "group_id": group, "user_ids": [eve.user_id] });
        assert_eq!(cluster.outcome("/group/add", &ada, &add).await?, refusal);
        let groups: Groups = cluster.get("/group/list", Some(&eve.token)).await?;
        assert!(groups.groups.is_empty(), "{groups:?}");
        let groups: Groups = cluster.get("/group/list", Some(&bob.token)).await?;
        assert_eq!(groups.groups.len(), 1, "the group with eve was not made");
        match refusal {
            Code::BLOCKED => post("/block/remove", &eve, json!({ "user_id": ada.user_id })).await?,
            _ => post("/friend/add", &eve, json!({ "friend_id": ada.user_id })).await?,
        };
        assert_eq!(cluster.outcome("/group/add", &ada, &add).await?, Code::OK);
        cluster.stop().await;
    }
    Ok(())
}
