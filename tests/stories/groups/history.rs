//! The history of a group.
use super::GROUP;
use anyhow::Result;
use serde_json::Value;
use wigwag_cluster::{Cluster, texts};
use wigwag_protocol::http::History;
use wigwag_protocol::pb::PullInputMsg;
use wigwag_protocol::{Payload, Request};

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_read_in_ranges_by_socket_and_by_http() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let group = cluster.group(&ada, &[&bob]).await?;
    let mut a = cluster.device(&ada).await?;
    for client_id in 1..=5 {
        a.tell_to(GROUP, group, client_id, &client_id.to_string()).await?;
    }
    let mut b = cluster.device(&bob).await?;
    let pull = PullInputMsg {
        session_type: GROUP.into(),
        target_id: group,
        limit: 2,
        descending: true,
        ..PullInputMsg::default()
    };
    let Payload::Pull(page) = b.ask(Request::Pull(pull)).await?.payload else {
        anyhow::bail!("no page")
    };
    assert_eq!(
        (texts(&page.messages), page.max_seq),
        (vec!["5".to_owned(), "4".to_owned()], 6)
    );
    let path = format!("/group/{group}/history?begin_seq=5");
    let history: History = cluster.get(&path, Some(&bob.token)).await?;
    assert_eq!(texts(&history.messages), ["4", "5"]);
    let _: Value = cluster.get("/group/list?after=0", Some(&bob.token)).await?;
    cluster.stop().await;
    Ok(())
}
