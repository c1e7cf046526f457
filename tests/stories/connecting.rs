use anyhow::Result;
use wigwag_cluster::{Dial, World};
use wigwag_protocol::Payload;
use wigwag_protocol::pb::KickReason;

#[tokio::test(flavor = "multi_thread")]
async fn the_token_opens_a_connection_from_the_query_or_from_the_subprotocols() -> Result<()> {
    let world = World::start().await?;
    let ada = world.account("ada").await?;
    let dial = || Dial::new(&world.stack.websocket_url);
    let query = dial()
        .token(&ada.token)
        .subprotocols("wigwag.json.v1")
        .connect()
        .await?;
    assert_eq!(query.subprotocol.as_deref(), Some("wigwag.json.v1"));
    let offered = format!("wigwag.pb.v1, wigwag.token.{}", ada.token);
    let mut browser = dial().subprotocols(&offered).connect().await?;
    assert_eq!(browser.subprotocol.as_deref(), Some("wigwag.pb.v1"));
    assert_eq!(browser.heartbeat().await?, 0);
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_tokens_open_nothing() -> Result<()> {
    let world = World::start().await?;
    let ada = world.account("ada").await?;
    let dial = |token: &str| Dial::new(&world.stack.websocket_url).token(token);
    assert_eq!(Dial::new(&world.stack.websocket_url).refused().await?, 401);
    assert_eq!(dial("").refused().await?, 401);
    assert_eq!(dial("no.token.this").refused().await?, 401);
    assert_eq!(dial(&forged(ada.user_id)).refused().await?, 401, "no key id");
    let mut altered = ada.token.clone();
    altered.replace_range(40..41, if &altered[40..41] == "A" { "B" } else { "A" });
    assert_eq!(dial(&altered).refused().await?, 401);
    assert_eq!(dial(&ada.token).query("platform", "1").refused().await?, 403);
    assert_eq!(dial(&ada.token).query("device_id", "another").refused().await?, 403);
    dial(&ada.token)
        .query("platform", "7")
        .query("device_id", &ada.device_id)
        .connect()
        .await?;
    world.stop().await;
    Ok(())
}

/// A token that names no key and whose signature is a guess.
fn forged(user: u64) -> String {
    use base64::Engine as _;
    let encode = |text: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let header = encode(r#"{"typ":"JWT","alg":"HS256"}"#.to_owned());
    let body = encode(format!(
        r#"{{"iss":"wigwag","sub":"{user}","dev":"AAAAAA","plt":7,"iat":0,"exp":{}}}"#,
        1_u64 << 40
    ));
    format!("{header}.{body}.{}", encode("k".repeat(32)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_opens_nothing() -> Result<()> {
    let world = World::start().await?;
    let ada = world.account("ada").await?;
    let claims = |expires_at_s| wigwag_edge::Claims {
        user: ada.user_id,
        device: wigwag_store::DeviceKey::of(7, &ada.device_id),
        platform: 7,
        expires_at_s,
    };
    let dial = |expires_at_s| {
        let token = world.keys.issue(&claims(expires_at_s), 0).expect("a token");
        Dial::new(&world.stack.websocket_url).token(&token)
    };
    assert_eq!(dial(1_000_000_000).refused().await?, 401);
    dial(1 << 40).connect().await?;
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_connection_of_a_device_replaces_the_older_one_which_is_told() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let mut older = world.device(&ada).await?;
    let mut newer = world.device(&ada).await?;
    match older.next_push().await?.payload {
        Payload::Kick(kick) => assert_eq!((kick.reason, kick.reconnect), (KickReason::Replaced.into(), false)),
        other => panic!("{other:?}"),
    }
    older.closed().await?;
    world.device(&bob).await?.tell(ada.user_id, 1, "still there?").await?;
    assert_eq!(
        newer.pushed().await?.seq,
        1,
        "the late $disconnect of the older one did not remove the newer one"
    );
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_platform_policy_another_device_of_the_platform_is_replaced_too() -> Result<()> {
    let world = World::with(|options| {
        options
            .parameters
            .insert("ConnectionPolicy".to_owned(), "platform".to_owned());
    })
    .await?;
    let ada = world.account("ada").await?;
    let laptop = world.another_device(&ada, "laptop").await?;
    let mut first = world.device(&ada).await?;
    world.device(&laptop).await?;
    assert!(matches!(first.next_push().await?.payload, Payload::Kick(_)));
    world.stop().await;
    Ok(())
}

/// A `$disconnect` that never comes leaves a row behind. Pushes to it fail, and nobody minds; it falls to the first push after a
/// minute (until then 410 may mean that the connection is still opening), or to the device's next connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_never_disconnected_costs_nobody_a_message() -> Result<()> {
    let world = World::with(|options| options.faults.drop_disconnect = 1.0).await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    world.device(&bob).await?.leave().await?;
    let mut a = world.device(&ada).await?;
    a.tell(bob.user_id, 1, "1").await?;
    a.tell(bob.user_id, 2, "2").await?;
    let pushes = world
        .meter()
        .await?
        .aws_total(|row| row.operation == "PostToConnection");
    assert_eq!((pushes.requests, pushes.client_errors), (2, 2));
    let mut b = world.device(&bob).await?;
    assert_eq!(b.sync(0, 0).await?.messages.len(), 2);
    a.tell(bob.user_id, 3, "3").await?;
    assert_eq!(b.pushed().await?.seq, 3);
    world.stop().await;
    Ok(())
}
