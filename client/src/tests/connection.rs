//! The connection: signing in, losing it, replacing it, being kicked.

use super::peer::*;
use crate::{
    Client, Code, ConnectError, DisconnectReason, Event, Events, RequestError, StopReason, TokenRequest, TokenSource,
};
use std::time::Duration;
use wigwag_protocol::pb::{AckMsg, AckType, CmdType};
use wigwag_protocol::{OutputFrame, Payload};

async fn disconnected(events: &mut Events) -> (DisconnectReason, Duration) {
    loop {
        if let Event::Disconnected { reason, retry_in } = next(events).await {
            return (reason, retry_in);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_final() {
    let (mut peer, options) = peer();
    let (_client, mut events) = Client::start(options);
    peer.refuse(401).await;
    assert!(matches!(next(&mut events).await, Event::Stopped(StopReason::SignIn(_))));
    assert!(events.next().await.is_none());
    assert!(peer.has_no_connection_waiting());
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_renewed_once() {
    let (mut peer, mut options) = peer();
    options.token = TokenSource::provider(|request| async move {
        Ok(match request {
            TokenRequest::Current => "old".to_owned(),
            TokenRequest::Fresh => "new".to_owned(),
        })
    });
    let connecting = tokio::spawn(Client::connect(options.clone()));
    peer.refuse(401).await;
    let (_link, path) = peer.accept_with_handshake().await;
    assert_eq!(path, "/prod?token=new");
    connecting.await.unwrap().unwrap();

    let connecting = tokio::spawn(Client::connect(options));
    peer.refuse(401).await;
    peer.refuse(403).await;
    let outcome = connecting.await.unwrap();
    assert!(matches!(outcome, Err(ConnectError::Final(StopReason::SignIn(_)))));
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_server_is_retried_and_connect_reports_it() {
    let (mut peer, options) = peer();
    let connecting = tokio::spawn(Client::connect(options.clone()));
    peer.refuse(503).await;
    assert!(matches!(connecting.await.unwrap(), Err(ConnectError::Unreachable(_))));

    let (_client, mut events) = Client::start(options);
    for attempt in 0..4 {
        peer.refuse(503).await;
        let (reason, retry_in) = disconnected(&mut events).await;
        assert!(matches!(reason, DisconnectReason::Unreachable(_)));
        assert!(retry_in <= Duration::from_millis(250 << attempt), "{retry_in:?}");
    }
    peer.accept().await.sync_is_empty(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_kick_stops_the_client() {
    let (mut peer, mut link, client, mut events) = connected().await;
    link.kick(false).await;
    link.ended().await;
    assert!(matches!(next(&mut events).await, Event::Kicked { .. }));
    assert!(matches!(next(&mut events).await, Event::Stopped(StopReason::Kicked)));
    assert!(peer.has_no_connection_waiting());
    assert!(client.heartbeat().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_kick_with_reconnect_reconnects() {
    let (mut peer, mut link, _client, mut events) = connected().await;
    link.kick(true).await;
    assert_eq!(disconnected(&mut events).await.0, DisconnectReason::Asked);
    peer.accept().await.sync_is_empty(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_replaced_before_it_is_two_hours_old() {
    let (mut peer, mut link, _client, mut events) = connected().await;
    let serving = tokio::spawn(async move {
        while let Ok(()) = tokio::time::timeout(Duration::from_mins(5), link.heartbeat(0)).await {}
    });
    let ((reason, retry_in), lasted) = time(disconnected(&mut events)).await;
    assert_eq!((reason, retry_in), (DisconnectReason::Planned, Duration::ZERO));
    assert!(lasted <= Duration::from_mins(110), "{lasted:?}");
    assert!(lasted >= Duration::from_mins(90), "{lasted:?}");
    peer.accept().await.sync_is_empty(0).await;
    assert!(serving.await.is_err(), "the old connection ended");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_the_connection_open() {
    let (_peer, mut link, _client, _events) = connected().await;
    for _ in 0..3 {
        let ((), waited) = time(link.heartbeat(0)).await;
        assert!(waited <= Duration::from_mins(4), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up() {
    let (mut peer, mut link, client, mut events) = connected().await;
    let sending = send(&client, "hello");
    link.message().await;
    assert_eq!(disconnected(&mut events).await.0, DisconnectReason::Silent);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let (id, up) = link.message().await;
    link.accept(id, &up, 1).await;
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_login_frame_signs_in_before_anything_else() {
    let (mut peer, options) = peer();
    let (_client, mut events) = Client::start(by_frame(options));
    let (mut link, path) = peer.accept_with_handshake().await;
    assert_eq!(path, "/prod");
    let (id, token) = login(&mut link).await;
    assert_eq!(token, "token");
    let ack = AckMsg {
        r#type: AckType::Login.into(),
        ..AckMsg::default()
    };
    link.say(OutputFrame::new(CmdType::Ack, id, Payload::Ack(ack))).await;
    link.sync_is_empty(0).await;
    assert!(matches!(next(&mut events).await, Event::Connected));
}

#[tokio::test(start_paused = true)]
async fn a_login_frame_that_is_refused_is_final() {
    let (mut peer, options) = peer();
    let (_client, mut events) = Client::start(by_frame(options));
    let mut link = peer.accept().await;
    let (id, _) = login(&mut link).await;
    link.refuse(id, Code::TOKEN_EXPIRED).await;
    assert!(matches!(next(&mut events).await, Event::Stopped(StopReason::SignIn(m)) if m.contains("TOKEN_EXPIRED")));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_no_longer_signed_in_is_replaced() {
    let (mut peer, mut link, client, mut events) = connected().await;
    let sending = send(&client, "hello");
    let (id, _) = link.message().await;
    link.refuse(id, Code::NOT_SIGNED_IN).await;
    assert_eq!(disconnected(&mut events).await.0, DisconnectReason::NotSignedIn);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let (id, up) = link.message().await;
    link.accept(id, &up, 1).await;
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn requests_fail_without_a_connection_and_when_it_ends() {
    let (_peer, mut link, client, mut events) = connected().await;
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.heartbeat().await }
    });
    link.request().await;
    drop(link);
    assert!(matches!(asking.await.unwrap(), Err(RequestError::Interrupted(_))));
    disconnected(&mut events).await;
    assert!(matches!(client.heartbeat().await, Err(RequestError::NotConnected)));
}

#[tokio::test(start_paused = true)]
async fn frames_are_encoded_as_json_if_that_is_chosen() {
    let (mut peer, mut options) = peer();
    options.encoding = wigwag_protocol::Encoding::Json;
    let (client, _events) = Client::start(options);
    let mut link = peer.accept().await;
    assert!(link.text().await.starts_with('{'));
    let sending = send(&client, "hello");
    let (id, up) = link.message().await;
    link.accept(id, &up, 1).await;
    sending.await.unwrap().unwrap();
}
