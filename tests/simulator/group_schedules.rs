//! Changes of one group side by side: two admins and the owner who all want something at once, whose functions die between any two
//! calls, lose answers, are held up for long and are repeated; a queue that fails; a reader that gives up any hole at any moment.
//! Whatever happened, once a worker has finished the last change, as its task asks, the group is what its log says, and so are all of
//! its rows.
//!
//! How a failure is told and kept, [`property`](crate::property) says.
//!
//! A check that cannot fail is worthless. These bugs were planted in the store, one at a time, and taken out again, with
//! `WIGWAG_SCHEDULE_SEED=1000 WIGWAG_SCHEDULES=16` beside the fixed seeds. The guards against writers that come late are found by
//! `a_helper_that_comes_late_changes_nothing`, which holds them up at the right call; these seeds do not find them. The seeds were
//! counted when somebody who changed the group finished what was left, and no worker.
//!
//! | Bug | Of 40 seeds, find it |
//! |---|---|
//! | `no_lock`: a change is written down whatever the version | 4, and the late helper |
//! | `facts_first`: what a change is judged by is read before the group's item | 1 |
//! | `seal_is_fine`: an announcement that met a seal is passed over | 5 |
//! | `own_left`: a range ends with the seq first agreed on, not with the one that stands | 2 |
//! | `rows_after_end`: who leaves has a row that says so only once the change is finished | 28, and the late helper |
//! | `end_before_queue`: a change is finished before its tasks are in the queue | 9 |
//! | `queue_failure_passed_over`: tasks that could not be enqueued are forgotten | 5 |
//! | `no_row_guard`: an older row of a shard replaces a newer one | 0, but the late helper |
//! | `no_membership_guard`: the same with a user's row | 0, but the late helper |
//! | `no_settings_guard`: the same with the settings | 0, but the late helper |

use crate::dice::Dice;
use crate::harness::{Collected, Engine, LATER, NOW};
use crate::property::{Property, Run};
use crate::scheduler::{Effect, Fate, Scheduler};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use wigwag_protocol::http::Role;
use wigwag_protocol::pb::{GroupChangeType, Message};
use wigwag_store::fanout::{Task, TaskQueue};
use wigwag_store::groups::{ChangeError, Changed, Membership, NewGroup, ShardMember, Wanted};
use wigwag_store::send::MessagesFrom;
use wigwag_store::timeline::{Content, Range};
use wigwag_store::{GroupId, Store, StoreError, TimelineId, UserId};

const GROUP: GroupId = 77;
const USERS: UserId = 4;
/// Wishes of each actor.
const WISHES: usize = 5;
/// Processes that are held up at once.
const HELD_UP: usize = 4;
/// Attempts at one wish while there are faults.
const TRIES: u32 = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Attempt { actor: usize, wish: usize, number: u32 },
    Reader(u32),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt { actor, wish, number } => write!(f, "actor {actor} wish {wish} try {number}"),
            Self::Reader(number) => write!(f, "reader {number}"),
        }
    }
}

enum End {
    Change(Result<Changed, ChangeError>),
    Read,
}

/// A queue that every few times fails, after it took what it was given or before.
#[derive(Clone)]
struct Flaky {
    queue: Collected,
    calls: std::sync::Arc<AtomicU32>,
    every: u32,
}

impl TaskQueue for Flaky {
    async fn enqueue(&self, tasks: &[Task]) -> Result<(), StoreError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let fails = self.every > 0 && call % self.every == self.every - 1;
        if !fails || call.is_multiple_of(2) {
            self.queue.enqueue(tasks).await?;
        }
        if fails {
            return Err(StoreError::Throttled {
                operation: "SendMessageBatch",
            });
        }
        Ok(())
    }
}

/// Somebody who wants one thing after the other.
struct Actor {
    user: UserId,
    wishes: Vec<Wanted>,
    at: usize,
    tries: u32,
}

struct World {
    dice: Dice,
    store: Store,
    queue: Flaky,
    scheduler: Scheduler<Name, End>,
    actors: Vec<Actor>,
    reads: u32,
    /// Those that get no turn for long, most of them until everybody else is done.
    held_up: Vec<Name>,
    /// Steps, in percent, in which a reader gives up every hole.
    impatience: u32,
    /// Calls that fail, in percent.
    losses: u32,
    /// Steps in which somebody is killed, in percent.
    deaths: u32,
    /// Changes that were answered as made by whoever asked.
    made: usize,
    errors: Vec<String>,
}

fn wish(dice: &mut Dice) -> Wanted {
    let mut user = || dice.random_range(1..=USERS);
    let (one, other) = (user(), user());
    match dice.random_range(0..16) {
        0..4 => Wanted::Add(vec![one, other]),
        4..7 => Wanted::Remove(vec![one, other]),
        7 => Wanted::Remove(vec![one]),
        8 => Wanted::Leave,
        9 => Wanted::Rename(format!("name {}", dice.random_range(0..100))),
        10 => Wanted::Role(one, [Role::Admin, Role::Member][dice.random_range(0..2)]),
        11 => Wanted::HandOver(one),
        12 => Wanted::MuteMember(one, [0, LATER][dice.random_range(0..2)]),
        13 => Wanted::Mute(dice.random_ratio(1, 2)),
        14 => Wanted::OpenHistory(dice.random_ratio(1, 2)),
        _ if dice.random_ratio(1, 3) => Wanted::Dissolve,
        _ => Wanted::BecomeSuper,
    }
}

impl World {
    async fn new(mut dice: Dice, engine: &Engine) -> Self {
        for user in 1..=USERS {
            engine.user(user).await;
        }
        let (store, collected) = (engine.store(), Collected::default());
        let new = NewGroup {
            name: "group".to_owned(),
            users: vec![2, 3],
            super_group: dice.seed().is_multiple_of(5),
            open_history: false,
            request: None,
        };
        store
            .create_group(&collected, GROUP, 1, &new, MessagesFrom::Anyone, NOW)
            .await
            .unwrap();
        for admin in [2, 3] {
            let wanted = Wanted::Role(admin, Role::Admin);
            store
                .change_group(&collected, GROUP, 1, &wanted, MessagesFrom::Anyone, NOW)
                .await
                .unwrap();
        }
        let scheduler = Scheduler::new(engine.clone());
        let actors = (1..=3).map(|user| Actor {
            user,
            wishes: (0..WISHES).map(|_| wish(&mut dice)).collect(),
            at: 0,
            tries: 0,
        });
        let actors = actors.collect();
        Self {
            store: scheduler.store(),
            queue: Flaky {
                queue: collected,
                calls: std::sync::Arc::default(),
                every: [0, 3, 4][dice.random_range(0..3)],
            },
            scheduler,
            actors,
            reads: 0,
            held_up: Vec::new(),
            impatience: [0, 2, 6][dice.random_range(0..3)],
            losses: [0, 5, 20][dice.random_range(0..3)],
            deaths: [0, 2, 5][dice.random_range(0..3)],
            made: 0,
            errors: Vec::new(),
            dice,
        }
    }

    fn run(&mut self) {
        for _ in 0..3_000 {
            if self.actors.iter().all(|actor| actor.at == WISHES) || !self.dice.next_step() {
                break;
            }
            self.step();
        }
        self.dice.end();
        self.scheduler.note(&"the faults stop");
        self.queue.every = 0;
        self.run_out();
    }

    fn step(&mut self) {
        match self.dice.random_range(0..100) {
            0..8 => self.attempt(),
            // Whoever has several calls waiting, all the more.
            8 if self.held_up.len() < HELD_UP => {
                let name = self.scheduler.waiting().choose(&mut self.dice).copied();
                self.held_up.extend(name);
            }
            9 if self.dice.random_ratio(1, 4) => self.held_up.clear(),
            _ if self.dice.random_range(0..100) < self.impatience => self.read(),
            _ if self.dice.random_range(0..100) < self.deaths => {
                if let Some(&name) = self.scheduler.running().choose(&mut self.dice) {
                    self.scheduler.kill(name, &mut self.dice);
                }
            }
            _ => self.grant(),
        }
        self.judge();
    }

    /// Gives a call its turn; not to those that are held up.
    fn grant(&mut self) {
        let fate = match self.dice.random_range(0..100) < self.losses {
            true if self.dice.random_ratio(1, 4) => Fate::Throttled,
            true => Fate::Lost(Effect::any(&mut self.dice)),
            false => Fate::Done,
        };
        let waiting = self.scheduler.waiting();
        let places: Vec<usize> = (0..waiting.len())
            .filter(|&place| !self.held_up.contains(&waiting[place]))
            .collect();
        if let Some(&place) = places.choose(&mut self.dice) {
            self.scheduler.grant(place, fate);
        }
    }

    /// Starts an actor's wish, or tries it again; up to four attempts of one actor run at once.
    fn attempt(&mut self) {
        let actor = self.dice.random_range(0..self.actors.len());
        let running = self.scheduler.running();
        let its_own = |name: &&Name| matches!(name, Name::Attempt { actor: its, .. } if *its == actor);
        let it = &mut self.actors[actor];
        if it.at == WISHES || running.iter().filter(its_own).count() > 3 {
            return;
        }
        it.tries += 1;
        if it.tries > TRIES {
            (it.at, it.tries) = (it.at + 1, 0);
            return;
        }
        let name = Name::Attempt {
            actor,
            wish: it.at,
            number: it.tries,
        };
        let (store, queue, user, wanted) = (
            self.store.clone(),
            self.queue.clone(),
            it.user,
            it.wishes[it.at].clone(),
        );
        self.scheduler.note(&format_args!("{name}: {wanted:?}"));
        self.scheduler.start(name, async move {
            End::Change(
                store
                    .change_group(&queue, GROUP, user, &wanted, MessagesFrom::Anyone, NOW)
                    .await,
            )
        });
    }

    /// Gives up every hole in the log.
    fn read(&mut self) {
        self.reads += 1;
        let store = self.store.clone();
        self.scheduler.start(Name::Reader(self.reads), async move {
            let _ = store.read(&TimelineId::group(GROUP), ALL, LATER).await;
            End::Read
        });
    }

    fn run_out(&mut self) {
        self.finish_without(|name, held_up| held_up.contains(&name));
        self.finish_without(|_, _| false);
    }

    /// Gives all calls their turns, until none is left but those of whom is held up.
    fn finish_without(&mut self, is_held_up: impl Fn(Name, &[Name]) -> bool) {
        loop {
            let waiting = self.scheduler.waiting();
            let places: Vec<usize> = (0..waiting.len())
                .filter(|&place| !is_held_up(waiting[place], &self.held_up))
                .collect();
            let Some(&place) = places.choose(&mut self.dice) else {
                return;
            };
            self.scheduler.grant(place, Fate::Done);
            self.judge();
        }
    }

    fn judge(&mut self) {
        for (name, end) in self.scheduler.take_ended() {
            let End::Change(result) = end else { continue };
            self.scheduler.note(&format_args!("{name}: {result:?}"));
            match result {
                Err(ChangeError::Store(error)) if !error.is_retryable() => self.errors.push(format!("{name}: {error}")),
                Err(ChangeError::Store(_)) => {}
                result => {
                    self.made += usize::from(result.is_ok_and(|changed| !changed.changed.is_empty()));
                    let Name::Attempt { actor, wish, .. } = name else {
                        continue;
                    };
                    let it = &mut self.actors[actor];
                    if it.at == wish {
                        (it.at, it.tries) = (wish + 1, 0);
                    }
                }
            }
        }
    }
}

const ALL: Range = Range {
    after: 0,
    through: None,
    limit: 1000,
};

/// What the log says of the group, told from its start.
#[derive(Debug, Default)]
struct Told {
    name: String,
    roles: BTreeMap<UserId, Role>,
    muted_until_ms: BTreeMap<UserId, i64>,
    /// Of each user, the seqs of the messages that they came with and went with.
    stays: BTreeMap<UserId, Vec<(u64, Option<u64>)>>,
    muted: bool,
    open_history: bool,
    super_from: Option<u64>,
    dissolved_at: Option<u64>,
    owner: UserId,
}

impl Told {
    fn hear(&mut self, seq: u64, message: &Message) -> Option<String> {
        let change = message.group_change.clone().unwrap_or_default();
        let users = change.user_ids.clone();
        if self.dissolved_at.is_some() {
            return Some(format!("{seq} comes after the end of the group"));
        }
        match change.r#type() {
            GroupChangeType::Created | GroupChangeType::MembersAdded => {
                if change.r#type() == GroupChangeType::Created {
                    (self.name, self.owner) = (change.name, message.sender_id);
                    self.super_from = change.super_group.then_some(0);
                }
                for user in users {
                    let role = if user == self.owner { Role::Owner } else { Role::Member };
                    if self.roles.insert(user, role).is_some() {
                        return Some(format!("{seq} adds {user}, who is in the group"));
                    }
                    self.stays.entry(user).or_default().push((seq, None));
                }
            }
            GroupChangeType::MembersRemoved | GroupChangeType::MemberLeft => {
                let left = if users.is_empty() {
                    vec![message.sender_id]
                } else {
                    users
                };
                for user in left {
                    if self.roles.remove(&user).is_none_or(|role| role == Role::Owner) {
                        return Some(format!("{seq} removes {user}, who is not in the group, or owns it"));
                    }
                    self.stays.get_mut(&user)?.last_mut()?.1 = Some(seq);
                }
            }
            GroupChangeType::Renamed => self.name = change.name,
            GroupChangeType::Role => {
                let role = if change.role == 2 { Role::Admin } else { Role::Member };
                self.roles.insert(users[0], role);
            }
            GroupChangeType::HandedOver => {
                self.roles.insert(message.sender_id, Role::Admin);
                self.roles.insert(users[0], Role::Owner);
                self.muted_until_ms.remove(&users[0]);
                self.owner = users[0];
            }
            GroupChangeType::MemberMuted | GroupChangeType::MemberUnmuted => {
                self.muted_until_ms.insert(users[0], change.until);
            }
            GroupChangeType::Muted => self.muted = true,
            GroupChangeType::Unmuted => self.muted = false,
            GroupChangeType::HistoryOpened => self.open_history = true,
            GroupChangeType::HistoryClosed => self.open_history = false,
            GroupChangeType::BecameSuper => self.super_from = Some(seq),
            GroupChangeType::Dissolved => self.dissolved_at = Some(seq),
            GroupChangeType::Unspecified => return Some(format!("{seq} says nothing")),
        }
        None
    }
}

/// What is broken once the last change is finished; nothing where all holds.
async fn violations(world: &World, engine: &Engine) -> Vec<String> {
    let mut errors = world.errors.clone();
    let store = engine.store();
    // Nobody changes the group any more, or looks at it: the workers finish what is unfinished.
    world.queue.queue.finish(&store, NOW + 30_000).await;
    let page = store
        .read(&TimelineId::group(GROUP), ALL, LATER)
        .await
        .unwrap()
        .unwrap();
    let (mut told, mut announced) = (Told::default(), BTreeSet::new());
    let mut versions = Vec::new();
    for (seq, entry) in &page.entries {
        let Content::Inline(bytes) = &entry.content else {
            panic!("a long announcement")
        };
        let message: Message = prost::Message::decode(bytes.as_slice()).unwrap();
        errors.extend(told.hear(*seq, &message));
        versions.push(message.session);
        announced.insert(*seq);
    }
    if page.cursor != page.max_seq {
        errors.push(format!("the log is not dense: {} of {}", page.cursor, page.max_seq));
    }
    let group = store.group(GROUP).await.unwrap().unwrap();
    let items = engine.items("directory");
    let info = items.iter().find(|item| item["sk"]["S"] == "info").unwrap();
    let version: u64 = info["version"]["N"].as_str().unwrap().parse().unwrap();
    // Who leaves a group that was dissolved tells nobody.
    let last = versions.last().copied().filter(|_| told.dissolved_at.is_some());
    if versions != (1..=last.unwrap_or(version)).collect::<Vec<_>>() {
        errors.push(format!("of {version} changes these are announced: {versions:?}"));
    }
    if world.made > versions.len() && told.dissolved_at.is_none() {
        errors.push(format!(
            "{} changes were made, {} announced",
            world.made,
            versions.len()
        ));
    }
    if info.get("change").is_some() {
        errors.push("a change is not finished".to_owned());
    }
    let enqueued: BTreeSet<u64> = world.queue.queue.take().iter().map(seq_of).collect();
    if !announced.is_subset(&enqueued) {
        errors.push(format!("announced {announced:?}, enqueued {enqueued:?}"));
    }
    if (&group.name, group.owner, group.members as usize) != (&told.name, told.owner, told.roles.len()) {
        errors.push(format!("told {told:?}, but there is {group:?}"));
    }
    let settings = group.settings;
    // Between the setting and the message that says so, others may have taken a seq.
    let from = |after: Option<u64>, told: Option<u64>| after.is_some() == told.is_some() && after <= told;
    if (settings.muted, settings.open_history) != (told.muted, told.open_history)
        || !from(settings.super_after, told.super_from)
        || !from(settings.dissolved_after, told.dissolved_at)
        || settings.shards != 1
    {
        errors.push(format!("told {told:?}, but the settings are {settings:?}"));
    }
    let shard = store.shard(GROUP, 0).await.unwrap();
    for user in 1..=USERS {
        let membership = store.membership(GROUP, user).await.unwrap();
        errors.extend(member(&told, user, membership.as_ref(), &shard));
    }
    errors
}

/// What does not agree of one user: the log, the user's row, the shard's rows.
fn member(told: &Told, user: UserId, membership: Option<&Membership>, shard: &[ShardMember]) -> Vec<String> {
    let mut errors = Vec::new();
    let stays = told.stays.get(&user).cloned().unwrap_or_default();
    let rows: Vec<_> = shard.iter().filter(|row| row.user == user).collect();
    let (stints, role, until) = membership.map_or((vec![], Role::Member, 0), |it| {
        (it.stints.clone(), it.role, it.muted_until_ms)
    });
    let ranges: Vec<_> = rows.iter().map(|row| row.stint).collect();
    if ranges != stints {
        errors.push(format!("user {user} has the ranges {stints:?}, the shard {ranges:?}"));
    }
    let agrees = stints.len() == stays.len()
        && stints.iter().zip(&stays).all(|(stint, (came, went))| {
            // Who leaves a group that was dissolved tells nobody.
            let left = stint
                .left
                .filter(|left| went.is_some() || told.dissolved_at.is_none_or(|end| *left < end));
            stint.joined_after < *came && left == *went
        });
    let apart = stints
        .windows(2)
        .all(|two| two[0].left.is_some_and(|left| left <= two[1].joined_after));
    if !agrees || !apart {
        errors.push(format!(
            "user {user} came and went at {stays:?}, but has the ranges {stints:?}"
        ));
    }
    let has_left_the_end = told.dissolved_at.is_some() && stints.last().is_some_and(|stint| stint.left.is_some());
    if let Some(expected) = told.roles.get(&user).filter(|_| !has_left_the_end) {
        let expected = (*expected, told.muted_until_ms.get(&user).copied().unwrap_or(0));
        let row = rows.last().map(|row| (row.role, row.muted_until_ms));
        if (role, until) != expected || row != Some(expected) {
            errors.push(format!(
                "user {user} should be {expected:?}, is {:?}, in the shard {row:?}",
                (role, until)
            ));
        }
    }
    errors
}

fn seq_of(task: &Task) -> u64 {
    match task {
        Task::Deliver { logged, .. } | Task::Announce { logged, .. } | Task::Dispatch { logged, .. } => {
            logged.conversation_seq()
        }
        Task::Finish { .. } | Task::Room { .. } => panic!("{task:?}"),
    }
}

fn property() -> Property<()> {
    Property {
        seeds: include_str!("seeds/group_schedules.txt"),
        fixed: 0..24,
        new: 8,
        sizes: vec![()],
        shrinking: 200,
        run,
    }
}

fn run(dice: Dice, (): ()) -> Run {
    let engine = Engine::start();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut world = runtime.block_on(World::new(dice, &engine));
    world.run();
    Run {
        violations: runtime.block_on(violations(&world, &engine)),
        trace: world.scheduler.into_trace(),
        record: world.dice.into_record(),
    }
}

#[test]
fn whoever_changes_a_group_at_once_and_dies_it_is_what_its_log_says() {
    property().check();
}

#[test]
fn a_seed_is_a_schedule_of_changes() {
    property().seeds_are_schedules(3..4);
}
