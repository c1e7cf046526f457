use crate::harness::{Collected, Engine, LATER, NOW, draft};
use std::collections::BTreeSet;
use wigwag_protocol::http::Role;
use wigwag_protocol::pb::{GroupChange, GroupChangeType, Message};
use wigwag_protocol::{Code, Encoding};
use wigwag_store::fanout::{Audience, Task, TaskQueue};
use wigwag_store::groups::{ChangeError, Changed, NewGroup, ShardMember, Wanted};
use wigwag_store::messages::{History, HistoryRange};
use wigwag_store::send::MessagesFrom;
use wigwag_store::timeline::Missing;
use wigwag_store::{Store, StoreError, TimelineId, UserId};

const GROUP: u64 = 77;
const OWNER: UserId = 1;

/// A group in an engine with these users, and whatever its changes enqueue.
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

fn new(users: &[UserId]) -> NewGroup {
    NewGroup {
        name: "friends".to_owned(),
        users: users.to_vec(),
        super_group: false,
        open_history: false,
        request: None,
    }
}

impl World {
    /// With users 1 to `users`, and no group.
    async fn empty(users: UserId) -> Self {
        let engine = Engine::start();
        for user in 1..=users {
            engine.user(user).await;
        }
        Self {
            store: engine.store(),
            queue: Collected::default(),
            engine,
        }
    }

    /// A group of these users and the owner, user 1, among six.
    async fn with(members: &[UserId]) -> Self {
        let world = Self::empty(6).await;
        world.create(&new(members)).await.unwrap();
        world
    }

    async fn create(&self, new: &NewGroup) -> Result<(), ChangeError> {
        self.store
            .create_group(&self.queue, GROUP, OWNER, new, MessagesFrom::Anyone, NOW)
            .await
    }

    async fn change(&self, actor: UserId, wanted: Wanted) -> Result<Changed, ChangeError> {
        self.store
            .change_group(&self.queue, GROUP, actor, &wanted, MessagesFrom::Anyone, NOW)
            .await
    }

    async fn refused(&self, actor: UserId, wanted: Wanted) -> Code {
        match self.change(actor, wanted).await {
            Err(ChangeError::Refused(code) | ChangeError::RefusedFor(code, _)) => code,
            other => panic!("{other:?}"),
        }
    }

    async fn role(&self, user: UserId) -> Option<Role> {
        let membership = self.store.membership(GROUP, user).await.unwrap()?;
        membership.is_active().then_some(membership.role)
    }

    /// The ranges of a user, as their own row has them.
    async fn stints(&self, user: UserId) -> Vec<(u64, Option<u64>)> {
        let membership = self.store.membership(GROUP, user).await.unwrap();
        let stints = membership.map(|membership| membership.stints).unwrap_or_default();
        stints.iter().map(|stint| (stint.joined_after, stint.left)).collect()
    }

    async fn members(&self) -> Vec<UserId> {
        let (members, next) = self.store.members_of(GROUP, 0).await.unwrap();
        assert_eq!(next, None);
        members.iter().map(|member| member.user).collect()
    }

    async fn count(&self) -> u32 {
        self.store.group(GROUP).await.unwrap().unwrap().members
    }

    /// What the log announces, by seq.
    async fn announced(&self) -> Vec<(u64, GroupChangeType, Vec<UserId>)> {
        let log = TimelineId::group(GROUP);
        let range = wigwag_store::timeline::Range {
            after: 0,
            through: None,
            limit: 1000,
        };
        let Some(page) = self.store.read(&log, range, LATER).await.unwrap() else {
            return Vec::new();
        };
        let entries = page.entries.into_iter().map(|(seq, entry)| {
            let wigwag_store::timeline::Content::Inline(bytes) = entry.content else {
                panic!("an announcement is too long")
            };
            let message: Message = prost::Message::decode(bytes.as_slice()).unwrap();
            assert_eq!(message.conversation_seq, seq);
            let change = message.group_change.unwrap();
            (seq, change.r#type(), change.user_ids)
        });
        entries.collect()
    }

    async fn history(&self, user: UserId, wanted: HistoryRange) -> Result<History, ChangeError> {
        self.store.group_history(user, GROUP, wanted, Encoding::Json, NOW).await
    }

    /// The seqs that a user reads, page by page.
    async fn reads(&self, user: UserId, wanted: HistoryRange) -> Vec<u64> {
        let (mut wanted, mut seqs) = (wanted, Vec::new());
        loop {
            let page = self.history(user, wanted).await.unwrap();
            seqs.extend(page.messages.iter().map(|message| message.conversation_seq));
            match (page.has_more, wanted.descending) {
                (false, _) => return seqs,
                (true, _) if page.next_seq == 0 => panic!("more, but not where"),
                (true, true) => wanted.end_seq = page.next_seq,
                (true, false) => wanted.begin_seq = page.next_seq,
            }
        }
    }

    /// Seqs that others take, and give up.
    async fn talk(&self, seqs: u64) {
        let log = TimelineId::group(GROUP);
        let head = self
            .store
            .reserve(&log, seqs, Missing::Refuse, NOW)
            .await
            .unwrap()
            .unwrap();
        for seq in head.seq + 1 - seqs..=head.seq {
            self.store.seal(&log, seq, NOW).await.unwrap();
        }
    }
}

fn only(users: &[UserId]) -> Changed {
    Changed {
        changed: users.to_vec(),
        unchanged: vec![],
    }
}

fn said(task: &Task) -> &GroupChange {
    let (Task::Deliver { logged, .. } | Task::Announce { logged, .. } | Task::Dispatch { logged, .. }) = task else {
        panic!("{task:?}")
    };
    logged.message.group_change.as_ref().unwrap()
}

#[tokio::test]
async fn a_group_begins_with_its_members_and_says_so() {
    let world = World::with(&[2, 3]).await;
    let group = world.store.group(GROUP).await.unwrap().unwrap();
    assert_eq!(
        (group.name.as_str(), group.owner, group.members, group.max_seq),
        ("friends", OWNER, 3, 1)
    );
    assert_eq!((group.settings.version, group.settings.shards), (1, 1));
    assert_eq!(world.members().await, [1, 2, 3]);
    assert_eq!(
        [world.role(1).await, world.role(2).await],
        [Some(Role::Owner), Some(Role::Member)]
    );
    assert_eq!(world.announced().await, [(1, GroupChangeType::Created, vec![1, 2, 3])]);
    let tasks = world.queue.take();
    assert!(matches!(
        tasks.as_slice(),
        [Task::Deliver { group: GROUP, audience: Audience::Shard(0), logged, skip: None }] if logged.conversation_seq() == 1
    ));
    assert_eq!(said(&tasks[0]).name, "friends");
}

#[tokio::test]
async fn a_group_of_a_hundred_and_one_is_made_in_one_change() {
    let world = World::empty(101).await;
    let users: Vec<UserId> = (2..=101).collect();
    world.create(&new(&users)).await.unwrap();
    let members: Vec<ShardMember> = world.store.shard(GROUP, 0).await.unwrap();
    assert_eq!(members.len(), 101);
    assert!(
        members
            .iter()
            .enumerate()
            .all(|(place, member)| member.place == place as u64)
    );
    assert_eq!(world.count().await, 101);
}

#[tokio::test]
async fn a_group_with_an_unknown_user_or_a_taken_id_is_not_made() {
    let world = World::empty(3).await;
    let refused = |result| match result {
        Err(ChangeError::Refused(code) | ChangeError::RefusedFor(code, _)) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(world.create(&new(&[2, 99])).await), Code::USER_NOT_FOUND);
    assert_eq!(world.store.group(GROUP).await.unwrap(), None);
    let many: Vec<UserId> = (2..=102).collect();
    assert_eq!(refused(world.create(&new(&many)).await), Code::TOO_MANY_USERS);
    world.create(&new(&[2])).await.unwrap();
    let again = world
        .store
        .create_group(&world.queue, GROUP, 3, &new(&[]), MessagesFrom::Anyone, NOW)
        .await;
    assert_eq!(refused(again), Code::BUSY);
    assert_eq!(world.members().await, [1, 2]);
}

#[tokio::test]
async fn an_added_member_is_in_from_now_on_and_only_once() {
    let world = World::with(&[2]).await;
    world.talk(4).await;
    world.queue.take();
    let changed = world.change(OWNER, Wanted::Add(vec![3, 2, 3])).await.unwrap();
    assert_eq!((changed.changed, changed.unchanged), (vec![3], vec![2]));
    assert_eq!(world.stints(3).await, [(5, None)]);
    assert_eq!((world.members().await, world.count().await), (vec![1, 2, 3], 3));
    assert_eq!(
        world.announced().await[1..],
        [(6, GroupChangeType::MembersAdded, vec![3])]
    );
    assert_eq!(world.queue.take().len(), 1);
    let again = world.change(OWNER, Wanted::Add(vec![3])).await.unwrap();
    assert_eq!(again.unchanged, [3]);
    assert!(again.changed.is_empty() && world.queue.take().is_empty());
    assert_eq!(world.announced().await.len(), 2);
}

#[tokio::test]
async fn a_removed_members_range_ends_with_the_message_that_says_so() {
    let world = World::with(&[2, 3]).await;
    world.talk(2).await;
    assert_eq!(
        world.change(OWNER, Wanted::Remove(vec![3, 9])).await.unwrap().unchanged,
        [9]
    );
    assert_eq!(world.stints(3).await, [(0, Some(4))]);
    assert_eq!((world.members().await, world.count().await), (vec![1, 2], 2));
    assert_eq!(
        world.announced().await[1..],
        [(4, GroupChangeType::MembersRemoved, vec![3])]
    );
    let rows = world.store.shard(GROUP, 0).await.unwrap();
    let row = rows.iter().find(|row| row.user == 3).unwrap();
    assert!(
        row.stint.covers(4) && !row.stint.covers(5),
        "the row stays, for tasks that come late"
    );
}

#[tokio::test]
async fn who_comes_back_has_the_place_they_had_and_a_range_of_their_own() {
    let world = World::with(&[2]).await;
    assert_eq!(world.change(2, Wanted::Leave).await.unwrap(), only(&[2]));
    world.talk(3).await;
    world.change(OWNER, Wanted::Add(vec![2])).await.unwrap();
    assert_eq!(world.stints(2).await, [(0, Some(2)), (5, None)]);
    let rows = world.store.shard(GROUP, 0).await.unwrap();
    let places: Vec<_> = rows.iter().map(|row| (row.user, row.place)).collect();
    assert_eq!(places, [(1, 0), (2, 1), (2, 1)]);
    let stints: Vec<_> = rows[1..]
        .iter()
        .map(|row| (row.stint.joined_after, row.stint.left))
        .collect();
    assert_eq!(stints, [(0, Some(2)), (5, None)]);
    assert_eq!(world.members().await, [1, 2]);
    assert_eq!(world.change(9, Wanted::Leave).await.unwrap().unchanged, [9]);
}

#[tokio::test]
async fn a_member_reads_their_ranges_and_nothing_between_them() {
    let world = World::with(&[2]).await;
    for _ in 0..3 {
        world.change(OWNER, Wanted::Add(vec![3])).await.unwrap();
        world.change(OWNER, Wanted::Add(vec![4])).await.unwrap();
        world.change(OWNER, Wanted::Remove(vec![3])).await.unwrap();
        world.change(OWNER, Wanted::Remove(vec![4])).await.unwrap();
    }
    let entitled = [2, 3, 4, 6, 7, 8, 10, 11, 12];
    for limit in [1, 2, 100] {
        let up = HistoryRange { limit, ..ALL };
        let down = HistoryRange { descending: true, ..up };
        assert_eq!(world.reads(3, up).await, entitled);
        assert_eq!(
            world.reads(3, down).await,
            entitled.into_iter().rev().collect::<Vec<_>>()
        );
    }
    let middle = HistoryRange {
        begin_seq: 4,
        end_seq: 7,
        ..ALL
    };
    assert_eq!(world.reads(3, middle).await, [4, 6, 7]);
    assert_eq!(world.history(3, ALL).await.unwrap().max_seq, 12);
    assert_eq!(world.history(OWNER, ALL).await.unwrap().max_seq, 13);
    let between = HistoryRange {
        begin_seq: 5,
        end_seq: 5,
        ..ALL
    };
    let empty = world.history(3, between).await.unwrap();
    assert_eq!((empty.messages.len(), empty.next_seq, empty.has_more), (0, 0, false));
    match world.history(9, ALL).await {
        Err(ChangeError::Refused(Code::NOT_A_MEMBER)) => {}
        other => panic!("{other:?}"),
    }
}

/// By the counter alone nobody could tell: a seq that is taken and given up raises it, too.
#[tokio::test]
async fn the_last_page_says_so_to_who_has_left_and_to_all_once_the_group_is_dissolved() {
    let world = World::with(&[2, 3]).await;
    let ended = async |user, wanted| world.history(user, wanted).await.unwrap().ended;
    assert!(!ended(3, ALL).await, "they are in it");
    world.change(OWNER, Wanted::Remove(vec![3])).await.unwrap();
    assert!(ended(3, ALL).await && !ended(2, ALL).await);
    let from = |begin_seq| HistoryRange { begin_seq, ..ALL };
    assert!(ended(3, from(3)).await, "asked for what comes after the end");
    let one = HistoryRange { limit: 1, ..ALL };
    assert!(!ended(3, one).await, "there is another page");
    let to_one = HistoryRange { end_seq: 1, ..ALL };
    assert!(!ended(3, to_one).await, "no more was asked for");
    world.change(OWNER, Wanted::Add(vec![3])).await.unwrap();
    assert!(!ended(3, ALL).await, "they are back");

    world.change(OWNER, Wanted::Dissolve).await.unwrap();
    world.talk(3).await;
    for user in [OWNER, 2, 3] {
        let page = world.history(user, ALL).await.unwrap();
        assert_eq!((page.ended, page.max_seq, page.members), (true, 7, 500));
    }
    let log = TimelineId::group(GROUP);
    world.store.reserve(&log, 1, Missing::Refuse, NOW).await.unwrap();
    assert!(!ended(2, ALL).await, "something is being written");
}

#[tokio::test]
async fn an_open_history_is_read_from_the_start_by_members_alone() {
    let world = World::with(&[2]).await;
    world.change(OWNER, Wanted::Add(vec![3, 4])).await.unwrap();
    world.change(OWNER, Wanted::Remove(vec![4])).await.unwrap();
    assert_eq!(world.reads(3, ALL).await, [2, 3]);
    world.change(OWNER, Wanted::OpenHistory(true)).await.unwrap();
    assert_eq!(world.reads(3, ALL).await, [1, 2, 3, 4]);
    assert_eq!(world.reads(4, ALL).await, [2, 3]);
    world.change(OWNER, Wanted::OpenHistory(false)).await.unwrap();
    assert_eq!(world.reads(3, ALL).await, [2, 3, 4, 5]);
}

/// What there is to see of a group from outside: its name, who is in it as what and muted until when, its settings.
type Seen = (String, Vec<(UserId, Role, i64)>, [bool; 4]);

impl World {
    async fn seen(&self) -> Seen {
        let group = self.store.group(GROUP).await.unwrap().unwrap();
        let mut members = Vec::new();
        for user in 1..=9 {
            let membership = self.store.membership(GROUP, user).await.unwrap();
            let active = membership.filter(wigwag_store::groups::Membership::is_active);
            members.extend(active.map(|it| (user, it.role, it.muted_until_ms)));
        }
        let settings = group.settings;
        let (is_super, is_dissolved) = (settings.super_after.is_some(), settings.dissolved_after.is_some());
        (
            group.name,
            members,
            [settings.muted, settings.open_history, is_super, is_dissolved],
        )
    }

    /// Nothing is half-done: the rows agree, each change is announced once, in order, and is in the queue.
    async fn assert_whole(&self, what: &str) {
        let (_, members, _) = self.seen().await;
        let mut rows: Vec<_> = self.store.shard(GROUP, 0).await.unwrap();
        rows.retain(|row| row.stint.left.is_none());
        rows.sort_by_key(|row| row.user);
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row.user, row.role, row.muted_until_ms))
            .collect();
        assert_eq!(rows, members, "{what}");
        assert_eq!(self.count().await as usize, members.len(), "{what}");
        let items = self.engine.items("directory");
        let info = items.iter().find(|item| item["sk"]["S"] == "info").unwrap();
        assert!(
            info.get("change").is_none() && info.get("change_seq").is_none(),
            "{what}"
        );
        let announced: Vec<u64> = self.announced().await.iter().map(|(seq, ..)| *seq).collect();
        assert_eq!(
            info["version"]["N"],
            announced.len().to_string(),
            "{what}: {announced:?}"
        );
        let enqueued: BTreeSet<u64> = self.queue.take().iter().map(seq_of).collect();
        assert_eq!(enqueued.into_iter().collect::<Vec<_>>(), announced, "{what}");
    }
}

fn seq_of(task: &Task) -> u64 {
    match task {
        Task::Deliver { logged, .. } | Task::Announce { logged, .. } | Task::Dispatch { logged, .. } => {
            logged.conversation_seq()
        }
        Task::Finish { .. } | Task::Room { .. } => panic!("{task:?}"),
    }
}

fn wishes() -> [Wanted; 8] {
    [
        Wanted::Add(vec![4, 5]),
        Wanted::Remove(vec![2, 3]),
        Wanted::Role(2, Role::Admin),
        Wanted::HandOver(2),
        Wanted::MuteMember(2, LATER),
        Wanted::OpenHistory(true),
        Wanted::BecomeSuper,
        Wanted::Dissolve,
    ]
}

/// A function that dies after its `n`th call, for every `n`: whoever comes next finishes what it began, and a repeat makes it
/// where it had not begun.
#[tokio::test]
async fn a_change_that_died_half_way_is_finished_by_the_next_one() {
    for wanted in wishes() {
        let world = World::with(&[2, 3]).await;
        let before = world.seen().await;
        world.change(OWNER, wanted.clone()).await.unwrap();
        let after = world.seen().await;
        assert_ne!(before, after);
        for answer_lost in [true, false] {
            for calls in 1.. {
                let what = format!("{wanted:?} dies after {calls} calls, answer lost: {answer_lost}");
                let world = World::with(&[2, 3]).await;
                let dying = world.engine.store_that_dies_after(calls, answer_lost);
                let died = dying
                    .change_group(&world.queue, GROUP, OWNER, &wanted, MessagesFrom::Anyone, NOW)
                    .await;
                assert_eq!(world.change(9, Wanted::Leave).await.unwrap().unchanged, [9], "{what}");
                world.assert_whole(&what).await;
                let seen = world.seen().await;
                assert!(seen == before || seen == after, "{what}: {seen:?}");
                let _ = world.change(OWNER, wanted.clone()).await;
                assert_eq!(world.seen().await, after, "{what}");
                if died.is_ok() {
                    assert!(calls > 7, "{what}");
                    break;
                }
            }
        }
    }
}

/// After every lease of a change that was made at `NOW`, and before `LATER`.
const LEFT: i64 = NOW + 30_000;

/// A function that dies after its `n`th call, for every `n`, and nobody follows: the worker's task finishes what it began, and nothing
/// where it had not begun. It leaves alone what may still be under way.
#[tokio::test]
async fn a_change_that_died_half_way_is_finished_by_the_worker() {
    let more = [
        Wanted::Rename("others".to_owned()),
        Wanted::Mute(true),
        Wanted::Role(3, Role::Admin),
        Wanted::Remove(vec![3]),
    ];
    for wanted in wishes().into_iter().chain(more) {
        let world = World::with(&[2, 3]).await;
        let before = world.seen().await;
        world.change(OWNER, wanted.clone()).await.unwrap();
        let (after, said) = (world.seen().await, world.announced().await);
        for answer_lost in [true, false] {
            for calls in 1.. {
                let what = format!("{wanted:?} dies after {calls} calls, answer lost: {answer_lost}");
                let world = World::with(&[2, 3]).await;
                let dying = world.engine.store_that_dies_after(calls, answer_lost);
                let died = dying
                    .change_group(&world.queue, GROUP, OWNER, &wanted, MessagesFrom::Anyone, NOW)
                    .await;
                let begun = world.store.group(GROUP).await.unwrap().unwrap().unfinished_since_ms;
                let left = (world.seen().await, world.announced().await);
                world.queue.finish(&world.store, NOW).await;
                assert_eq!((world.seen().await, world.announced().await), left, "{what}: too early");
                world.queue.finish(&world.store, LEFT).await;
                assert!(world.queue.take_finishes().is_empty(), "{what}");
                world.assert_whole(&what).await;
                if begun.is_some() || died.is_ok() {
                    assert_eq!(world.seen().await, after, "{what}");
                    let announced = world.announced().await;
                    let what_was_said = |said: &[(u64, GroupChangeType, Vec<UserId>)]| -> Vec<_> {
                        said.iter().map(|(_, change, users)| (*change, users.clone())).collect()
                    };
                    assert_eq!(what_was_said(&announced), what_was_said(&said), "{what}");
                } else {
                    assert_eq!(world.seen().await, left.0, "{what}");
                    assert!(left.0 == before || left.0 == after, "{what}");
                }
                if died.is_ok() {
                    break;
                }
            }
        }
    }
}

/// A change whose finishing cannot be promised does not begin.
#[tokio::test]
async fn a_change_does_not_begin_where_the_queue_does_not_take_its_task() {
    struct Broken;
    impl TaskQueue for Broken {
        async fn enqueue(&self, _: &[Task]) -> Result<(), StoreError> {
            Err(StoreError::Throttled {
                operation: "SendMessageBatch",
            })
        }
    }
    let world = World::with(&[2, 3]).await;
    let before = world.engine.items("directory");
    for wanted in wishes() {
        let changed = world
            .store
            .change_group(&Broken, GROUP, OWNER, &wanted, MessagesFrom::Anyone, NOW)
            .await;
        assert!(matches!(changed, Err(ChangeError::Store(_))), "{wanted:?}");
    }
    let made = world
        .store
        .create_group(&Broken, GROUP + 1, OWNER, &new(&[2]), MessagesFrom::Anyone, NOW)
        .await;
    assert!(matches!(made, Err(ChangeError::Store(_))));
    assert_eq!(world.engine.items("directory"), before);
}

/// Whoever was to begin a change died before; another made one of the same version much later: that one has a task of its own.
#[tokio::test]
async fn a_change_that_never_began_is_not_taken_for_the_one_in_its_place() {
    let world = World::with(&[2, 3]).await;
    world.queue.take_finishes();
    let dying = world.engine.store_that_dies_after(3, false);
    let add = Wanted::Add(vec![4]);
    let died = dying
        .change_group(&world.queue, GROUP, OWNER, &add, MessagesFrom::Anyone, NOW)
        .await;
    assert!(died.is_err());
    world.change(OWNER, Wanted::Mute(true)).await.unwrap();
    let ids: BTreeSet<String> = world.queue.take_finishes().iter().map(Task::deduplication).collect();
    let dying = world.engine.store_that_dies_after(3, true);
    let died = dying
        .change_group(
            &world.queue,
            GROUP,
            OWNER,
            &Wanted::Mute(false),
            MessagesFrom::Anyone,
            LATER,
        )
        .await;
    assert!(died.is_err());
    let again = world.queue.take_finishes();
    assert!(again.iter().all(|task| !ids.contains(&task.deduplication())));
}

/// What is said while an addition lies unfinished is not for who had no row by then.
#[tokio::test]
async fn who_is_added_late_reads_nothing_of_before() {
    let (mut without, mut with) = (0, 0);
    for super_group in [false, true] {
        for calls in 4..20 {
            let what = format!("super group: {super_group}, dies after {calls} calls");
            let world = World::empty(6).await;
            let group = NewGroup {
                super_group,
                ..new(&[2, 3])
            };
            world.create(&group).await.unwrap();
            let dying = world.engine.store_that_dies_after(calls, true);
            let add = Wanted::Add(vec![4, 5]);
            let died = dying
                .change_group(&world.queue, GROUP, OWNER, &add, MessagesFrom::Anyone, NOW)
                .await;
            let begun = world.store.group(GROUP).await.unwrap().unwrap().unfinished_since_ms;
            if begun.is_none() || died.is_ok() {
                continue;
            }
            let had_a_row = [
                world.store.membership(GROUP, 4).await.unwrap().is_some(),
                world.store.membership(GROUP, 5).await.unwrap().is_some(),
            ];
            for number in 1..=3 {
                let said = draft(number, "in between");
                world
                    .store
                    .send_to_group(&world.queue, &said, GROUP, NOW)
                    .await
                    .unwrap();
            }
            world.queue.finish(&world.store, LEFT).await;
            for (user, had_a_row) in [(4, had_a_row[0]), (5, had_a_row[1])] {
                let page = world.history(user, ALL).await.unwrap();
                let said = page.messages.iter().filter(|message| message.group_change.is_none());
                let expected = if had_a_row { 3 } else { 0 };
                assert_eq!(said.count(), expected, "{what}: {user}");
                let told = page.messages.iter().filter_map(|message| message.group_change.as_ref());
                let told = told.map(GroupChange::r#type);
                assert_eq!(
                    told.collect::<Vec<_>>(),
                    [GroupChangeType::MembersAdded],
                    "{what}: {user}"
                );
                *(if had_a_row { &mut with } else { &mut without }) += 1;
            }
            // The rows of users and shard agree.
            for row in world.store.shard(GROUP, 0).await.unwrap() {
                assert_eq!(
                    world.stints(row.user).await,
                    [(row.stint.joined_after, row.stint.left)],
                    "{what}"
                );
            }
        }
    }
    assert!(without > 2 && with > 2, "{without} {with}");
}

/// Two carry one addition out, and have looked at the log at different times: what the first of them wrote holds, in both rows.
#[tokio::test]
async fn all_who_carry_an_addition_out_agree_since_when_it_holds() {
    let turns = async || {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    };
    let world = World::with(&[2, 3]).await;
    // It has begun the change, and put no row.
    let (makers, maker_goes_on) = world.engine.store_held_up_after(5);
    let queue = world.queue.clone();
    let maker = tokio::spawn(async move {
        let add = Wanted::Add(vec![4]);
        makers
            .change_group(&queue, GROUP, OWNER, &add, MessagesFrom::Anyone, NOW)
            .await
    });
    turns().await;
    assert!(
        world
            .store
            .group(GROUP)
            .await
            .unwrap()
            .unwrap()
            .unfinished_since_ms
            .is_some()
    );
    world.talk(3).await;
    // It has found no row, and put none.
    let (workers, worker_goes_on) = world.engine.store_held_up_after(3);
    let queue = world.queue.clone();
    let worker = tokio::spawn(async move { workers.finish_left_change(&queue, GROUP, 2, NOW, LEFT).await });
    turns().await;
    maker_goes_on.add_permits(1);
    turns().await;
    assert_eq!(world.stints(4).await, [(1, None)], "the user's row alone");
    assert_eq!(world.members().await, [1, 2, 3]);
    worker_goes_on.add_permits(1000);
    worker.await.unwrap().unwrap();
    maker_goes_on.add_permits(1000);
    maker.await.unwrap().unwrap();
    let rows = world.store.shard(GROUP, 0).await.unwrap();
    let row = rows.iter().find(|row| row.user == 4).unwrap();
    assert_eq!((row.stint.joined_after, row.stint.left), (1, None));
    world.assert_whole("added by two").await;
}

/// A reader that is held up between any two of its calls, while the user is removed and others go on talking.
#[tokio::test]
async fn who_is_removed_while_they_read_reads_nothing_of_after() {
    for open_history in [false, true] {
        for calls in 0..5 {
            let world = World::empty(6).await;
            let group = NewGroup {
                open_history,
                ..new(&[2, 3])
            };
            world.create(&group).await.unwrap();
            let (slow, go_on) = world.engine.store_held_up_after(calls);
            let reading =
                tokio::spawn(async move { slow.group_history(2, GROUP, ALL, Encoding::Json, NOW).await.unwrap() });
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            world.change(OWNER, Wanted::Remove(vec![2])).await.unwrap();
            let said = draft(1, "after the removal");
            world
                .store
                .send_to_group(&world.queue, &said, GROUP, NOW)
                .await
                .unwrap();
            go_on.add_permits(1000);
            let page = reading.await.unwrap();
            let heard = page.messages.iter().filter(|message| message.group_change.is_none());
            assert_eq!(
                (heard.count(), page.max_seq < 3),
                (0, true),
                "held up after {calls} calls"
            );
            // The message of the removal is at 2, and theirs.
            assert_eq!(page.ended, page.max_seq == 2, "held up after {calls} calls");
        }
    }
}

#[tokio::test]
async fn a_change_that_is_asked_for_again_is_told_once() {
    let world = World::with(&[2, 3]).await;
    world.change(OWNER, Wanted::HandOver(2)).await.unwrap();
    assert_eq!(world.change(OWNER, Wanted::HandOver(2)).await.unwrap().unchanged, [2]);
    assert_eq!(world.refused(OWNER, Wanted::HandOver(3)).await, Code::ROLE_TOO_LOW);
    world.change(2, Wanted::MuteMember(3, NOW + 600_000)).await.unwrap();
    let again = Wanted::MuteMember(3, NOW + 620_000);
    assert_eq!(world.change(2, again).await.unwrap().unchanged, [3]);
    assert_eq!(world.announced().await.len(), 3);
}

/// And they could not be let speak again by anybody.
#[tokio::test]
async fn a_muted_member_who_becomes_the_owner_may_speak() {
    let world = World::with(&[2, 3]).await;
    world.change(OWNER, Wanted::MuteMember(2, LATER)).await.unwrap();
    world.change(OWNER, Wanted::HandOver(2)).await.unwrap();
    let owner = world.store.membership(GROUP, 2).await.unwrap().unwrap();
    assert_eq!((owner.role, owner.muted_until_ms), (Role::Owner, 0));
    world.assert_whole("handed over").await;
}

#[tokio::test]
async fn who_has_blocked_the_actor_is_not_added_and_all_of_them_are_named() {
    let world = World::with(&[2, 3]).await;
    for user in [3, 4, 5] {
        world.store.set_blocked(user, OWNER, true).await.unwrap();
    }
    match world.change(OWNER, Wanted::Add(vec![3, 4, 6, 5])).await {
        Err(ChangeError::RefusedFor(Code::BLOCKED, users)) => assert_eq!(users, [4, 5]),
        other => panic!("{other:?}"),
    }
    // Who is in the group already is not asked, nor is anybody for one who may not add.
    assert_eq!(world.change(OWNER, Wanted::Add(vec![3])).await.unwrap().unchanged, [3]);
    assert_eq!(world.refused(3, Wanted::Add(vec![4])).await, Code::ROLE_TOO_LOW);
    match world.create(&new(&[3, 99, 98])).await {
        Err(ChangeError::RefusedFor(Code::USER_NOT_FOUND, users)) => assert_eq!(users, [99, 98]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_same_request_makes_one_group_wherever_it_died() {
    for answer_lost in [true, false] {
        for calls in 1.. {
            let what = format!("dies after {calls} calls, answer lost: {answer_lost}");
            let world = World::empty(9).await;
            let request = NewGroup {
                request: Some("a".to_owned()),
                ..new(&[2, 3])
            };
            let dying = world.engine.store_that_dies_after(calls, answer_lost);
            let died = dying
                .create_group(&world.queue, GROUP, OWNER, &request, MessagesFrom::Anyone, NOW)
                .await;
            // A user has thought better of it; the group may stand by then.
            world.create(&request).await.unwrap();
            world.create(&request).await.unwrap();
            world.assert_whole(&what).await;
            assert_eq!(world.announced().await.len(), 1, "{what}");
            let other = NewGroup {
                request: Some("b".to_owned()),
                ..request.clone()
            };
            assert!(matches!(
                world.create(&other).await,
                Err(ChangeError::Refused(Code::BUSY))
            ));
            let by_another = world
                .store
                .create_group(&world.queue, GROUP, 2, &request, MessagesFrom::Anyone, NOW)
                .await;
            assert!(by_another.is_err(), "{what}");
            if died.is_ok() {
                break;
            }
        }
    }
}

/// And so it goes from the list of their groups.
#[tokio::test]
async fn a_dissolved_group_can_be_left() {
    let world = World::with(&[2, 3]).await;
    world.change(OWNER, Wanted::Dissolve).await.unwrap();
    let (said, count) = (world.announced().await, world.count().await);
    world.queue.take();
    for user in [OWNER, 2] {
        let of = async || world.store.groups_of(user, 0).await.unwrap().0;
        assert!(of().await[0].0.settings.dissolved_after.is_some());
        assert_eq!(world.change(user, Wanted::Leave).await.unwrap(), only(&[user]));
        assert_eq!(world.change(user, Wanted::Leave).await.unwrap().unchanged, [user]);
        assert!(of().await.is_empty());
        assert_eq!(world.reads(user, ALL).await, [1, 2], "what was said is theirs to read");
    }
    assert_eq!(world.members().await, [3]);
    assert_eq!(
        (world.announced().await, world.count().await),
        (said, count),
        "nobody is told"
    );
    assert!(world.queue.take().is_empty());
}

/// Nobody is told, and so nobody would miss it: what was begun is finished all the same.
#[tokio::test]
async fn who_died_while_leaving_a_dissolved_group_has_left_it_or_has_not() {
    for calls in 1.. {
        let world = World::with(&[2, 3]).await;
        world.change(OWNER, Wanted::Dissolve).await.unwrap();
        let dying = world.engine.store_that_dies_after(calls, true);
        let died = dying
            .change_group(&world.queue, GROUP, 2, &Wanted::Leave, MessagesFrom::Anyone, NOW)
            .await;
        let begun = world.store.group(GROUP).await.unwrap().unwrap().unfinished_since_ms;
        world.queue.finish(&world.store, LEFT).await;
        let stints = world.stints(2).await;
        let has_left = stints == [(0, Some(2))];
        assert!(
            has_left || stints == [(0, None)],
            "dies after {calls} calls: {stints:?}"
        );
        assert!(
            has_left || (begun.is_none() && died.is_err()),
            "dies after {calls} calls"
        );
        let rows = world.store.shard(GROUP, 0).await.unwrap();
        let row = rows.iter().find(|row| row.user == 2).unwrap();
        assert_eq!(
            [(row.stint.joined_after, row.stint.left)],
            *stints,
            "dies after {calls} calls"
        );
        if died.is_ok() {
            break;
        }
    }
}

/// The same users, again and again: they are in one shard, and each message is one task.
#[tokio::test]
async fn who_comes_and_goes_takes_no_place_anew() {
    let world = World::with(&[2]).await;
    for _ in 0..110 {
        world.change(OWNER, Wanted::Add(vec![3, 4])).await.unwrap();
        world.change(OWNER, Wanted::Remove(vec![3, 4])).await.unwrap();
    }
    world.change(OWNER, Wanted::Add(vec![3])).await.unwrap();
    let places: BTreeSet<u64> = world
        .store
        .shard(GROUP, 0)
        .await
        .unwrap()
        .iter()
        .map(|row| row.place)
        .collect();
    assert_eq!(places, BTreeSet::from([0, 1, 2, 3]));
    assert_eq!(world.store.group(GROUP).await.unwrap().unwrap().settings.shards, 1);
    world.queue.take();
    world.change(OWNER, Wanted::Mute(true)).await.unwrap();
    assert_eq!(world.queue.take().len(), 1);
    // The row has as many ranges as the user's own, and no more.
    let rows = world.store.shard(GROUP, 0).await.unwrap();
    let of_3 = rows
        .iter()
        .filter(|row| row.user == 3)
        .map(|row| (row.stint.joined_after, row.stint.left));
    assert_eq!(of_3.collect::<Vec<_>>(), world.stints(3).await);
    // A hundred ranges are read in full.
    assert_eq!(world.stints(3).await.len(), 100);
}

#[tokio::test]
async fn a_group_whose_maker_died_is_whole_or_is_not() {
    for answer_lost in [true, false] {
        for calls in 1.. {
            let what = format!("dies after {calls} calls, answer lost: {answer_lost}");
            let world = World::empty(9).await;
            let dying = world.engine.store_that_dies_after(calls, answer_lost);
            let died = dying
                .create_group(&world.queue, GROUP, OWNER, &new(&[2, 3]), MessagesFrom::Anyone, NOW)
                .await;
            match world.change(9, Wanted::Leave).await {
                Ok(_) => world.assert_whole(&what).await,
                Err(ChangeError::Refused(Code::GROUP_NOT_FOUND)) => {
                    assert!(world.announced().await.is_empty(), "{what}");
                    assert_eq!(world.stints(2).await, [], "{what}");
                }
                other => panic!("{what}: {other:?}"),
            }
            if died.is_ok() {
                break;
            }
        }
    }
}

/// Held up between two calls for as long as others take to make two more changes.
#[tokio::test]
async fn a_helper_that_comes_late_changes_nothing() {
    for wanted in wishes() {
        for calls in 3..9 {
            let world = World::with(&[2, 3]).await;
            let (held_up, go_on) = world.engine.store_held_up_after(calls);
            let late = tokio::spawn({
                let (queue, wanted) = (world.queue.clone(), wanted.clone());
                async move {
                    held_up
                        .change_group(&queue, GROUP, OWNER, &wanted, MessagesFrom::Anyone, NOW)
                        .await
                }
            });
            // All that it does before it is held up.
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            for wanted in [
                Wanted::Remove(vec![2, 3, 4]),
                Wanted::Add(vec![2, 4]),
                Wanted::MuteMember(2, LATER + 1),
                Wanted::OpenHistory(false),
            ] {
                let _ = world.change(OWNER, wanted).await;
            }
            let seen = world.seen().await;
            go_on.add_permits(1000);
            late.await.unwrap().unwrap();
            let what = format!("{wanted:?} is held up after {calls} calls");
            // Adding reads more before it begins. What has not begun is made now.
            if calls > 4 || !matches!(wanted, Wanted::Add(_)) {
                assert_eq!(world.seen().await, seen, "{what}");
            }
            world.assert_whole(&what).await;
        }
    }
}

#[tokio::test]
async fn what_a_change_may_not_be_is_refused_and_leaves_nothing() {
    let world = World::with(&[2, 3]).await;
    world.change(OWNER, Wanted::Role(2, Role::Admin)).await.unwrap();
    let before = (world.seen().await, world.announced().await);
    world.queue.take();
    let many: Vec<UserId> = (100..201).collect();
    for (actor, wanted, code) in [
        (9, Wanted::Add(vec![9]), Code::NOT_A_MEMBER),
        (3, Wanted::Add(vec![4]), Code::ROLE_TOO_LOW),
        (2, Wanted::Add(vec![4, 99]), Code::USER_NOT_FOUND),
        (2, Wanted::Add(many.clone()), Code::TOO_MANY_USERS),
        (2, Wanted::Remove(many), Code::TOO_MANY_USERS),
        (2, Wanted::Remove(vec![3, OWNER]), Code::OWNER_STAYS),
        (OWNER, Wanted::Leave, Code::OWNER_STAYS),
        (2, Wanted::HandOver(2), Code::ROLE_TOO_LOW),
        (OWNER, Wanted::HandOver(9), Code::MEMBER_NOT_FOUND),
        (2, Wanted::Dissolve, Code::ROLE_TOO_LOW),
    ] {
        assert_eq!(world.refused(actor, wanted.clone()).await, code, "{wanted:?}");
    }
    let unknown = world
        .store
        .change_group(&world.queue, 78, OWNER, &Wanted::Leave, MessagesFrom::Anyone, NOW)
        .await;
    assert!(matches!(unknown, Err(ChangeError::Refused(Code::GROUP_NOT_FOUND))));
    assert!(world.change(OWNER, Wanted::Add(vec![])).await.unwrap() == Changed::default());
    assert_eq!((world.seen().await, world.announced().await), before);
    assert!(world.queue.take().is_empty());
}

#[tokio::test]
async fn a_dissolved_group_stays_as_it_is_and_can_be_read() {
    let world = World::with(&[2]).await;
    world.change(OWNER, Wanted::Dissolve).await.unwrap();
    assert_eq!(world.change(OWNER, Wanted::Dissolve).await.unwrap(), Changed::default());
    for wanted in [Wanted::Add(vec![3]), Wanted::Mute(true)] {
        assert_eq!(world.refused(OWNER, wanted).await, Code::GROUP_DISSOLVED);
    }
    let settings = world.store.group(GROUP).await.unwrap().unwrap().settings;
    assert_eq!(settings.dissolved_after, Some(1));
    assert_eq!(world.reads(2, ALL).await, [1, 2]);
    world.assert_whole("dissolved").await;
}

#[tokio::test]
async fn a_change_that_was_left_is_finished_by_who_looks_at_the_group() {
    let world = World::with(&[2, 3]).await;
    let dying = world.engine.store_that_dies_after(4, false);
    let wanted = Wanted::Remove(vec![3]);
    let died = dying
        .change_group(&world.queue, GROUP, OWNER, &wanted, MessagesFrom::Anyone, NOW)
        .await;
    assert!(died.is_err());
    world.queue.take();
    let group = world.store.group(GROUP).await.unwrap().unwrap();
    assert!(!group.is_left_unfinished(NOW) && group.is_left_unfinished(LATER));
    world.store.finish_change(&world.queue, GROUP, LATER).await.unwrap();
    assert_eq!(world.queue.take().len(), 1);
    let group = world.store.group(GROUP).await.unwrap().unwrap();
    assert_eq!((group.members, group.unfinished_since_ms), (2, None));
    let removed = world.store.membership(GROUP, 3).await.unwrap().unwrap();
    assert!(!removed.is_active());
}

/// Wherever the change dies, a message that is sent before it is finished has a copy, or stands beyond what is said.
#[tokio::test]
async fn a_super_group_says_since_when_it_is_one() {
    let mut in_the_log_alone = 0;
    for calls in 3..7 {
        let world = World::with(&[2, 3]).await;
        let dying = world.engine.store_that_dies_after(calls, false);
        let died = dying
            .change_group(
                &world.queue,
                GROUP,
                OWNER,
                &Wanted::BecomeSuper,
                MessagesFrom::Anyone,
                NOW,
            )
            .await;
        assert!(died.is_err(), "after {calls} calls");
        let sent = world
            .store
            .send_to_group(&world.queue, &draft(1, "in between"), GROUP, NOW)
            .await
            .unwrap();
        world.queue.take();
        world.change(OWNER, Wanted::BecomeSuper).await.unwrap();
        let tasks = world.queue.take();
        let is_beyond = sent.message.conversation_seq > said(&tasks[0]).super_after;
        assert_eq!(is_beyond, sent.own_seq == 0, "after {calls} calls");
        in_the_log_alone += u32::from(is_beyond);
    }
    assert!(in_the_log_alone > 0);
}

/// The last message that every inbox gets says that no more will come that way; after it, those whom a change is about get it.
#[tokio::test]
async fn in_a_super_group_a_change_is_copied_to_those_whom_it_is_about() {
    let world = World::with(&[2, 3]).await;
    world.queue.take();
    world.change(OWNER, Wanted::BecomeSuper).await.unwrap();
    assert_eq!(
        world.change(OWNER, Wanted::BecomeSuper).await.unwrap(),
        Changed::default()
    );
    let settings = world.store.group(GROUP).await.unwrap().unwrap().settings;
    assert!(settings.is_super(2) && !settings.is_super(1));
    let tasks = world.queue.take();
    assert!(
        matches!(
            tasks.as_slice(),
            [Task::Deliver {
                audience: Audience::Shard(0),
                ..
            }]
        ),
        "{tasks:?}"
    );
    assert!(said(&tasks[0]).super_group);
    for (wanted, about) in [
        (Wanted::Add(vec![4, 5]), vec![4, 5]),
        (Wanted::Remove(vec![5]), vec![5]),
        (Wanted::Role(2, Role::Admin), vec![2]),
        (Wanted::MuteMember(4, LATER), vec![4]),
        (Wanted::HandOver(2), vec![2, 1]),
    ] {
        world.change(OWNER, wanted.clone()).await.unwrap();
        let tasks = world.queue.take();
        match tasks.as_slice() {
            [
                Task::Announce { shards, .. },
                Task::Deliver {
                    audience: Audience::Users(users),
                    ..
                },
            ] => {
                assert_eq!((shards.clone(), users), (0..1, &about), "{wanted:?}");
            }
            other => panic!("{wanted:?}: {other:?}"),
        }
    }
    for wanted in [
        Wanted::Mute(true),
        Wanted::Rename("others".to_owned()),
        Wanted::Dissolve,
    ] {
        world.change(2, wanted).await.unwrap();
        assert!(matches!(world.queue.take().as_slice(), [Task::Announce { .. }]));
    }
}

#[tokio::test]
async fn a_user_sees_the_groups_they_are_in_page_by_page() {
    let world = World::empty(2).await;
    for group in 1..=120 {
        let made = world
            .store
            .create_group(&world.queue, group, OWNER, &new(&[2]), MessagesFrom::Anyone, NOW)
            .await;
        made.unwrap();
        if group % 3 == 0 {
            let left = world
                .store
                .change_group(&world.queue, group, 2, &Wanted::Leave, MessagesFrom::Anyone, NOW)
                .await;
            left.unwrap();
        }
    }
    let (mut ids, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let (page, next) = world.store.groups_of(2, from).await.unwrap();
        assert!(
            page.iter()
                .all(|(group, membership)| group.id == membership.group && group.members == 2)
        );
        ids.extend(page.iter().map(|(group, _)| group.id));
        after = next;
    }
    assert_eq!(ids, (1..=120).filter(|id| id % 3 != 0).collect::<Vec<_>>());
}

#[tokio::test]
async fn members_fill_one_shard_after_the_other() {
    let users = 640;
    let world = World::empty(users).await;
    world.create(&new(&(2..=101).collect::<Vec<_>>())).await.unwrap();
    for first in (102..=users).step_by(100) {
        let added = (first..=users.min(first + 99)).collect();
        world.change(OWNER, Wanted::Add(added)).await.unwrap();
    }
    world.queue.take();
    world.change(OWNER, Wanted::Remove((450..550).collect())).await.unwrap();
    let shards: Vec<u32> = world
        .queue
        .take()
        .iter()
        .map(|task| match task {
            Task::Deliver {
                audience: Audience::Shard(shard),
                ..
            } => *shard,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(shards, [0, 1]);
    assert_eq!(world.store.shard(GROUP, 0).await.unwrap().len(), 500);
    assert_eq!(world.store.shard(GROUP, 1).await.unwrap().len(), 140);
    let (mut members, mut from) = (Vec::new(), Some(0));
    while let Some(place) = from {
        let (page, next) = world.store.members_of(GROUP, place).await.unwrap();
        members.extend(page.iter().map(|member| member.user));
        from = next;
    }
    assert_eq!(members, (1..450).chain(550..=users).collect::<Vec<_>>());
    assert_eq!(world.count().await, 540);
}
