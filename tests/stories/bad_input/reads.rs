//! SYNC, PULL and ACK beyond the end.
use anyhow::Result;
use wigwag_cluster::Cluster;
use wigwag_protocol::pb::{AckMsg, PullInputMsg, SyncInputMsg};
use wigwag_protocol::{Code, Payload, Request};

#[tokio::test(flavor = "multi_thread")]
async fn reads_beyond_the_end_are_refused_and_name_the_end() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut a = cluster.device(&ada).await?;
    a.tell(bob.user_id, 1, "hi").await?;
    let (code, output) = a.refused(Request::Sync(SyncInputMsg { seq: 2, limit: 0 })).await?;
    assert_eq!(code, Code::CURSOR_BEYOND_END);
    assert!(matches!(output.payload, Payload::Sync(page) if page.max_seq == 1));
    assert_eq!(
        a.refused(Request::Sync(SyncInputMsg { seq: 1 << 60, limit: 0 }))
            .await?
            .0,
        Code::INVALID_FIELD
    );
    let pull = PullInputMsg {
        session_type: 1,
        target_id: bob.user_id,
        ..PullInputMsg::default()
    };
    assert_eq!(
        a.refused(Request::Pull(PullInputMsg {
            begin_seq: 5,
            end_seq: 4,
            ..pull
        }))
        .await?
        .0,
        Code::INVALID_RANGE
    );
    assert_eq!(
        a.refused(Request::Pull(PullInputMsg { target_id: 0, ..pull })).await?.0,
        Code::INVALID_FIELD
    );
    assert_eq!(
        a.refused(Request::Pull(PullInputMsg {
            session_type: 7,
            ..pull
        }))
        .await?
        .0,
        Code::SESSION_TYPE_UNSUPPORTED
    );
    assert_eq!(a.refused(Request::Ack(AckMsg::default())).await?.0, Code::INVALID_FIELD);
    cluster.stop().await;
    Ok(())
}
