//! Messages to groups, up to their acknowledgement.

use crate::harness::group::{GROUP, TestGroup, WHOLE_HISTORY, send_refusal};
use crate::harness::queues::{Collected, OutOfReach};
use crate::harness::{LATER, NOW, WHOLE_TIMELINE, draft, send};
use wigwag_domain::groups::rules::Wanted;
use wigwag_domain::task::{Audience, Task};
use wigwag_domain::{GroupId, TimelineId, UserId};
use wigwag_messaging::SendError;
use wigwag_protocol::http::Role;
use wigwag_protocol::{Code, Encoding};
use wigwag_store::{group_logs, timelines};

/// A group that user 2 owns. User 1, who sends, is a plain member.
async fn new_friends() -> TestGroup {
    let friends = TestGroup::with(UserId(2), &[UserId(1), UserId(3)]).await;
    friends.queue.take();
    friends
}

/// The contents of the log without announcements, and its end. Nobody may have to wait for a lease.
async fn log(friends: &TestGroup) -> (Vec<String>, u64) {
    let log = TimelineId::group(GROUP);
    let page = timelines::read(&friends.store, &log, WHOLE_TIMELINE, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(page.cursor, page.max_seq, "nothing waits for a lease");
    (friends.contents(UserId(2), NOW).await, page.cursor)
}

/// The contents of the sender's own inbox.
async fn own_inbox(friends: &TestGroup) -> Vec<String> {
    let page = wigwag_messaging::sync(&friends.store, UserId(1), 0, 100, Encoding::Json, LATER).await;
    let messages = page.unwrap().unwrap().messages.into_iter();
    messages
        .map(|message| String::from_utf8(message.content).unwrap())
        .collect()
}

#[tokio::test]
async fn a_message_is_in_the_log_and_in_the_senders_inbox_and_its_task_is_enqueued() {
    let friends = new_friends().await;
    let sent = friends.sent(1, "hi").await;
    assert_eq!(
        (sent.own_seq, sent.message.conversation_seq, sent.message.send_time),
        (1, 2, NOW)
    );
    assert_eq!(log(&friends).await, (vec!["hi".to_owned()], 2));
    assert_eq!(own_inbox(&friends).await, ["hi"]);
    let tasks = friends.queue.take();
    let [
        Task::Deliver {
            group: GROUP,
            audience: Audience::Shard(0),
            logged,
            skip: Some(UserId(1)),
        },
    ] = tasks.as_slice()
    else {
        panic!("{tasks:?}");
    };
    assert_eq!(logged.message, sent.message);
}

#[tokio::test]
async fn a_message_to_a_group_takes_five_calls() {
    let friends = new_friends().await;
    let (store, calls) = friends.engine.counting_store();
    wigwag_messaging::send_to_group(&store, &friends.queue, &draft(1, "hi"), GROUP, NOW)
        .await
        .unwrap();
    let expected = [("GetItem", 1), ("PutItem", 2), ("UpdateItem", 2)];
    assert_eq!(calls.take(), expected.map(|(name, count)| (name.to_owned(), count)));
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_enqueues_again() {
    let friends = new_friends().await;
    let first = friends.sent(1, "hi").await;
    let tasks = friends.queue.take();
    let again = friends.sent(1, "hi").await;
    assert_eq!((first.own_seq, &first.message), (again.own_seq, &again.message));
    assert_eq!(friends.queue.take(), tasks);
    assert_eq!(
        log(&friends).await,
        (vec!["hi".to_owned()], 3),
        "the seq that the repeat reserved is sealed"
    );
    assert_eq!(friends.send_refused(1, "ho").await, Code::CLIENT_ID_REUSED);
    assert_eq!(send_refusal(friends.send(3, "three").await).expected, Some(2));
}

#[tokio::test]
async fn a_failing_queue_fails_the_send_and_a_repeat_mends_it() {
    let friends = new_friends().await;
    let result = wigwag_messaging::send_to_group(&friends.store, &OutOfReach, &draft(1, "hi"), GROUP, NOW).await;
    assert!(matches!(result, Err(SendError::Store(_))), "{result:?}");
    friends.sent(1, "hi").await;
    assert_eq!(friends.queue.take().len(), 1);
    assert_eq!(log(&friends).await.0, ["hi"]);
}

#[tokio::test]
async fn a_sender_who_may_not_send_is_refused_and_can_use_the_number_later() {
    let friends = new_friends().await;
    friends.change_silently(UserId(2), Wanted::Mute(true)).await;
    assert_eq!(friends.send_refused(1, "one").await, Code::GROUP_MUTED);
    friends.change_silently(UserId(2), Wanted::Mute(false)).await;
    friends
        .change_silently(UserId(2), Wanted::MuteMember(UserId(1), NOW + 1))
        .await;
    assert_eq!(friends.send_refused(1, "one").await, Code::MEMBER_MUTED);
    friends
        .change_silently(UserId(2), Wanted::MuteMember(UserId(1), 0))
        .await;
    friends
        .change_silently(UserId(2), Wanted::Remove(vec![UserId(1)]))
        .await;
    assert_eq!(friends.send_refused(1, "one").await, Code::NOT_A_MEMBER);
    friends.change_silently(UserId(2), Wanted::Add(vec![UserId(1)])).await;
    friends.sent(1, "one").await;
    friends.change_silently(UserId(2), Wanted::Dissolve).await;
    assert_eq!(friends.send_refused(2, "two").await, Code::GROUP_DISSOLVED);
    assert_eq!(log(&friends).await.0, ["one"]);
    let unknown =
        wigwag_messaging::send_to_group(&friends.store, &friends.queue, &draft(2, "two"), GroupId(99), NOW).await;
    assert_eq!(send_refusal(unknown).code, Code::NOT_A_MEMBER);
    assert_eq!(group_logs::head(&friends.store, GroupId(99)).await.unwrap(), None);
}

/// Every device that is online would read the log because of a hole that nobody fills.
#[tokio::test]
async fn a_refused_message_takes_no_seq_of_the_log() {
    let friends = new_friends().await;
    let seq = async || {
        let head = group_logs::head(&friends.store, GROUP).await.unwrap();
        head.unwrap().seq
    };
    let refused_without_a_seq = async |code: Code| {
        let before = seq().await;
        assert_eq!(friends.send_refused(1, "one").await, code);
        assert_eq!(seq().await, before, "{code}");
    };
    friends.change_silently(UserId(2), Wanted::Mute(true)).await;
    refused_without_a_seq(Code::GROUP_MUTED).await;
    friends
        .change_silently(UserId(2), Wanted::Role(UserId(1), Role::Admin))
        .await;
    friends.sent(1, "an admin may").await;
    friends.change_silently(UserId(2), Wanted::Mute(false)).await;
    friends
        .change_silently(UserId(2), Wanted::MuteMember(UserId(1), LATER))
        .await;
    let before = seq().await;
    assert_eq!(friends.send_refused(2, "two").await, Code::MEMBER_MUTED);
    assert_eq!(seq().await, before);
    friends
        .change_silently(UserId(2), Wanted::MuteMember(UserId(1), 0))
        .await;
    friends.sent(2, "two").await;
    friends
        .change_silently(UserId(2), Wanted::Remove(vec![UserId(1)]))
        .await;
    let before = seq().await;
    assert_eq!(friends.send_refused(3, "three").await, Code::NOT_A_MEMBER);
    friends.change_silently(UserId(2), Wanted::Dissolve).await;
    let mut owners = draft(1, "too late");
    owners.key.sender = UserId(2);
    let late = wigwag_messaging::send_to_group(&friends.store, &friends.queue, &owners, GROUP, NOW).await;
    assert_eq!(send_refusal(late).code, Code::GROUP_DISSOLVED);
    assert_eq!(seq().await, before + 1, "only the announcement took one");
}

#[tokio::test]
async fn a_repeat_gets_its_answer_whatever_became_of_the_sender_and_the_group() {
    let friends = new_friends().await;
    let first = friends.sent(1, "hi").await;
    let tasks = friends.queue.take();
    friends
        .change_silently(UserId(2), Wanted::Remove(vec![UserId(1)]))
        .await;
    assert_eq!(friends.sent(1, "hi").await.message, first.message);
    assert_eq!(friends.queue.take(), tasks);
    friends.change_silently(UserId(2), Wanted::BecomeSuper).await;
    friends.change_silently(UserId(2), Wanted::Dissolve).await;
    let again = friends.sent(1, "hi").await;
    assert_eq!((again.own_seq, again.message), (first.own_seq, first.message));
    assert_eq!(
        friends.queue.take(),
        tasks,
        "it was sent before the group became a super group"
    );
}

#[tokio::test]
async fn a_super_groups_message_is_announced_and_takes_no_seq_of_an_inbox() {
    let friends = new_friends().await;
    friends.sent(1, "before").await;
    friends.change_silently(UserId(2), Wanted::BecomeSuper).await;
    friends.queue.take();
    for _ in 0..2 {
        let sent = friends.sent(2, "after").await;
        assert_eq!(sent.own_seq, 0);
        let tasks = friends.queue.take();
        assert!(
            matches!(tasks.as_slice(), [Task::Announce { group: GROUP, .. }]),
            "{tasks:?}"
        );
    }
    assert_eq!(own_inbox(&friends).await, ["before"]);
    assert_eq!(log(&friends).await.0, ["before", "after"]);
}

#[tokio::test]
async fn a_message_whose_new_seq_is_a_super_groups_is_in_no_inbox() {
    let friends = new_friends().await;
    // The message is claimed, and nothing is put; a reader gives its seq up; the group becomes a
    // super group.
    let dead = friends.engine.store_that_dies_after(3, false);
    let died = friends.send_by(&dead, 1, "hi").await;
    assert!(died.is_err());
    let history = friends.history_at(UserId(2), WHOLE_HISTORY, LATER);
    history.await.unwrap();
    friends.change_silently(UserId(2), Wanted::BecomeSuper).await;
    friends.queue.take();
    for _ in 0..2 {
        let sent = friends.sent(1, "hi").await;
        assert_eq!(sent.own_seq, 0);
        let tasks = friends.queue.take();
        assert!(
            matches!(tasks.as_slice(), [Task::Announce { group: GROUP, .. }]),
            "{tasks:?}"
        );
    }
    assert!(own_inbox(&friends).await.is_empty());
    assert_eq!(log(&friends).await.0, ["hi"]);
}

#[tokio::test]
async fn a_repeat_finishes_a_message_wherever_its_sender_died() {
    for answer_lost in [false, true] {
        for calls in 0..7 {
            let friends = new_friends().await;
            let dead = friends.engine.store_that_dies_after(calls, answer_lost);
            let first = friends.send_by(&dead, 1, "hi").await;
            if calls % 2 == 0 {
                // The readers give up what is not written yet.
                let history = friends.history_at(UserId(2), WHOLE_HISTORY, LATER).await;
                history.unwrap();
                own_inbox(&friends).await;
            }
            friends.queue.take();
            let again = friends.sent(1, "hi").await;
            if let Ok(first) = first {
                assert_eq!(first.message, again.message);
            }
            assert_eq!(friends.queue.take().len(), 1);
            friends.sent(2, "ho").await;
            let history = friends.history_at(UserId(2), WHOLE_HISTORY, LATER).await.unwrap();
            let said = history.messages.iter().filter(|message| message.group_change.is_none());
            let said: Vec<&[u8]> = said.map(|message| message.content.as_slice()).collect();
            assert_eq!(
                said,
                [b"hi", b"ho"],
                "dead after {calls} calls, answer lost: {answer_lost}"
            );
            assert_eq!(
                own_inbox(&friends).await,
                ["hi", "ho"],
                "dead after {calls} calls, answer lost: {answer_lost}"
            );
        }
    }
}

#[tokio::test]
async fn a_device_numbers_its_messages_to_users_and_groups_together() {
    let friends = new_friends().await;
    friends.sent(1, "to the group").await;
    send(&friends.store, &draft(2, "to user 2")).await.unwrap();
    assert_eq!(friends.send_refused(2, "to user 2").await, Code::CLIENT_ID_REUSED);
    friends.sent(3, "to the group again").await;
    assert_eq!(
        own_inbox(&friends).await,
        ["to the group", "to user 2", "to the group again"]
    );
}

/// The attempt that is held up looked at the group before it became a super group. The one that
/// overtakes it is accepted after that.
#[tokio::test]
async fn an_attempt_that_was_overtaken_looks_at_the_group_again() {
    let friends = new_friends().await;
    let (held_up, go_on) = friends.engine.store_held_up_after(2);
    let queue = Collected::default();
    let overtaken = tokio::spawn({
        let queue = queue.clone();
        async move { wigwag_messaging::send_to_group(&held_up, &queue, &draft(1, "hi"), GROUP, NOW).await }
    });
    while go_on.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    friends.change_silently(UserId(2), Wanted::BecomeSuper).await;
    let sent = friends.sent(1, "hi").await;
    let tasks = friends.queue.take();
    assert!(matches!(tasks.as_slice(), [Task::Announce { .. }]), "{tasks:?}");
    go_on.add_permits(100);
    let overtaken = overtaken.await.unwrap().unwrap();
    assert_eq!((overtaken.own_seq, overtaken.message), (0, sent.message));
    assert_eq!(queue.take(), tasks);
    assert_eq!(own_inbox(&friends).await, [""; 0]);
}
