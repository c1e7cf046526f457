use crate::harness::{Collected, Engine, LATER, NOW, draft};
use wigwag_protocol::http::Role;
use wigwag_protocol::{Code, Encoding};
use wigwag_store::fanout::{Audience, Task, TaskQueue};
use wigwag_store::groups::{NewGroup, Wanted};
use wigwag_store::messages::HistoryRange;
use wigwag_store::send::{MessagesFrom, Refusal, SendError, SentToGroup};
use wigwag_store::{Store, StoreError, TimelineId, UserId};

const GROUP: u64 = 7;

/// User 1, who sends, is a plain member; user 2 owns the group.
struct World {
    engine: Engine,
    store: Store,
    queue: Collected,
}

const ALL: HistoryRange = HistoryRange {
    begin_seq: 0,
    end_seq: 0,
    limit: 100,
    descending: false,
};

impl World {
    async fn new() -> Self {
        let engine = Engine::start();
        for user in 1..=4 {
            engine.user(user).await;
        }
        let (store, queue) = (engine.store(), Collected::default());
        let new = NewGroup {
            name: "friends".to_owned(),
            users: vec![1, 3],
            super_group: false,
            open_history: false,
            request: None,
        };
        store
            .create_group(&queue, GROUP, 2, &new, MessagesFrom::Anyone, NOW)
            .await
            .unwrap();
        queue.take();
        Self { engine, store, queue }
    }

    async fn change(&self, actor: UserId, wanted: Wanted) {
        let changed = self
            .store
            .change_group(&self.queue, GROUP, actor, &wanted, MessagesFrom::Anyone, NOW)
            .await;
        changed.unwrap();
        self.queue.take();
    }

    async fn send(&self, client_id: u64, content: &str) -> Result<SentToGroup, SendError> {
        let draft = draft(client_id, content);
        self.store.send_to_group(&self.queue, &draft, GROUP, NOW).await
    }

    async fn sent(&self, client_id: u64, content: &str) -> SentToGroup {
        self.send(client_id, content).await.unwrap()
    }

    async fn refused(&self, client_id: u64, content: &str) -> Code {
        refused(self.send(client_id, content).await).code
    }

    /// Contents of the group's log, but for the announcements, and where it ends. Nobody waits for a lease.
    async fn log(&self) -> (Vec<String>, u64) {
        let range = wigwag_store::timeline::Range {
            after: 0,
            through: None,
            limit: 100,
        };
        let log = TimelineId::group(GROUP);
        let page = self.store.read(&log, range, NOW).await.unwrap().unwrap();
        assert_eq!(page.cursor, page.max_seq, "nothing waits for a lease");
        let history = self
            .store
            .group_history(2, GROUP, ALL, Encoding::Json, NOW)
            .await
            .unwrap();
        let said = history
            .messages
            .into_iter()
            .filter(|message| message.group_change.is_none());
        let said = said.map(|message| String::from_utf8(message.content).unwrap());
        (said.collect(), page.cursor)
    }

    /// Contents of the sender's own inbox.
    async fn own(&self) -> Vec<String> {
        let page = self
            .store
            .inbox(1, 0, 100, Encoding::Json, LATER)
            .await
            .unwrap()
            .unwrap();
        let text = |content: Vec<u8>| String::from_utf8(content).unwrap();
        page.messages.into_iter().map(|message| text(message.content)).collect()
    }
}

fn refused(result: Result<SentToGroup, SendError>) -> Refusal {
    match result {
        Err(SendError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_message_stands_in_the_log_and_in_the_senders_inbox_and_its_task_is_in_the_queue() {
    let world = World::new().await;
    let sent = world.sent(1, "hi").await;
    assert_eq!(
        (sent.own_seq, sent.message.conversation_seq, sent.message.send_time),
        (1, 2, NOW)
    );
    assert_eq!(world.log().await, (vec!["hi".to_owned()], 2));
    assert_eq!(world.own().await, ["hi"]);
    let tasks = world.queue.take();
    let [
        Task::Deliver {
            group: GROUP,
            audience: Audience::Shard(0),
            logged,
            skip: Some(1),
        },
    ] = tasks.as_slice()
    else {
        panic!("{tasks:?}");
    };
    assert_eq!(logged.message, sent.message);
}

#[tokio::test]
async fn a_message_to_a_group_takes_five_calls() {
    let world = World::new().await;
    let (store, calls) = world.engine.counting_store();
    store
        .send_to_group(&world.queue, &draft(1, "hi"), GROUP, NOW)
        .await
        .unwrap();
    let expected = [("GetItem", 1), ("PutItem", 2), ("UpdateItem", 2)];
    assert_eq!(calls.take(), expected.map(|(name, count)| (name.to_owned(), count)));
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_enqueues_again() {
    let world = World::new().await;
    let first = world.sent(1, "hi").await;
    let tasks = world.queue.take();
    let again = world.sent(1, "hi").await;
    assert_eq!((first.own_seq, &first.message), (again.own_seq, &again.message));
    assert_eq!(world.queue.take(), tasks);
    assert_eq!(
        world.log().await,
        (vec!["hi".to_owned()], 3),
        "what the repeat reserved is sealed"
    );
    assert_eq!(world.refused(1, "ho").await, Code::CLIENT_ID_REUSED);
    assert_eq!(refused(world.send(3, "three").await).expected, Some(2));
}

#[tokio::test]
async fn a_failing_queue_fails_the_send_and_a_repeat_heals_it() {
    struct Broken;
    impl TaskQueue for Broken {
        async fn enqueue(&self, _: &[Task]) -> Result<(), StoreError> {
            Err(StoreError::Throttled {
                operation: "SendMessage",
            })
        }
    }
    let world = World::new().await;
    let result = world.store.send_to_group(&Broken, &draft(1, "hi"), GROUP, NOW).await;
    assert!(matches!(result, Err(SendError::Store(_))), "{result:?}");
    world.sent(1, "hi").await;
    assert_eq!(world.queue.take().len(), 1);
    assert_eq!(world.log().await.0, ["hi"]);
}

#[tokio::test]
async fn who_may_not_send_is_refused_and_the_number_is_still_to_be_used() {
    let world = World::new().await;
    world.change(2, Wanted::Mute(true)).await;
    assert_eq!(world.refused(1, "one").await, Code::GROUP_MUTED);
    world.change(2, Wanted::Mute(false)).await;
    world.change(2, Wanted::MuteMember(1, NOW + 1)).await;
    assert_eq!(world.refused(1, "one").await, Code::MEMBER_MUTED);
    world.change(2, Wanted::MuteMember(1, 0)).await;
    world.change(2, Wanted::Remove(vec![1])).await;
    assert_eq!(world.refused(1, "one").await, Code::NOT_A_MEMBER);
    world.change(2, Wanted::Add(vec![1])).await;
    world.sent(1, "one").await;
    world.change(2, Wanted::Dissolve).await;
    assert_eq!(world.refused(2, "two").await, Code::GROUP_DISSOLVED);
    assert_eq!(world.log().await.0, ["one"]);
    let unknown = world.store.send_to_group(&world.queue, &draft(2, "two"), 99, NOW).await;
    assert_eq!(refused(unknown).code, Code::NOT_A_MEMBER);
    assert_eq!(world.store.head(&TimelineId::group(99), true).await.unwrap(), None);
}

/// A hole that nobody fills sends everyone who is online to the log.
#[tokio::test]
async fn who_may_not_send_takes_no_seq_of_the_log() {
    let world = World::new().await;
    let seq = async || {
        let head = world.store.head(&TimelineId::group(GROUP), true).await.unwrap();
        head.unwrap().seq
    };
    let refused_without_a_seq = async |code: Code| {
        let before = seq().await;
        assert_eq!(world.refused(1, "one").await, code);
        assert_eq!(seq().await, before, "{code}");
    };
    world.change(2, Wanted::Mute(true)).await;
    refused_without_a_seq(Code::GROUP_MUTED).await;
    world.change(2, Wanted::Role(1, Role::Admin)).await;
    world.sent(1, "an admin may").await;
    world.change(2, Wanted::Mute(false)).await;
    world.change(2, Wanted::MuteMember(1, LATER)).await;
    let before = seq().await;
    assert_eq!(world.refused(2, "two").await, Code::MEMBER_MUTED);
    assert_eq!(seq().await, before);
    world.change(2, Wanted::MuteMember(1, 0)).await;
    world.sent(2, "two").await;
    world.change(2, Wanted::Remove(vec![1])).await;
    let before = seq().await;
    assert_eq!(world.refused(3, "three").await, Code::NOT_A_MEMBER);
    world.change(2, Wanted::Dissolve).await;
    let mut owners = draft(1, "too late");
    owners.key.sender = 2;
    let late = world.store.send_to_group(&world.queue, &owners, GROUP, NOW).await;
    assert_eq!(refused(late).code, Code::GROUP_DISSOLVED);
    assert_eq!(seq().await, before + 1, "the announcement's alone");
}

#[tokio::test]
async fn a_repeat_keeps_its_answer_whatever_became_of_the_sender_and_the_group() {
    let world = World::new().await;
    let first = world.sent(1, "hi").await;
    let tasks = world.queue.take();
    world.change(2, Wanted::Remove(vec![1])).await;
    assert_eq!(world.sent(1, "hi").await.message, first.message);
    assert_eq!(world.queue.take(), tasks);
    world.change(2, Wanted::BecomeSuper).await;
    world.change(2, Wanted::Dissolve).await;
    let again = world.sent(1, "hi").await;
    assert_eq!((again.own_seq, again.message), (first.own_seq, first.message));
    assert_eq!(
        world.queue.take(),
        tasks,
        "it was sent before the group became a super group"
    );
}

#[tokio::test]
async fn a_super_groups_message_is_announced_and_takes_no_seq_of_an_inbox() {
    let world = World::new().await;
    world.sent(1, "before").await;
    world.change(2, Wanted::BecomeSuper).await;
    world.queue.take();
    for _ in 0..2 {
        let sent = world.sent(2, "after").await;
        assert_eq!(sent.own_seq, 0);
        let tasks = world.queue.take();
        assert!(
            matches!(tasks.as_slice(), [Task::Announce { group: GROUP, .. }]),
            "{tasks:?}"
        );
    }
    assert_eq!(world.own().await, ["before"]);
    assert_eq!(world.log().await.0, ["before", "after"]);
}

#[tokio::test]
async fn a_message_that_another_seq_makes_a_super_groups_is_in_no_inbox() {
    let world = World::new().await;
    // Claimed, and nothing put; a reader gives its seq up; the group becomes a super group.
    let dead = world.engine.store_that_dies_after(3, false);
    let died = dead.send_to_group(&world.queue, &draft(1, "hi"), GROUP, NOW).await;
    assert!(died.is_err());
    let history = world.store.group_history(2, GROUP, ALL, Encoding::Json, LATER);
    history.await.unwrap();
    world.change(2, Wanted::BecomeSuper).await;
    world.queue.take();
    for _ in 0..2 {
        let sent = world.sent(1, "hi").await;
        assert_eq!(sent.own_seq, 0);
        let tasks = world.queue.take();
        assert!(
            matches!(tasks.as_slice(), [Task::Announce { group: GROUP, .. }]),
            "{tasks:?}"
        );
    }
    assert!(world.own().await.is_empty());
    assert_eq!(world.log().await.0, ["hi"]);
}

#[tokio::test]
async fn wherever_a_sender_dies_the_repeat_finishes_its_message() {
    for answer_lost in [false, true] {
        for calls in 0..7 {
            let world = World::new().await;
            let dead = world.engine.store_that_dies_after(calls, answer_lost);
            let first = dead.send_to_group(&world.queue, &draft(1, "hi"), GROUP, NOW).await;
            if calls % 2 == 0 {
                // The readers give up whatever is not written yet.
                let history = world.store.group_history(2, GROUP, ALL, Encoding::Json, LATER).await;
                history.unwrap();
                world.own().await;
            }
            world.queue.take();
            let again = world.sent(1, "hi").await;
            if let Ok(first) = first {
                assert_eq!(first.message, again.message);
            }
            assert_eq!(world.queue.take().len(), 1);
            world.sent(2, "ho").await;
            let history = world
                .store
                .group_history(2, GROUP, ALL, Encoding::Json, LATER)
                .await
                .unwrap();
            let said = history.messages.iter().filter(|message| message.group_change.is_none());
            let said: Vec<&[u8]> = said.map(|message| message.content.as_slice()).collect();
            assert_eq!(
                said,
                [b"hi", b"ho"],
                "dead after {calls} calls, answer lost: {answer_lost}"
            );
            assert_eq!(
                world.own().await,
                ["hi", "ho"],
                "dead after {calls} calls, answer lost: {answer_lost}"
            );
        }
    }
}

#[tokio::test]
async fn devices_send_to_users_and_groups_in_one_numbering() {
    let world = World::new().await;
    world.sent(1, "to the group").await;
    crate::harness::send(&world.store, &draft(2, "to user 2"))
        .await
        .unwrap();
    assert_eq!(world.refused(2, "to user 2").await, Code::CLIENT_ID_REUSED);
    world.sent(3, "to the group again").await;
    assert_eq!(world.own().await, ["to the group", "to user 2", "to the group again"]);
}

/// The attempt that is held up has looked at the group before it became a super group; the one that overtakes it is
/// accepted after.
#[tokio::test]
async fn an_attempt_that_was_overtaken_looks_at_the_group_again() {
    let world = World::new().await;
    let (held_up, go_on) = world.engine.store_held_up_after(2);
    let queue = Collected::default();
    let overtaken = tokio::spawn({
        let queue = queue.clone();
        async move { held_up.send_to_group(&queue, &draft(1, "hi"), GROUP, NOW).await }
    });
    while go_on.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    world.change(2, Wanted::BecomeSuper).await;
    let sent = world.sent(1, "hi").await;
    let tasks = world.queue.take();
    assert!(matches!(tasks.as_slice(), [Task::Announce { .. }]), "{tasks:?}");
    go_on.add_permits(100);
    let overtaken = overtaken.await.unwrap().unwrap();
    assert_eq!((overtaken.own_seq, overtaken.message), (0, sent.message));
    assert_eq!(queue.take(), tasks);
    assert_eq!(world.own().await, [""; 0]);
}
