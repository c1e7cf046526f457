//! Sending: one message in flight, repeated until answered, across lost answers, lost connections
//! and restarts.

use super::peer::*;
use crate::{Client, Code, Event, SendError, Session, SessionStore};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wigwag_protocol::limits::CONTENT_BYTES;

#[tokio::test(start_paused = true)]
async fn messages_are_sent_one_by_one_in_the_order_of_the_calls() {
    let (_peer, mut link, client, _events) = connected().await;
    let sendings = [
        client.enqueue(BOB, "a").await.unwrap(),
        client.enqueue(BOB, "b").await.unwrap(),
        client.enqueue(BOB, "c").await.unwrap(),
    ];
    for (n, content) in (1..).zip(["a", "b", "c"]) {
        let (id, up) = link.message().await;
        assert_eq!(up.client_id, n);
        assert_eq!(up.msg.as_ref().unwrap().content, content.as_bytes());
        link.accept(id, &up, n).await;
    }
    for (n, sending) in (1..).zip(sendings) {
        assert_eq!(sending.await.unwrap().seq, n);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_causes_a_repeat_with_the_same_number_and_content() {
    let (_peer, mut link, client, _events) = connected().await;
    let sending = send(&client, "hello");
    let (_, first) = link.message().await;
    let ((id, second), waited) = time(link.message()).await;
    assert_eq!(first, second);
    assert_eq!(waited, Duration::from_secs(10));
    link.accept(id, &second, 1).await;
    assert_eq!(sending.await.unwrap().unwrap().client_id, 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_to_an_earlier_transmission_counts() {
    let (_peer, mut link, client, _events) = connected().await;
    let sending = send(&client, "hello");
    let (first_id, up) = link.message().await;
    link.message().await;
    link.accept(first_id, &up, 1).await;
    assert_eq!(sending.await.unwrap().unwrap().seq, 1);
}

#[tokio::test(start_paused = true)]
async fn the_message_in_flight_is_repeated_at_once_after_a_reconnect() {
    let (mut peer, mut link, client, _events) = connected().await;
    let sending = send(&client, "hello");
    let (_, first) = link.message().await;
    drop(link);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let ((id, second), waited) = time(link.message()).await;
    assert_eq!((first, waited), (second.clone(), Duration::ZERO));
    link.accept(id, &second, 1).await;
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_names_no_request_repeats_the_message_in_flight_soon() {
    let (_peer, mut link, client, _events) = connected().await;
    let sending = send(&client, "hello");
    link.message().await;
    link.gateway_fails().await;
    let ((id, up), waited) = time(link.message()).await;
    assert!(waited <= Duration::from_millis(250), "{waited:?}");
    link.accept(id, &up, 1).await;
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_asked_again_and_a_refusal_reaches_the_caller() {
    let (_peer, mut link, client, _events) = connected().await;
    let sending = send(&client, "hello");
    let (id, _) = link.message().await;
    link.refuse(id, Code::BUSY).await;
    let (id, _) = link.message().await;
    link.refuse(id, Code::BLOCKED).await;
    let error = sending.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Some(Code::BLOCKED));
    assert!(!error.is_outcome_unknown());
    send(&client, "again");
    assert_eq!(
        link.message().await.1.client_id,
        1,
        "the refused one did not use up its number"
    );
}

#[tokio::test(start_paused = true)]
async fn empty_and_too_large_content_is_refused_locally() {
    let (_peer, _link, client, _events) = connected().await;
    assert!(matches!(client.send(BOB, "").await, Err(SendError::ContentEmpty)));
    let long = "x".repeat(CONTENT_BYTES + 1);
    let bytes = long.len();
    assert!(matches!(client.send(BOB, long).await, Err(SendError::ContentTooLarge { bytes: n }) if n == bytes));
}

#[tokio::test(start_paused = true)]
async fn a_repeat_after_a_forgotten_numbering_is_searched_for_in_the_inbox_first() {
    let (_peer, mut link, client, mut events) = connected().await;
    let sending = send(&client, "hello");
    link.message().await;
    let (id, up) = link.message().await;
    link.refuse(id, Code::CLIENT_ID_AHEAD).await;
    // The first transmission had been accepted: its copy is in the user's own inbox.
    let (id, _) = link.sync().await;
    let copy = crate::Message {
        seq: 1,
        client_id: up.client_id,
        session: up.session,
        ..up.msg.unwrap()
    };
    let page = wigwag_protocol::pb::SyncOutputMsg {
        messages: vec![copy],
        has_more: false,
        cursor: 1,
        max_seq: 1,
    };
    let payload = wigwag_protocol::Payload::Sync(page);
    link.say(wigwag_protocol::OutputFrame::new(
        wigwag_protocol::pb::CmdType::Sync,
        id,
        payload,
    ))
    .await;
    assert_eq!(sending.await.unwrap().unwrap().seq, 1);
    assert!(matches!(next_of_substance(&mut events).await, Event::Message(m) if m.seq == 1));
}

/// Keeps every saved session, and fails when told to.
#[derive(Default)]
struct Notebook {
    saved: Mutex<Vec<Session>>,
    fails: Mutex<bool>,
}

impl SessionStore for Notebook {
    fn save(&self, session: &Session) -> io::Result<()> {
        if *self.fails.lock().unwrap() {
            return Err(io::Error::other("disk full"));
        }
        self.saved.lock().unwrap().push(session.clone());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_saved_before_it_is_sent_and_removed_when_it_is_settled() {
    let notebook = Arc::new(Notebook::default());
    let (mut peer, mut options) = peer();
    options.session_store = Some(Arc::clone(&notebook) as Arc<dyn SessionStore>);
    let (client, _events) = Client::start(options);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let sending = send(&client, "hello");
    let (id, up) = link.message().await;
    let saved = notebook.saved.lock().unwrap().last().cloned().unwrap();
    assert_eq!((saved.id, saved.next_client_id), (up.session, up.client_id));
    assert_eq!(saved.pending, up.msg);
    link.accept(id, &up, 1).await;
    sending.await.unwrap().unwrap();
    let saved = notebook.saved.lock().unwrap().last().cloned().unwrap();
    assert_eq!((saved.next_client_id, saved.pending), (2, None));
    assert_eq!(client.session().next_client_id, 2);

    *notebook.fails.lock().unwrap() = true;
    assert!(matches!(client.send(BOB, "x").await, Err(SendError::NotSaved(_))));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_last_process_left_unanswered_is_sent_first_and_reported() {
    let (mut peer, mut options) = peer();
    let pending = crate::Message {
        receiver_id: BOB,
        content: b"from before".to_vec(),
        ..crate::Message::default()
    };
    options.session = Some(Session {
        id: 77,
        next_client_id: 5,
        pending: Some(pending),
    });
    let (client, mut events) = Client::start(options);
    let after = send(&client, "new");
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    let (id, up) = link.message().await;
    assert_eq!((up.session, up.client_id), (77, 5));
    link.accept(id, &up, 1).await;
    assert!(matches!(next_of_substance(&mut events).await, Event::PendingSettled(Ok(receipt)) if receipt.seq == 1));
    let (id, up) = link.message().await;
    assert_eq!((up.session, up.client_id), (77, 6));
    link.accept(id, &up, 2).await;
    after.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_answers_and_reports_unanswered_messages() {
    let (_peer, mut link, client, mut events) = connected().await;
    let answered = client.enqueue(BOB, "a").await.unwrap();
    let unanswered = client.enqueue(BOB, "b").await.unwrap();
    let unsent = client.enqueue(BOB, "c").await.unwrap();
    let closing = tokio::spawn({
        let client = client.clone();
        async move { time(client.close()).await.1 }
    });
    let (id, up) = link.message().await;
    link.accept(id, &up, 1).await;
    link.message().await;
    tokio::spawn(link.ended());
    assert!(closing.await.unwrap() >= Duration::from_secs(5));
    answered.await.unwrap();
    assert!(matches!(
        unanswered.await,
        Err(SendError::Stopped { transmitted: true })
    ));
    assert!(matches!(unsent.await, Err(SendError::Stopped { transmitted: false })));
    assert!(client.send(BOB, "d").await.is_err());
    assert!(matches!(next_of_substance(&mut events).await, Event::Message(m) if m.sender_id == ME));
    assert!(matches!(
        next_of_substance(&mut events).await,
        Event::Stopped(crate::StopReason::Closed)
    ));
}

#[tokio::test(start_paused = true)]
async fn closing_with_nothing_open_takes_no_time() {
    let (_peer, link, client, _events) = connected().await;
    tokio::spawn(link.ended());
    assert_eq!(time(client.close()).await.1, Duration::ZERO);
}
