//! How far a device has read.
use anyhow::Result;
use wigwag_cluster::Cluster;
use wigwag_protocol::pb::{AckMsg, AckType};
use wigwag_protocol::{Code, Payload, Request};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_acknowledges_its_cursor() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let (mut a, mut b) = (cluster.device(&ada).await?, cluster.device(&bob).await?);
    a.tell(bob.user_id, 1, "hello").await?;
    let ack = |seq| {
        Request::Ack(AckMsg {
            r#type: AckType::Push.into(),
            seq,
            ..AckMsg::default()
        })
    };
    assert!(b.ask(ack(1)).await?.is_ok());
    assert!(b.ask(ack(1)).await?.is_ok(), "again is fine");
    let (code, output) = b.refused(ack(2)).await?;
    assert_eq!(code, Code::CURSOR_BEYOND_END);
    assert!(matches!(output.payload, Payload::Ack(ack) if ack.seq == 1));
    cluster.stop().await;
    Ok(())
}
