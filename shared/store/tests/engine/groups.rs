use crate::harness::{Collected, Engine, LATER, NOW};
use std::collections::BTreeSet;
use wigwag_protocol::http::Role;
use wigwag_protocol::pb::{GroupChange, GroupChangeType, Message};
use wigwag_protocol::{Code, Encoding};
use wigwag_store::fanout::{Audience, Task};
use wigwag_store::groups::{ChangeError, Changed, NewGroup, ShardMember, Wanted};
use wigwag_store::messages::{History, HistoryRange};
use wigwag_store::timeline::Missing;
use wigwag_store::{Store, TimelineId, UserId};

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

    /// A group of these users and the owner, user 1, among nine.
    async fn with(members: &[UserId]) -> Self {
        let world = Self::empty(9).await;
        world.create(&new(members)).await.unwrap();
        world
    }

    async fn create(&self, new: &NewGroup) -> Result<(), ChangeError> {
        self.store.create_group(&self.queue, GROUP, OWNER, new, NOW).await
    }

    async fn change(&self, actor: UserId, wanted: Wanted) -> Result<Changed, ChangeError> {
        self.store.change_group(&self.queue, GROUP, actor, &wanted, NOW).await
    }

    async fn refused(&self, actor: UserId, wanted: Wanted) -> Code {
        match self.change(actor, wanted).await {
            Err(ChangeError::Refused(code)) => code,
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
        Err(ChangeError::Refused(code)) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(world.create(&new(&[2, 99])).await), Code::USER_NOT_FOUND);
    assert_eq!(world.store.group(GROUP).await.unwrap(), None);
    let many: Vec<UserId> = (2..=102).collect();
    assert_eq!(refused(world.create(&new(&many)).await), Code::TOO_MANY_USERS);
    world.create(&new(&[2])).await.unwrap();
    let again = world.store.create_group(&world.queue, GROUP, 3, &new(&[]), NOW).await;
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
async fn who_comes_back_has_a_new_place_and_a_range_of_their_own() {
    let world = World::with(&[2]).await;
    assert_eq!(world.change(2, Wanted::Leave).await.unwrap(), only(&[2]));
    world.talk(3).await;
    world.change(OWNER, Wanted::Add(vec![2])).await.unwrap();
    assert_eq!(world.stints(2).await, [(0, Some(2)), (5, None)]);
    let rows = world.store.shard(GROUP, 0).await.unwrap();
    let places: Vec<_> = rows.iter().map(|row| (row.user, row.place)).collect();
    assert_eq!(places, [(1, 0), (2, 1), (2, 2)]);
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

/// A function that dies after its `n`th call, for every `n`: whoever comes next finishes what it began.
#[tokio::test]
async fn a_change_that_died_half_way_is_finished_by_the_next_one() {
    let wishes = [
        Wanted::Add(vec![4, 5]),
        Wanted::Remove(vec![2, 3]),
        Wanted::Role(2, Role::Admin),
        Wanted::HandOver(2),
        Wanted::MuteMember(2, LATER),
        Wanted::Mute(true),
        Wanted::OpenHistory(true),
        Wanted::BecomeSuper,
        Wanted::Rename("others".to_owned()),
        Wanted::Dissolve,
    ];
    for wanted in wishes {
        let mut calls = 0;
        loop {
            calls += 1;
            let world = World::with(&[2, 3]).await;
            world.queue.take();
            let dying = world.engine.store_that_dies_after(calls, calls % 2 == 0);
            let died = dying.change_group(&world.queue, GROUP, OWNER, &wanted, NOW).await;
            // Whoever comes next: an owner whom the change may have made an admin, or the new one.
            world.queue.take();
            let _ = world.change(3, Wanted::Leave).await;
            finished(&world, &wanted, calls).await;
            if died.is_ok() {
                break;
            }
        }
        assert!(calls > 7, "{wanted:?} takes {calls} calls");
    }
}

/// The change is as if it had never begun, or as if nobody had died.
async fn finished(world: &World, wanted: &Wanted, calls: i64) {
    let announced = world.announced().await;
    let seqs: BTreeSet<u64> = announced.iter().map(|(seq, ..)| *seq).collect();
    assert_eq!(seqs.len(), announced.len());
    let what = format!("{wanted:?} after {calls}: {announced:?}");
    for (_, kind, _) in &announced {
        assert_eq!(
            announced.iter().filter(|(_, other, _)| other == kind).count(),
            1,
            "{what}"
        );
    }
    let mut active = Vec::new();
    for user in 1..=9 {
        if world.role(user).await.is_some() {
            active.push(user);
        }
    }
    let mut members = world.members().await;
    members.sort_unstable();
    assert_eq!(members, active, "{what}");
    assert_eq!(world.count().await as usize, active.len(), "{what}");
    let info = world.engine.items("directory");
    let info = info.iter().find(|item| item["sk"]["S"] == "info").unwrap();
    assert!(
        info.get("change").is_none() && info.get("change_seq").is_none(),
        "{what}"
    );
}
