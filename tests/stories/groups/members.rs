//! Groups and members as members see them.
use anyhow::Result;
use serde_json::json;
use wigwag_cluster::{Account, Cluster, changes};
use wigwag_protocol::Code;
use wigwag_protocol::http::{Groups, Members, MembersChanged, Role};
use wigwag_protocol::pb::GroupChangeType;

#[tokio::test(flavor = "multi_thread")]
async fn members_see_the_group_and_each_other() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let group = cluster.group(&ada, &[&bob]).await?;
    let of = |who: &[&Account]| {
        let ids: Vec<u64> = who.iter().map(|who| who.user_id).collect();
        json!({ "group_id": group, "user_ids": ids })
    };
    let added: MembersChanged = cluster.post("/group/add", Some(&ada.token), &of(&[&bob, &eve])).await?;
    assert_eq!((added.changed, added.unchanged), (vec![eve.user_id], vec![bob.user_id]));
    let again: MembersChanged = cluster.post("/group/add", Some(&ada.token), &of(&[&eve])).await?;
    assert_eq!((again.changed, again.unchanged), (vec![], vec![eve.user_id]));
    let role = json!({ "group_id": group, "user_id": bob.user_id, "role": "admin" });
    assert_eq!(cluster.outcome("/group/role", &ada, &role).await?, Code::OK);
    let rename = json!({ "group_id": group, "name": "ours" });
    assert_eq!(cluster.outcome("/group/update", &bob, &rename).await?, Code::OK);
    let members: Members = cluster
        .get(&format!("/group_user/list?group_id={group}"), Some(&eve.token))
        .await?;
    let roles: Vec<(u64, Role)> = members
        .members
        .iter()
        .map(|member| (member.user_id, member.role))
        .collect();
    assert_eq!(
        roles,
        [
            (ada.user_id, Role::Owner),
            (bob.user_id, Role::Admin),
            (eve.user_id, Role::Member)
        ]
    );
    let groups: Groups = cluster.get("/group/list", Some(&eve.token)).await?;
    let seen = &groups.groups[0];
    assert_eq!(
        (seen.group_id, seen.name.as_str(), seen.members, seen.role),
        (group, "ours", 3, Role::Member)
    );
    assert!(seen.min_seq > 1, "eve sees nothing from before she joined: {seen:?}");
    // Adding eve a second time was not announced.
    let told = changes(&cluster.inbox(&ada).await?);
    let added = told.iter().filter(|change| **change == GroupChangeType::MembersAdded);
    assert_eq!(added.count(), 1);
    // Eve may read from her joining on, bob everything.
    let read = async |who: &Account| -> Result<Vec<GroupChangeType>> {
        let mut device = cluster.device(who).await?;
        Ok(changes(&device.pull_group(group).await?.messages))
    };
    assert_eq!(read(&eve).await?[0], GroupChangeType::MembersAdded);
    assert_eq!(read(&bob).await?[0], GroupChangeType::Created);
    cluster.stop().await;
    Ok(())
}
