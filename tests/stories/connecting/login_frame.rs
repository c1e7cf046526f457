//! Signing in with a LOGIN frame.
use anyhow::Result;
use wigwag_cluster::Cluster;
use wigwag_protocol::pb::{AckType, HeartbeatMsg, LoginMsg};
use wigwag_protocol::{Code, Payload, Request};

fn login(token: &str) -> Request {
    Request::Login(LoginMsg {
        token: token.as_bytes().to_vec(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_signs_in_with_a_frame_if_that_is_allowed() -> Result<()> {
    let cluster = Cluster::with_parameters(&[("AllowLoginFrame", "true")]).await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut a = cluster.dial().connect().await?;
    assert_eq!(
        a.refused(Request::Heartbeat(HeartbeatMsg::default())).await?.0,
        Code::NOT_SIGNED_IN
    );
    assert_eq!(
        a.say(bob.user_id, 1, "too early").await?.code,
        Code::NOT_SIGNED_IN.number()
    );
    assert_eq!(a.refused(login("no token")).await?.0, Code::TOKEN_INVALID);
    match a.ask(login(&ada.token)).await?.payload {
        Payload::Ack(ack) => assert_eq!((ack.r#type, ack.seq), (AckType::Login.into(), 0)),
        other => panic!("{other:?}"),
    }
    assert_eq!(a.refused(login(&bob.token)).await?.0, Code::ALREADY_SIGNED_IN);
    assert!(
        a.ask(login(&ada.token)).await?.is_ok(),
        "again is fine, its answer may have been lost"
    );
    a.tell(bob.user_id, 1, "hello").await?;
    cluster.device(&bob).await?.tell(ada.user_id, 1, "hi").await?;
    assert_eq!(a.pushed().await?.seq, 2);
    a.leave().await?;
    let mut again = cluster.dial().connect().await?;
    assert!(again.ask(login(&ada.token)).await?.is_ok());
    assert_eq!(again.sync(0, 0).await?.messages.len(), 2);
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_opens_without_a_token_if_login_frames_are_not_allowed() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    assert_eq!(cluster.dial().refused().await?, 401);
    let mut a = cluster.device(&ada).await?;
    assert_eq!(a.refused(login(&bob.token)).await?.0, Code::ALREADY_SIGNED_IN);
    cluster.stop().await;
    Ok(())
}
