use anyhow::Result;
use wigwag_cluster::{Dial, World};
use wigwag_protocol::pb::{AckType, HeartbeatMsg, LoginMsg};
use wigwag_protocol::{Code, Payload, Request};

fn login(token: &str) -> Request {
    Request::Login(LoginMsg {
        token: token.as_bytes().to_vec(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_allowed_a_connection_signs_in_with_a_frame() -> Result<()> {
    let world = World::with(|options| {
        options
            .parameters
            .insert("AllowLoginFrame".to_owned(), "true".to_owned());
    })
    .await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let mut a = Dial::new(&world.stack.websocket_url).connect().await?;
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
    world.device(&bob).await?.tell(ada.user_id, 1, "hi").await?;
    assert_eq!(a.pushed().await?.seq, 2);
    a.leave().await?;
    let mut again = Dial::new(&world.stack.websocket_url).connect().await?;
    assert!(again.ask(login(&ada.token)).await?.is_ok());
    assert_eq!(again.sync(0, 0).await?.messages.len(), 2);
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_not_allowed_no_connection_opens_without_a_token() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    assert_eq!(Dial::new(&world.stack.websocket_url).refused().await?, 401);
    let mut a = world.device(&ada).await?;
    assert_eq!(a.refused(login(&bob.token)).await?.0, Code::ALREADY_SIGNED_IN);
    world.stop().await;
    Ok(())
}
