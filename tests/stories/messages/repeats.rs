//! Frames that are repeated, or sent before the last was answered.
use super::texts;
use anyhow::Result;
use wigwag_cluster::Cluster;
use wigwag_protocol::pb::{Message, UpMsg};
use wigwag_protocol::{Code, Request};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_send_gets_the_first_answer_and_is_stored_once() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut a = cluster.device(&ada).await?;
    let first = a.tell(bob.user_id, 1, "once").await?;
    a.leave().await?;
    let mut a = cluster.device(&ada).await?;
    assert_eq!(a.tell(bob.user_id, 1, "once").await?, first);
    let page = cluster.device(&bob).await?.sync(0, 0).await?;
    assert_eq!(texts(&page.messages), ["once"]);
    cluster.stop().await;
    Ok(())
}

/// API Gateway runs the frames of one socket in parallel, so a burst arrives in any order. Frames
/// that are ahead are refused with the expected number, and every message is stored once. The order
/// is certain only for a device that has one frame in flight.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_on_one_socket_is_answered_frame_by_frame_and_stored_once() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut a = cluster.device(&ada).await?;
    let up = |client_id: u64| {
        let content = client_id.to_string().into_bytes();
        let msg = Message {
            session_type: 1,
            receiver_id: bob.user_id,
            message_type: 1,
            content,
            ..Message::default()
        };
        Request::Message(UpMsg {
            msg: Some(msg),
            client_id,
            session: 1,
        })
    };
    let mut next = 1;
    while next <= 6 {
        let mut started = Vec::new();
        for client_id in next..=6 {
            started.push(a.start(up(client_id)).await?);
        }
        let mut outputs = Vec::new();
        for _ in &started {
            outputs.push(a.next_push().await?);
        }
        assert!(
            started
                .iter()
                .all(|id| outputs.iter().any(|output| output.request_id == *id)),
            "every frame is answered"
        );
        let accepted = outputs.iter().filter(|output| output.is_ok()).count() as u64;
        for refused in outputs.iter().filter(|output| !output.is_ok()) {
            assert_eq!(refused.code, Code::CLIENT_ID_AHEAD.number());
        }
        assert!(accepted >= 1, "the expected one is accepted");
        next += accepted;
    }
    let page = cluster.device(&bob).await?.sync(0, 0).await?;
    let mut stored = texts(&page.messages);
    stored.sort_unstable();
    assert_eq!(stored, ["1", "2", "3", "4", "5", "6"]);
    cluster.stop().await;
    Ok(())
}
