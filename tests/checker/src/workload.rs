//! What happens until the faults stop: each device and each actor that changes groups draws its
//! actions from the seed.

use crate::device::raw::{Raw, SendManner};
use crate::device::sdk::Sdk;
use crate::device::{Recipient, TestDevice};
use crate::membership::Held;
use crate::population::Population;
use anyhow::Result;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use std::ops::Range as Span;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use wigwag_client::Range;
use wigwag_invariants::{Setting, Token};

/// The time between two actions of a device, in ms.
const BETWEEN: Span<u64> = 20..400;

/// The time between two changes of memberships by one actor, in ms.
const BETWEEN_CHANGES: Span<u64> = 200..1500;

/// How many groups that do not stay there is time for, one after the other.
const REPLACEMENTS: u64 = 8;

/// How long such a group stays an ordinary group, in ms.
const STAGE: Span<u64> = 1500..60_000;

/// The most groups that become super groups, and the most that are dissolved.
const REPLACED: usize = 6;

/// The time between two temporary settings, in ms.
const BETWEEN_SETTINGS: Span<u64> = 50..500;

/// How long to wait, in ms, before looking whether a temporary setting has met messages; and how
/// often to look.
const HELD: Span<u64> = 200..800;
const LOOKS: usize = 30;

/// How many messages a temporary setting is to meet, begun and answered while it is on.
const ANSWERS: usize = 3;

/// How long a device is away, in ms.
const AWAY: Span<u64> = 50..4000;

/// How long after sending a message a device is cut off, in ms. A message takes a few dozen.
const CUT_OFF: Span<u64> = 0..150;

/// How long an SDK device waits for answers before it does something else.
const WAIT: Duration = Duration::from_secs(2);

/// The most messages that an app queues at once.
const BURST: usize = 6;

/// Draws actions until the workload is over.
struct Actor {
    population: Arc<Population>,
    rng: StdRng,
    over: watch::Receiver<bool>,
}

/// What a device does next.
#[derive(Debug, Clone, Copy)]
enum Action {
    Send,
    Burst,
    /// Send to a group that the user is not in.
    SendAsStranger,
    /// Repeat a message that was answered already.
    Repeat,
    /// Send the same message twice at once, which clients seldom do.
    SendTwice,
    /// Be cut off with a message in flight.
    Crash,
    Leave,
    /// Empty the disk.
    Reinstall,
    Sync,
    Pull,
    Nothing,
}

/// The actions of an SDK device, with their weights.
const SDK_ACTIONS: [(Action, u32); 7] = [
    (Action::Send, 52),
    (Action::Burst, 12),
    (Action::SendAsStranger, 5),
    (Action::Crash, 10),
    (Action::Leave, 7),
    (Action::Reinstall, 2),
    (Action::Nothing, 12),
];

/// The actions of a raw device, with their weights.
const RAW_ACTIONS: [(Action, u32); 9] = [
    (Action::Send, 36),
    (Action::SendTwice, 10),
    (Action::SendAsStranger, 5),
    (Action::Repeat, 10),
    (Action::Crash, 7),
    (Action::Leave, 4),
    (Action::Sync, 10),
    (Action::Pull, 14),
    (Action::Nothing, 4),
];

/// Lets a device act until the workload is over, and returns it.
///
/// # Errors
/// The machine has no more threads.
pub(crate) async fn run_device(
    mut device: TestDevice,
    population: Arc<Population>,
    seed: u64,
    over: watch::Receiver<bool>,
) -> Result<TestDevice> {
    let mut actor = Actor::new(population, seed, device.participant().index, over);
    match &mut device {
        TestDevice::Sdk(sdk) => actor.run_sdk(sdk).await?,
        TestDevice::Raw(raw) => actor.run_raw(raw).await,
    }
    Ok(device)
}

/// Changes memberships until the workload is over.
pub(crate) async fn change_memberships(
    nth: usize,
    population: Arc<Population>,
    seed: u64,
    over: watch::Receiver<bool>,
) -> Result<()> {
    // Greater than the index of any device.
    let mut actor = Actor::new(population, seed, usize::MAX - nth, over);
    while actor.goes_on(BETWEEN_CHANGES).await {
        actor.population.memberships.change_any(&mut actor.rng).await;
    }
    Ok(())
}

/// Creates groups, one after the other, and makes each a super group or dissolves it after a while.
pub(crate) async fn replace_groups(
    fate: Setting,
    population: Arc<Population>,
    seed: u64,
    seconds: u64,
    over: watch::Receiver<bool>,
) -> Result<()> {
    let index = usize::MAX / 2 - usize::from(fate == Setting::Super);
    let mut actor = Actor::new(population, seed, index, over);
    let stage = (1000 * seconds / REPLACEMENTS).clamp(STAGE.start, STAGE.end);
    let stage = stage..stage + stage / 2;
    for _ in 0..REPLACED {
        let group = actor.population.create_group(false, false, &mut actor.rng).await?;
        let goes_on = actor.goes_on(stage.clone()).await;
        if fate == Setting::Dissolved {
            actor.population.memberships.close(group).await;
        }
        actor.population.set(group, fate, true).await?;
        if !goes_on {
            break;
        }
    }
    Ok(())
}

/// A setting that is turned on for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TemporarySetting {
    MutedGroup,
    MutedMember,
    OpenHistory,
}

/// Turns a setting on for a while, in one group after the other, until the workload is over. In the
/// end it is off everywhere.
pub(crate) async fn change_settings(
    temporary: TemporarySetting,
    population: Arc<Population>,
    seed: u64,
    over: watch::Receiver<bool>,
) -> Result<()> {
    let mut actor = Actor::new(population, seed, usize::MAX / 2 + 1 + temporary as usize, over);
    while actor.goes_on(BETWEEN_SETTINGS).await {
        let Some(held) = actor.population.memberships.hold_member(&mut actor.rng) else {
            continue;
        };
        let setting = match temporary {
            TemporarySetting::MutedGroup => Setting::Muted,
            TemporarySetting::MutedMember => Setting::MemberMuted(held.user),
            TemporarySetting::OpenHistory => Setting::OpenHistory,
        };
        if temporary != TemporarySetting::MutedMember {
            // The group must not be dissolved meanwhile, but the member may go.
            actor.population.memberships.release(&held);
        }
        actor.population.set(held.group, setting, true).await?;
        actor.wait_for_messages(&held, setting).await;
        actor.population.set(held.group, setting, false).await?;
        if temporary == TemporarySetting::MutedMember {
            actor.population.memberships.release(&held);
        }
    }
    Ok(())
}

impl Actor {
    fn new(population: Arc<Population>, seed: u64, index: usize, over: watch::Receiver<bool>) -> Self {
        let index = u64::try_from(index).unwrap_or(u64::MAX);
        // An odd factor gives actors of one run and of neighbouring seeds different numbers.
        let rng = StdRng::seed_from_u64(seed ^ index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self { population, rng, over }
    }

    /// Waits until a setting that was turned on has met some messages, or long enough.
    async fn wait_for_messages(&mut self, held: &Held, setting: Setting) {
        let since = self.population.memberships.recorder.now();
        let by = match setting {
            Setting::MemberMuted(user) => Some(user),
            _ => None,
        };
        for _ in 0..LOOKS {
            let goes_on = self.goes_on(HELD).await;
            let recorder = &self.population.memberships.recorder;
            let answered = recorder.answered(since, held.group, by);
            if !goes_on || answered >= ANSWERS {
                return;
            }
        }
    }

    async fn run_sdk(&mut self, device: &mut Sdk) -> Result<()> {
        let user = device.participant().user();
        while self.goes_on(BETWEEN).await {
            device.start().await?;
            match self.action(&SDK_ACTIONS) {
                Action::Burst => {
                    for _ in 0..self.rng.random_range(2..=BURST) {
                        self.queue(device).await;
                    }
                    device.answers(WAIT).await;
                }
                Action::SendAsStranger => {
                    if let Some(to) = self.foreign_group(user) {
                        let message = self.message();
                        device.send(to, message).await;
                        device.answers(WAIT).await;
                    }
                }
                Action::Crash => {
                    for _ in 0..self.rng.random_range(1..=3) {
                        self.queue(device).await;
                    }
                    device.answers(self.span(CUT_OFF)).await;
                    device.crash().await;
                    self.goes_on(AWAY).await;
                }
                Action::Leave => {
                    device.leave().await;
                    self.goes_on(AWAY).await;
                }
                Action::Reinstall => device.uninstall().await,
                Action::Nothing => {}
                _ => {
                    self.queue(device).await;
                    device.answers(WAIT).await;
                }
            }
        }
        Ok(())
    }

    async fn queue(&mut self, device: &mut Sdk) {
        let (to, message) = (self.recipient(device.participant().user()), self.message());
        device.send(to, message).await;
    }

    async fn run_raw(&mut self, device: &mut Raw) {
        let user = device.participant().user();
        while self.goes_on(BETWEEN).await {
            device.connect().await;
            let (to, message) = (self.recipient(user), self.message());
            match self.action(&RAW_ACTIONS) {
                Action::SendTwice => device.send(to, message, SendManner::TwiceAtOnce).await,
                Action::SendAsStranger => {
                    if let Some(to) = self.foreign_group(user) {
                        device.send(to, message, SendManner::Patient).await;
                    }
                }
                Action::Repeat => device.repeat().await,
                Action::Crash => {
                    let manner = SendManner::CutOff(self.span(CUT_OFF));
                    device.send(to, message, manner).await;
                }
                Action::Leave => {
                    device.leave().await;
                    self.goes_on(AWAY).await;
                }
                // A page that does not come now comes some other time.
                Action::Sync => drop(device.sync().await),
                Action::Pull => {
                    let (of, range) = (self.any_conversation(user), self.range());
                    drop(device.pull(of, range).await);
                }
                Action::Nothing => {}
                _ => device.send(to, message, SendManner::Patient).await,
            }
        }
    }

    fn action(&mut self, actions: &[(Action, u32)]) -> Action {
        let drawn = actions.choose_weighted(&mut self.rng, |(_, weight)| *weight);
        drawn.map_or(Action::Nothing, |(action, _)| *action)
    }

    /// Waits a while. Returns whether the workload still goes on.
    async fn goes_on(&mut self, span_ms: Span<u64>) -> bool {
        let span = self.span(span_ms);
        tokio::select! {
            () = sleep(span) => {}
            // It is also over if the sender is gone.
            _ = self.over.wait_for(|over| *over) => {}
        }
        !*self.over.borrow() && self.over.has_changed().is_ok()
    }

    fn span(&mut self, ms: Span<u64>) -> Duration {
        Duration::from_millis(self.rng.random_range(ms))
    }

    /// Another user, or a group that this one is in.
    fn recipient(&mut self, user: u64) -> Recipient {
        let groups = self.population.groups_of(user);
        if self.rng.random_bool(0.55)
            && let Some(group) = groups.choose(&mut self.rng)
        {
            return Recipient::Group(*group);
        }
        self.peer(user)
    }

    fn peer(&mut self, user: u64) -> Recipient {
        let others = self.population.users.iter().copied().filter(|other| *other != user);
        let others: Vec<u64> = others.collect();
        Recipient::User(others.choose(&mut self.rng).copied().unwrap_or(user))
    }

    /// A group that this user is not in.
    fn foreign_group(&mut self, user: u64) -> Option<Recipient> {
        let groups = self.population.memberships.groups(user, false);
        groups.choose(&mut self.rng).copied().map(Recipient::Group)
    }

    fn any_conversation(&mut self, user: u64) -> Recipient {
        if self.rng.random_bool(0.7)
            && let Some(group) = self.population.groups().choose(&mut self.rng)
        {
            return Recipient::Group(group.id);
        }
        self.peer(user)
    }

    /// Everything or a part, which may be from before the user joined or after they left.
    fn range(&mut self) -> Range {
        let begin_seq = self.rng.random_range(0..60);
        let (begin_seq, end_seq) = match self.rng.random_range(0..3) {
            0 => (0, 0),
            1 => (begin_seq, 0),
            _ => (begin_seq, begin_seq + self.rng.random_range(1..60)),
        };
        Range {
            begin_seq,
            end_seq,
            limit: self.rng.random_range(0..50),
            descending: self.rng.random_bool(0.5),
        }
    }

    /// Mostly short messages; some around the length from which inboxes refer to the log, and some
    /// that fill pages.
    fn message(&mut self) -> Token {
        let bytes = match self.rng.random_range(0..100) {
            0..75 => self.rng.random_range(32..300),
            75..90 => self.rng.random_range(600..1300),
            90..97 => self.rng.random_range(2000..6000),
            _ => self.rng.random_range(15_000..=16_384),
        };
        self.population.message(bytes)
    }
}
