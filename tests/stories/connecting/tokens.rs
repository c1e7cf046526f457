//! The token that opens a connection.
use anyhow::Result;
use wigwag_cluster::Cluster;
use wigwag_cluster::tokens::without_key_id;
use wigwag_domain::{DeviceKey, UserId};
use wigwag_edge::Claims;

#[tokio::test(flavor = "multi_thread")]
async fn the_token_opens_a_connection_from_the_query_or_from_the_subprotocols() -> Result<()> {
    let cluster = Cluster::start().await?;
    let ada = cluster.account("ada").await?;
    let query = cluster
        .dial()
        .token(&ada.token)
        .subprotocols("wigwag.json.v1")
        .connect()
        .await?;
    assert_eq!(query.subprotocol.as_deref(), Some("wigwag.json.v1"));
    let offered = format!("wigwag.pb.v1, wigwag.token.{}", ada.token);
    let mut browser = cluster.dial().subprotocols(&offered).connect().await?;
    assert_eq!(browser.subprotocol.as_deref(), Some("wigwag.pb.v1"));
    assert_eq!(browser.heartbeat().await?, 0);
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_tokens_open_nothing() -> Result<()> {
    let cluster = Cluster::start().await?;
    let ada = cluster.account("ada").await?;
    let dial = |token: &str| cluster.dial().token(token);
    assert_eq!(cluster.dial().refused().await?, 401);
    assert_eq!(dial("").refused().await?, 401);
    assert_eq!(dial("no.token.this").refused().await?, 401);
    assert_eq!(dial(&without_key_id(ada.user_id)).refused().await?, 401, "no key id");
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
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_opens_nothing() -> Result<()> {
    let cluster = Cluster::start().await?;
    let ada = cluster.account("ada").await?;
    let claims = |expires_at_s| Claims {
        user: UserId(ada.user_id),
        device: DeviceKey::derive(7, &ada.device_id),
        platform: 7,
        expires_at_s,
    };
    let dial = |expires_at_s| {
        let token = cluster.keys.issue(&claims(expires_at_s), 0).expect("a token");
        cluster.dial().token(&token)
    };
    assert_eq!(dial(1_000_000_000).refused().await?, 401);
    dial(1 << 40).connect().await?;
    cluster.stop().await;
    Ok(())
}
