//! Users who were never in a group.
use super::{GROUP, say};
use anyhow::Result;
use wigwag_cluster::{Account, Cluster};
use wigwag_protocol::pb::PullInputMsg;
use wigwag_protocol::{Code, Request};

#[tokio::test(flavor = "multi_thread")]
async fn to_a_stranger_a_group_does_not_exist() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let mut e = cluster.device(&eve).await?;
    let group = cluster.group(&ada, &[&bob]).await?;
    assert_eq!(say(&mut e, group, 1).await?, Some(Code::GROUP_NOT_FOUND));
    assert_eq!(say(&mut e, 12345, 1).await?, Some(Code::GROUP_NOT_FOUND));
    for (target_id, code) in [(group, Code::GROUP_NOT_FOUND), (12345, Code::GROUP_NOT_FOUND)] {
        let pull = PullInputMsg {
            session_type: GROUP.into(),
            target_id,
            ..PullInputMsg::default()
        };
        assert_eq!(e.refused(Request::Pull(pull)).await?.0, code);
    }
    let status = async |path: &str, who: &Account| -> Result<u16> {
        Ok(cluster
            .send("GET", path, Some(&who.token), None)
            .await?
            .status()
            .as_u16())
    };
    assert_eq!(status(&format!("/group/{group}"), &eve).await?, 404);
    assert_eq!(status(&format!("/group/{group}/history"), &eve).await?, 404);
    assert_eq!(status(&format!("/group_user/list?group_id={group}"), &eve).await?, 404);
    cluster.stop().await;
    Ok(())
}
