use anyhow::Result;
use wigwag_cluster::World;
use wigwag_protocol::pb::{AckMsg, AckType, Message, PullInputMsg};
use wigwag_protocol::{Code, Payload, Request, limits};

fn texts(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| std::str::from_utf8(&message.content).unwrap_or("not text"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_talk_in_either_encoding() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let (mut a, mut b) = (world.device(&ada).await?, world.json_device(&bob).await?);
    let ack = a.tell(bob.user_id, 1, "hello").await?;
    assert_eq!((ack.client_id, ack.seq, ack.conversation_seq), (1, 1, 1));
    let got = b.pushed().await?;
    assert_eq!(
        (got.sender_id, got.receiver_id, got.seq, got.conversation_seq),
        (ada.user_id, bob.user_id, 1, 1)
    );
    assert_eq!(
        (texts(std::slice::from_ref(&got)), got.send_time),
        (vec!["hello"], ack.send_time)
    );
    b.tell(ada.user_id, 1, "hi").await?;
    let got = a.pushed().await?;
    assert_eq!(
        (got.seq, got.conversation_seq, texts(std::slice::from_ref(&got))),
        (2, 2, vec!["hi"])
    );
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_gets_everything_once_and_in_order() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let mut b = world.device(&bob).await?;
    let mut a = world.device(&ada).await?;
    a.tell(bob.user_id, 1, "1").await?;
    assert_eq!(b.pushed().await?.seq, 1);
    b.leave().await?;
    for client_id in 2..=30 {
        a.tell(bob.user_id, client_id, &client_id.to_string()).await?;
    }
    let mut b = world.device(&bob).await?;
    let (mut cursor, mut got) = (1, Vec::new());
    loop {
        let page = b.sync(cursor, 7).await?;
        cursor = page.cursor;
        got.extend(page.messages);
        if !page.has_more {
            assert_eq!(page.max_seq, cursor);
            break;
        }
    }
    let wanted: Vec<String> = (2..=30).map(|n| n.to_string()).collect();
    assert_eq!(texts(&got), wanted);
    assert_eq!(b.heartbeat().await?, 30);
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_senders_other_device_gets_a_copy_and_the_sending_one_does_not() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let tablet = world.another_device(&ada, "tablet").await?;
    let (mut a, mut t) = (world.device(&ada).await?, world.device(&tablet).await?);
    a.tell(bob.user_id, 1, "hello").await?;
    assert_eq!(t.pushed().await?.seq, 1);
    t.tell(bob.user_id, 1, "from the tablet").await?;
    let copy = a.pushed().await?;
    assert_eq!(
        (copy.seq, texts(std::slice::from_ref(&copy))),
        (2, vec!["from the tablet"]),
        "the first push is the tablet's message"
    );
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_send_gets_the_first_answer_and_stands_once() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let mut a = world.device(&ada).await?;
    let first = a.tell(bob.user_id, 1, "once").await?;
    a.leave().await?;
    let mut a = world.device(&ada).await?;
    assert_eq!(a.tell(bob.user_id, 1, "once").await?, first);
    let page = world.device(&bob).await?.sync(0, 0).await?;
    assert_eq!(texts(&page.messages), ["once"]);
    world.stop().await;
    Ok(())
}

/// API Gateway runs the frames of one socket side by side, so a burst arrives in any order: what is ahead is refused with the
/// number that is expected, and every message is stored once. Their order is certain only for a device that keeps one in flight.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_on_one_socket_is_answered_frame_by_frame_and_stored_once() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let mut a = world.device(&ada).await?;
    let up = |client_id: u64| {
        let content = client_id.to_string().into_bytes();
        let msg = Message {
            session_type: 1,
            receiver_id: bob.user_id,
            message_type: 1,
            content,
            ..Message::default()
        };
        Request::Message(wigwag_protocol::pb::UpMsg {
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
    let page = world.device(&bob).await?.sync(0, 0).await?;
    let mut stored = texts(&page.messages);
    stored.sort_unstable();
    assert_eq!(stored, ["1", "2", "3", "4", "5", "6"]);
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_content_arrives_by_push_by_sync_and_by_pull() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let (mut a, mut b) = (world.device(&ada).await?, world.json_device(&bob).await?);
    let large = "x".repeat(limits::CONTENT_BYTES);
    a.tell(bob.user_id, 1, &large).await?;
    a.tell(bob.user_id, 2, &large).await?;
    assert_eq!(b.pushed().await?.content.len(), limits::CONTENT_BYTES);
    let page = b.sync(0, 0).await?;
    assert_eq!(
        (page.messages.len(), page.cursor, page.has_more),
        (1, 1, true),
        "one fits a frame"
    );
    assert_eq!(b.sync(1, 0).await?.messages[0].content, large.as_bytes());
    let pull = PullInputMsg {
        session_type: 1,
        target_id: ada.user_id,
        ..PullInputMsg::default()
    };
    match b.ask(Request::Pull(pull)).await?.payload {
        Payload::Pull(page) => assert_eq!((page.messages.len(), page.next_seq, page.has_more), (1, 2, true)),
        other => panic!("{other:?}"),
    }
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_read_in_ranges_by_both_and_by_nobody_else() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let (mut a, mut b) = (world.device(&ada).await?, world.device(&bob).await?);
    for client_id in 1..=5 {
        a.tell(bob.user_id, client_id, &client_id.to_string()).await?;
    }
    let pull = |target_id, begin_seq, end_seq, limit, descending| {
        Request::Pull(PullInputMsg {
            session_type: 1,
            target_id,
            begin_seq,
            end_seq,
            limit,
            descending,
        })
    };
    let page = |output: wigwag_protocol::OutputFrame| match output.payload {
        Payload::Pull(page) => page,
        other => panic!("{other:?}"),
    };
    let range = page(b.ask(pull(ada.user_id, 2, 4, 0, false)).await?);
    assert_eq!(
        (texts(&range.messages), range.next_seq, range.max_seq),
        (vec!["2", "3", "4"], 0, 5)
    );
    let newest = page(b.ask(pull(ada.user_id, 0, 0, 2, true)).await?);
    assert_eq!((texts(&newest.messages), newest.next_seq), (vec!["5", "4"], 3));
    let older = page(b.ask(pull(ada.user_id, 0, newest.next_seq, 10, true)).await?);
    assert_eq!((texts(&older.messages), older.next_seq), (vec!["3", "2", "1"], 0));
    let mut e = world.device(&eve).await?;
    assert!(
        page(e.ask(pull(bob.user_id, 0, 0, 0, false)).await?)
            .messages
            .is_empty()
    );
    let path = format!("/history/{}?begin_seq=4", ada.user_id);
    let history: wigwag_protocol::http::History = world.get(&path, Some(&bob.token)).await?;
    assert_eq!((texts(&history.messages), history.next_seq), (vec!["4", "5"], 0));
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_notes_how_far_it_has_come() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let (mut a, mut b) = (world.device(&ada).await?, world.device(&bob).await?);
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
    world.stop().await;
    Ok(())
}
