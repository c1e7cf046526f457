//! What everybody does until the faults stop: each device, each changer of memberships and who makes groups draws its own from the seed.

use crate::device::raw::{Raw, SendManner};
use crate::device::sdk::Sdk;
use crate::device::{Device, Recipient};
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

/// Between two things that a device does, in ms.
const BETWEEN: Span<u64> = 20..400;

/// Between two changes of membership that one changer makes, in ms.
const BETWEEN_CHANGES: Span<u64> = 200..1500;

/// Passing groups that there is time for, one after the other.
const PASSES: u64 = 8;

/// How long one stays what it is, in ms.
const STAGE: Span<u64> = 1500..60_000;

/// How many of either fate there are at most.
const PASSING: usize = 6;

/// Between two settings that are changed for a while, in ms.
const BETWEEN_SETTINGS: Span<u64> = 50..500;

/// How long they stay so, in ms, until it is looked whether they have shown; and how often that is looked.
const HELD: Span<u64> = 200..800;
const LOOKS: usize = 30;

/// Messages that were begun and answered meanwhile by which a setting shows.
const ANSWERS: usize = 3;

/// How long a device is away, in ms.
const AWAY: Span<u64> = 50..4000;

/// How long after a message was sent a device is cut off, in ms. A message takes a few dozen.
const CUT_OFF: Span<u64> = 0..150;

/// How long a device on the SDK waits for the answers before it does something else.
const WAIT: Duration = Duration::from_secs(2);

/// How many messages an app queues at once, at most.
const BURST: usize = 6;

/// A life, and what it is drawn from.
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
    /// To a group that the user is not in.
    SendWhereRefused,
    /// Once more what was answered already.
    Repeat,
    /// What a client seldom does: by hand, the same message twice at once.
    SendTwice,
    /// Cut off with a message in flight.
    Crash,
    Leave,
    /// The disk is emptied.
    Reinstall,
    Sync,
    Pull,
    Nothing,
}

/// What a device on the SDK does, and how often.
const SDK_ACTIONS: [(Action, u32); 7] = [
    (Action::Send, 52),
    (Action::Burst, 12),
    (Action::SendWhereRefused, 5),
    (Action::Crash, 10),
    (Action::Leave, 7),
    (Action::Reinstall, 2),
    (Action::Nothing, 12),
];

/// What a device by hand does, and how often.
const RAW_ACTIONS: [(Action, u32); 9] = [
    (Action::Send, 36),
    (Action::SendTwice, 10),
    (Action::SendWhereRefused, 5),
    (Action::Repeat, 10),
    (Action::Crash, 7),
    (Action::Leave, 4),
    (Action::Sync, 10),
    (Action::Pull, 14),
    (Action::Nothing, 4),
];

/// Lives a device's life until it is over, and answers with the device.
///
/// # Errors
/// This machine has no more threads.
pub(crate) async fn run_device(
    mut device: Device,
    population: Arc<Population>,
    seed: u64,
    over: watch::Receiver<bool>,
) -> Result<Device> {
    let mut actor = Actor::new(population, seed, device.participant().index, over);
    match &mut device {
        Device::Sdk(sdk) => actor.sdk(sdk).await?,
        Device::Raw(raw) => actor.raw(raw).await,
    }
    Ok(device)
}

/// Changes memberships until it is over.
pub(crate) async fn change_memberships(
    nth: usize,
    population: Arc<Population>,
    seed: u64,
    over: watch::Receiver<bool>,
) -> Result<()> {
    // Beyond the numbers of all devices.
    let mut actor = Actor::new(population, seed, usize::MAX - nth, over);
    while actor.goes_on(BETWEEN_CHANGES).await {
        actor.population.memberships.change_any(&mut actor.rng).await;
    }
    Ok(())
}

/// Makes groups, one after the other, and lets each become a super group after a while, or ends it. That takes a fraction of all.
pub(crate) async fn replace_groups(
    fate: Setting,
    population: Arc<Population>,
    seed: u64,
    seconds: u64,
    over: watch::Receiver<bool>,
) -> Result<()> {
    let index = usize::MAX / 2 - usize::from(fate == Setting::Super);
    let mut actor = Actor::new(population, seed, index, over);
    let stage = (1000 * seconds / PASSES).clamp(STAGE.start, STAGE.end);
    let stage = stage..stage + stage / 2;
    for _ in 0..PASSING {
        let group = actor.population.found(false, false, &mut actor.rng).await?;
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

/// What is changed for a while, one beside the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TemporarySetting {
    MutesGroups,
    MutesMembers,
    OpensHistories,
}

/// Mutes groups or members or opens histories, each for a while, until it is over. In the end nothing of it is left.
pub(crate) async fn change_settings(
    passing: TemporarySetting,
    population: Arc<Population>,
    seed: u64,
    over: watch::Receiver<bool>,
) -> Result<()> {
    let mut actor = Actor::new(population, seed, usize::MAX / 2 + 1 + passing as usize, over);
    while actor.goes_on(BETWEEN_SETTINGS).await {
        let Some(held) = actor.population.memberships.hold_member(&mut actor.rng) else {
            continue;
        };
        let setting = match passing {
            TemporarySetting::MutesGroups => Setting::Muted,
            TemporarySetting::MutesMembers => Setting::MemberMuted(held.user),
            TemporarySetting::OpensHistories => Setting::OpenHistory,
        };
        if passing != TemporarySetting::MutesMembers {
            // Only the group is to stay.
            actor.population.memberships.release(&held);
        }
        actor.population.set(held.group, setting, true).await?;
        actor.shows(&held, setting).await;
        actor.population.set(held.group, setting, false).await?;
        if passing == TemporarySetting::MutesMembers {
            actor.population.memberships.release(&held);
        }
    }
    Ok(())
}

impl Actor {
    fn new(population: Arc<Population>, seed: u64, index: usize, over: watch::Receiver<bool>) -> Self {
        let index = u64::try_from(index).unwrap_or(u64::MAX);
        // An odd factor keeps the seeds of one run apart, and those of neighbouring runs too.
        let rng = StdRng::seed_from_u64(seed ^ index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self { population, rng, over }
    }

    /// Waits until a setting that was changed has met some messages, or long enough.
    async fn shows(&mut self, held: &Held, setting: Setting) {
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

    async fn sdk(&mut self, device: &mut Sdk) -> Result<()> {
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
                Action::SendWhereRefused => {
                    if let Some(to) = self.stranger(user) {
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
        let (to, message) = (self.receiver(device.participant().user()), self.message());
        device.send(to, message).await;
    }

    async fn raw(&mut self, device: &mut Raw) {
        let user = device.participant().user();
        while self.goes_on(BETWEEN).await {
            device.connect().await;
            let (to, message) = (self.receiver(user), self.message());
            match self.action(&RAW_ACTIONS) {
                Action::SendTwice => device.send(to, message, SendManner::Hasty).await,
                Action::SendWhereRefused => {
                    if let Some(to) = self.stranger(user) {
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
                // What does not come now comes some other time.
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

    /// Waits a while; whether life goes on after it.
    async fn goes_on(&mut self, span_ms: Span<u64>) -> bool {
        let span = self.span(span_ms);
        tokio::select! {
            () = sleep(span) => {}
            // It is over too where nobody is left to say so.
            _ = self.over.wait_for(|over| *over) => {}
        }
        !*self.over.borrow() && self.over.has_changed().is_ok()
    }

    fn span(&mut self, ms: Span<u64>) -> Duration {
        Duration::from_millis(self.rng.random_range(ms))
    }

    /// Another user, or a group that this one is in.
    fn receiver(&mut self, user: u64) -> Recipient {
        let groups = self.population.groups_of(user);
        if self.rng.random_bool(0.55)
            && let Some(group) = groups.choose(&mut self.rng)
        {
            return Recipient::Group(*group);
        }
        self.peer(user)
    }

    fn peer(&mut self, user: u64) -> Recipient {
        let others: Vec<u64> = self
            .population
            .users
            .iter()
            .copied()
            .filter(|other| *other != user)
            .collect();
        Recipient::User(others.choose(&mut self.rng).copied().unwrap_or(user))
    }

    /// A group that this user is not in.
    fn stranger(&mut self, user: u64) -> Option<Recipient> {
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

    /// All there is, or a part that may lie anywhere, also before the user came and after they went.
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

    /// Mostly short; around the length from which inboxes name the log instead, and some that fill pages.
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
