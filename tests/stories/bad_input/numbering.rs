//! Client ids and sessions that are not the next ones.
use anyhow::Result;
use wigwag_cluster::Cluster;
use wigwag_protocol::pb::{Message, UpMsg};
use wigwag_protocol::{Code, OutputFrame, Payload, Request};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_id_out_of_order_is_refused_with_the_expected_one() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut a = cluster.device(&ada).await?;
    let ack = |output: OutputFrame| match output.payload {
        Payload::Ack(ack) => (Code::from_number(output.code).unwrap(), ack),
        other => panic!("{other:?}"),
    };
    let (code, refusal) = ack(a.say(bob.user_id, 5, "five").await?);
    assert_eq!(
        (code, refusal.expected_client_id, refusal.session),
        (Code::CLIENT_ID_AHEAD, 1, 1)
    );
    a.tell(bob.user_id, 1, "one").await?;
    a.tell(bob.user_id, 2, "two").await?;
    assert_eq!(ack(a.say(bob.user_id, 1, "one").await?).0, Code::CLIENT_ID_PASSED);
    assert_eq!(ack(a.say(bob.user_id, 2, "another").await?).0, Code::CLIENT_ID_REUSED);
    let up = |session| {
        let msg = Message {
            session_type: 1,
            receiver_id: bob.user_id,
            message_type: 1,
            content: b"x".to_vec(),
            ..Message::default()
        };
        Request::Message(UpMsg {
            msg: Some(msg),
            client_id: 1,
            session,
        })
    };
    assert!(a.ask(up(2)).await?.is_ok());
    let old = a
        .ask(Request::Message(UpMsg {
            client_id: 3,
            ..match up(1) {
                Request::Message(up) => up,
                _ => unreachable!(),
            }
        }))
        .await?;
    let (code, refusal) = ack(old);
    assert_eq!((code, refusal.session), (Code::SESSION_PASSED, 2));
    cluster.stop().await;
    Ok(())
}
