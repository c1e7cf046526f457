//! Two admins at the same time.
use anyhow::Result;
use serde_json::json;
use wigwag_cluster::{Account, Cluster, changes};
use wigwag_protocol::Code;
use wigwag_protocol::http::{Group, MembersChanged};
use wigwag_protocol::pb::GroupChangeType;

#[tokio::test(flavor = "multi_thread")]
async fn changes_by_two_admins_at_once_are_made_one_after_the_other() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut others = Vec::new();
    for name in ["eve", "fay", "gus"] {
        others.push(cluster.account(name).await?);
    }
    let group = cluster.group(&ada, &[&bob]).await?;
    let role = json!({ "group_id": group, "user_id": bob.user_id, "role": "admin" });
    assert_eq!(cluster.outcome("/group/role", &ada, &role).await?, Code::OK);
    let ids: Vec<u64> = others.iter().map(|other| other.user_id).collect();
    let body = json!({ "group_id": group, "user_ids": ids });
    for path in ["/group/add", "/group/remove", "/group/add"] {
        let change =
            async |who: &Account| -> Result<MembersChanged> { cluster.post(path, Some(&who.token), &body).await };
        let (one, other) = tokio::join!(change(&ada), change(&bob));
        let (one, other) = (one?, other?);
        assert_eq!(
            one.changed.len() + other.changed.len(),
            ids.len(),
            "{path}: {one:?} {other:?}"
        );
        assert_eq!(one.unchanged.len() + other.unchanged.len(), ids.len());
    }
    let seen: Group = cluster.get(&format!("/group/{group}"), Some(&ada.token)).await?;
    assert_eq!(seen.members, 5);
    let told = changes(&cluster.inbox(&bob).await?);
    let members =
        |change: &&GroupChangeType| matches!(change, GroupChangeType::MembersAdded | GroupChangeType::MembersRemoved);
    assert_eq!(told.iter().filter(members).count(), 3, "{told:?}");
    cluster.stop().await;
    Ok(())
}
