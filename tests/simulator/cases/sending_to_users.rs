//! Messages between two users.

use crate::harness::group::WHOLE_HISTORY;
use crate::harness::{LATER, NOW, connect, draft, engine_with_users, phone, send};
use std::collections::HashMap;
use wigwag_domain::numbering::digest;
use wigwag_domain::relation::MessagesFrom;
use wigwag_domain::{DeviceKey, TimelineId, UserId};
use wigwag_messaging::connect::ConnectionPolicy;
use wigwag_messaging::send_to_peer::SentToPeer;
use wigwag_messaging::{Refusal, SendError};
use wigwag_protocol::{Code, Encoding, limits};
use wigwag_store::{Store, directory};

/// The contents of an inbox with their seqs, and its highest seq.
async fn inbox(store: &Store, user: UserId) -> (Vec<(u64, String)>, u64) {
    let page = wigwag_messaging::sync(store, user, 0, 100, Encoding::Protobuf, LATER)
        .await
        .unwrap()
        .unwrap();
    let text = |content: &[u8]| String::from_utf8_lossy(content).into_owned();
    (
        page.messages
            .iter()
            .map(|message| (message.seq, text(&message.content)))
            .collect(),
        page.cursor,
    )
}

fn refused(result: Result<SentToPeer, SendError>) -> Refusal {
    match result {
        Err(SendError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_message_is_in_the_log_and_in_both_inboxes() {
    let engine = engine_with_users(UserId(2).0).await;
    let store = engine.store();
    let sent = send(&store, &draft(1, "hi")).await.unwrap();
    assert_eq!(
        (
            sent.own_seq,
            sent.receiver_seq,
            sent.message.conversation_seq,
            sent.message.send_time
        ),
        (1, 1, 1, NOW)
    );
    assert_eq!(inbox(&store, UserId(1)).await, (vec![(1, "hi".to_owned())], 1));
    assert_eq!(inbox(&store, UserId(2)).await, (vec![(1, "hi".to_owned())], 1));
    let history = wigwag_messaging::pull_peer(&store, UserId(2), UserId(1), WHOLE_HISTORY, Encoding::Json, NOW)
        .await
        .unwrap();
    assert_eq!((history.messages.len(), history.max_seq, history.next_seq), (1, 1, 0));
    assert_eq!(history.messages[0], sent.message);
}

#[tokio::test]
async fn a_repeated_send_gets_the_first_answer() {
    let engine = engine_with_users(UserId(2).0).await;
    let store = engine.store();
    let first = send(&store, &draft(1, "hi")).await.unwrap();
    let again = wigwag_messaging::send_to_peer(&store, &draft(1, "hi"), UserId(2), MessagesFrom::Anyone, NOW + 5_000)
        .await
        .unwrap();
    assert_eq!(
        (first.own_seq, first.receiver_seq, first.message),
        (again.own_seq, again.receiver_seq, again.message)
    );
    assert_eq!(inbox(&store, UserId(2)).await, (vec![(1, "hi".to_owned())], 2));
}

#[tokio::test]
async fn messages_out_of_turn_are_refused_and_leave_nothing_behind() {
    let engine = engine_with_users(UserId(2).0).await;
    let store = engine.store();
    let with = |session, client_id, content| {
        let mut out = draft(client_id, content);
        out.key.session = session;
        out
    };
    let ahead = refused(send(&store, &with(10, 2, "two")).await);
    assert_eq!(
        (ahead.code, ahead.expected, ahead.session),
        (Code::CLIENT_ID_AHEAD, Some(1), Some(10))
    );
    send(&store, &with(10, 1, "one")).await.unwrap();
    send(&store, &with(10, 2, "two")).await.unwrap();
    assert_eq!(refused(send(&store, &with(10, 4, "four")).await).expected, Some(3));
    assert_eq!(
        refused(send(&store, &with(10, 1, "one")).await).code,
        Code::CLIENT_ID_PASSED
    );
    assert_eq!(
        refused(send(&store, &with(10, 2, "other")).await).code,
        Code::CLIENT_ID_REUSED
    );
    let old = refused(send(&store, &with(9, 3, "three")).await);
    assert_eq!((old.code, old.session), (Code::SESSION_PASSED, Some(10)));
    send(&store, &with(11, 1, "new session")).await.unwrap();
    let contents: Vec<_> = inbox(&store, UserId(2))
        .await
        .0
        .into_iter()
        .map(|(_, content)| content)
        .collect();
    assert_eq!(contents, ["one", "two", "new session"]);
}

#[tokio::test]
async fn each_device_numbers_its_own_messages() {
    let engine = engine_with_users(UserId(2).0).await;
    let store = engine.store();
    let mut tablet = draft(1, "from the tablet");
    tablet.key.device = DeviceKey::derive(1, "tablet");
    assert_eq!(send(&store, &draft(1, "from the phone")).await.unwrap().own_seq, 1);
    assert_eq!(send(&store, &tablet).await.unwrap().own_seq, 2);
    assert_eq!(send(&store, &draft(2, "again")).await.unwrap().own_seq, 3);
}

#[tokio::test]
async fn an_unknown_receiver_is_refused_and_the_number_can_be_used_again() {
    let engine = engine_with_users(UserId(2).0).await;
    let store = engine.store();
    let to_nobody =
        wigwag_messaging::send_to_peer(&store, &draft(1, "hi"), UserId(99), MessagesFrom::Anyone, NOW).await;
    assert_eq!(refused(to_nobody).code, Code::USER_NOT_FOUND);
    let log = TimelineId::peer(UserId(1), UserId(99));
    assert_eq!(
        wigwag_store::timelines::head(&store, &log, true).await.unwrap(),
        None,
        "no log is created without a receiver"
    );
    send(&store, &draft(1, "hi")).await.unwrap();
}

#[tokio::test]
async fn blocked_users_and_strangers_are_refused_but_a_repeat_gets_its_answer() {
    let engine = engine_with_users(UserId(2).0).await;
    let store = engine.store();
    let first = send(&store, &draft(1, "hi")).await.unwrap();
    directory::set_blocked(&store, UserId(2), UserId(1), true)
        .await
        .unwrap();
    assert_eq!(
        refused(send(&store, &draft(2, "still there?")).await).code,
        Code::BLOCKED
    );
    assert_eq!(send(&store, &draft(1, "hi")).await.unwrap().message, first.message);
    directory::set_blocked(&store, UserId(2), UserId(1), false)
        .await
        .unwrap();
    let as_friends =
        async |out| wigwag_messaging::send_to_peer(&store, out, UserId(2), MessagesFrom::Friends, NOW).await;
    let out = draft(2, "hello");
    assert_eq!(refused(as_friends(&out).await).code, Code::NOT_FRIENDS);
    directory::befriend(&store, UserId(1), UserId(2)).await.unwrap();
    assert_eq!(
        refused(as_friends(&out).await).code,
        Code::NOT_FRIENDS,
        "the receiver has not befriended the sender"
    );
    directory::befriend(&store, UserId(2), UserId(1)).await.unwrap();
    as_friends(&out).await.unwrap();
    assert_eq!(inbox(&store, UserId(2)).await.0.len(), 2);
}

#[tokio::test]
async fn a_large_message_is_stored_in_the_log_alone_and_read_through_the_inbox() {
    let engine = engine_with_users(UserId(2).0).await;
    let store = engine.store();
    let large = "x".repeat(limits::CONTENT_BYTES);
    for client_id in 1..=3 {
        send(&store, &draft(client_id, &large)).await.unwrap();
    }
    let mut after = 0;
    for seq in 1..=3 {
        let page = wigwag_messaging::sync(&store, UserId(2), after, 50, Encoding::Protobuf, NOW)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (
                page.messages.len(),
                page.messages[0].seq,
                page.messages[0].content.len()
            ),
            (1, seq, limits::CONTENT_BYTES)
        );
        assert_eq!(page.has_more, seq < 3);
        after = page.cursor;
    }
}

#[tokio::test]
async fn a_seq_that_a_reader_sealed_under_a_slow_sender_is_replaced() {
    let engine = engine_with_users(UserId(2).0).await;
    let store = engine.store();
    // The sender dies after its claim, with nothing put. The readers give its three seqs up.
    assert!(
        send(&engine.store_that_dies_after(5, true), &draft(1, "hi"))
            .await
            .is_err()
    );
    for user in [1, 2] {
        assert_eq!(inbox(&store, UserId(user)).await, (vec![], 1));
    }
    assert!(
        wigwag_messaging::pull_peer(&store, UserId(1), UserId(2), WHOLE_HISTORY, Encoding::Json, LATER)
            .await
            .unwrap()
            .messages
            .is_empty()
    );
    // The repeat finds the plan, meets the seals, and takes the next seqs.
    let sent = send(&store, &draft(1, "hi")).await.unwrap();
    let again = send(&store, &draft(1, "hi")).await.unwrap();
    assert_eq!(
        (sent.own_seq, sent.receiver_seq, &sent.message),
        (again.own_seq, again.receiver_seq, &again.message)
    );
    for user in [1, 2] {
        assert_eq!(inbox(&store, UserId(user)).await.0.len(), 1);
    }
    assert_eq!(
        wigwag_messaging::pull_peer(&store, UserId(1), UserId(2), WHOLE_HISTORY, Encoding::Json, LATER)
            .await
            .unwrap()
            .messages,
        [sent.message]
    );
}

#[tokio::test]
async fn a_repeat_finishes_a_message_wherever_its_sender_died() {
    for answer_lost in [false, true] {
        for calls in 0..9 {
            let engine = engine_with_users(UserId(2).0).await;
            let store = engine.store();
            let dead = engine.store_that_dies_after(calls, answer_lost);
            let first = send(&dead, &draft(1, "hi")).await;
            let again = send(&store, &draft(1, "hi")).await.unwrap();
            if let Ok(first) = first {
                assert_eq!(first.message, again.message);
            }
            send(&store, &draft(2, "ho")).await.unwrap();
            for user in [1, 2] {
                let contents: Vec<_> = inbox(&store, UserId(user))
                    .await
                    .0
                    .into_iter()
                    .map(|(_, content)| content)
                    .collect();
                assert_eq!(
                    contents,
                    ["hi", "ho"],
                    "user {user}, dead after {calls} calls, answer lost: {answer_lost}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_send_returns_the_receivers_connections() {
    let engine = engine_with_users(UserId(2).0).await;
    let store = engine.store();
    connect(&store, UserId(2), &phone(), "abc=", ConnectionPolicy::Device).await;
    let sent = send(&store, &draft(1, "hi")).await.unwrap();
    assert_eq!(
        sent.receiver
            .connections(NOW)
            .map(|(_, connection)| connection.id.as_str())
            .collect::<Vec<_>>(),
        ["abc="]
    );
}

/// The plan has four bytes of digest. Two texts that share them are still different messages.
#[tokio::test]
async fn another_content_with_the_same_digest_is_not_a_repeat() {
    let engine = engine_with_users(UserId(2).0).await;
    let store = engine.store();
    let (one, other) = texts_with_one_digest();
    send(&store, &draft(1, &one)).await.unwrap();
    assert_eq!(
        refused(send(&store, &draft(1, &other)).await).code,
        Code::CLIENT_ID_REUSED
    );
    assert_eq!(inbox(&store, UserId(2)).await.0, [(1, one)]);
}

fn texts_with_one_digest() -> (String, String) {
    let mut seen = HashMap::new();
    for n in 0_u32.. {
        let digest = digest(1, n.to_string().as_bytes());
        if let Some(earlier) = seen.insert(digest, n) {
            return (earlier.to_string(), n.to_string());
        }
    }
    unreachable!("four bytes repeat themselves sooner")
}
