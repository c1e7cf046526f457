//! What everybody does until the faults stop: each device, each changer of memberships and who makes groups draws its own from the seed.

use crate::cast::Cast;
use crate::device::raw::{Manner, Raw};
use crate::device::sdk::Sdk;
use crate::device::{Device, To};
use crate::history::{Setting, Token};
use crate::membership::Held;
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
struct Life {
    cast: Arc<Cast>,
    rng: StdRng,
    over: watch::Receiver<bool>,
}

/// What a device does next.
#[derive(Debug, Clone, Copy)]
enum Deed {
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
const SDK_DEEDS: [(Deed, u32); 7] = [
    (Deed::Send, 52),
    (Deed::Burst, 12),
    (Deed::SendWhereRefused, 5),
    (Deed::Crash, 10),
    (Deed::Leave, 7),
    (Deed::Reinstall, 2),
    (Deed::Nothing, 12),
];

/// What a device by hand does, and how often.
const RAW_DEEDS: [(Deed, u32); 9] = [
    (Deed::Send, 36),
    (Deed::SendTwice, 10),
    (Deed::SendWhereRefused, 5),
    (Deed::Repeat, 10),
    (Deed::Crash, 7),
    (Deed::Leave, 4),
    (Deed::Sync, 10),
    (Deed::Pull, 14),
    (Deed::Nothing, 4),
];

/// Lives a device's life until it is over, and answers with the device.
///
/// # Errors
/// This machine has no more threads.
pub(crate) async fn of_device(
    mut device: Device,
    cast: Arc<Cast>,
    seed: u64,
    over: watch::Receiver<bool>,
) -> Result<Device> {
    let mut life = Life::new(cast, seed, device.seat().index, over);
    match &mut device {
        Device::Sdk(sdk) => life.sdk(sdk).await?,
        Device::Raw(raw) => life.raw(raw).await,
    }
    Ok(device)
}

/// Changes memberships until it is over.
pub(crate) async fn of_changer(nth: usize, cast: Arc<Cast>, seed: u64, over: watch::Receiver<bool>) -> Result<()> {
    // Beyond the numbers of all devices.
    let mut life = Life::new(cast, seed, usize::MAX - nth, over);
    while life.goes_on(BETWEEN_CHANGES).await {
        life.cast.memberships.change_any(&mut life.rng).await;
    }
    Ok(())
}

/// Makes groups, one after the other, and lets each become a super group after a while, or ends it. That takes a fraction of all.
pub(crate) async fn of_passing_groups(
    fate: Setting,
    cast: Arc<Cast>,
    seed: u64,
    seconds: u64,
    over: watch::Receiver<bool>,
) -> Result<()> {
    let index = usize::MAX / 2 - usize::from(fate == Setting::Super);
    let mut life = Life::new(cast, seed, index, over);
    let stage = (1000 * seconds / PASSES).clamp(STAGE.start, STAGE.end);
    let stage = stage..stage + stage / 2;
    for _ in 0..PASSING {
        let group = life.cast.found(false, false, &mut life.rng).await?;
        let goes_on = life.goes_on(stage.clone()).await;
        if fate == Setting::Dissolved {
            life.cast.memberships.close(group).await;
        }
        life.cast.set(group, fate, true).await?;
        if !goes_on {
            break;
        }
    }
    Ok(())
}

/// What is changed for a while, one beside the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    MutesGroups,
    MutesMembers,
    OpensHistories,
}

/// Mutes groups or members or opens histories, each for a while, until it is over. In the end nothing of it is left.
pub(crate) async fn of_settings(
    passing: Passing,
    cast: Arc<Cast>,
    seed: u64,
    over: watch::Receiver<bool>,
) -> Result<()> {
    let mut life = Life::new(cast, seed, usize::MAX / 2 + 1 + passing as usize, over);
    while life.goes_on(BETWEEN_SETTINGS).await {
        let Some(held) = life.cast.memberships.hold_member(&mut life.rng) else {
            continue;
        };
        let setting = match passing {
            Passing::MutesGroups => Setting::Muted,
            Passing::MutesMembers => Setting::MemberMuted(held.user),
            Passing::OpensHistories => Setting::OpenHistory,
        };
        if passing != Passing::MutesMembers {
            // Only the group is to stay.
            life.cast.memberships.release(&held);
        }
        life.cast.set(held.group, setting, true).await?;
        life.shows(&held, setting).await;
        life.cast.set(held.group, setting, false).await?;
        if passing == Passing::MutesMembers {
            life.cast.memberships.release(&held);
        }
    }
    Ok(())
}

impl Life {
    fn new(cast: Arc<Cast>, seed: u64, index: usize, over: watch::Receiver<bool>) -> Self {
        let index = u64::try_from(index).unwrap_or(u64::MAX);
        // An odd factor keeps the seeds of one run apart, and those of neighbouring runs too.
        let rng = StdRng::seed_from_u64(seed ^ index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self { cast, rng, over }
    }

    /// Waits until a setting that was changed has met some messages, or long enough.
    async fn shows(&mut self, held: &Held, setting: Setting) {
        let since = self.cast.memberships.recorder.now();
        let by = match setting {
            Setting::MemberMuted(user) => Some(user),
            _ => None,
        };
        for _ in 0..LOOKS {
            let goes_on = self.goes_on(HELD).await;
            let recorder = &self.cast.memberships.recorder;
            let answered = recorder.with(|history| history.answered(since, held.group, by));
            if !goes_on || answered >= ANSWERS {
                return;
            }
        }
    }

    async fn sdk(&mut self, device: &mut Sdk) -> Result<()> {
        let user = device.seat().user();
        while self.goes_on(BETWEEN).await {
            device.start().await?;
            match self.deed(&SDK_DEEDS) {
                Deed::Burst => {
                    for _ in 0..self.rng.random_range(2..=BURST) {
                        self.queue(device).await;
                    }
                    device.answers(WAIT).await;
                }
                Deed::SendWhereRefused => {
                    if let Some(to) = self.stranger(user) {
                        let message = self.message();
                        device.send(to, message).await;
                        device.answers(WAIT).await;
                    }
                }
                Deed::Crash => {
                    for _ in 0..self.rng.random_range(1..=3) {
                        self.queue(device).await;
                    }
                    device.answers(self.span(CUT_OFF)).await;
                    device.crash().await;
                    self.goes_on(AWAY).await;
                }
                Deed::Leave => {
                    device.leave().await;
                    self.goes_on(AWAY).await;
                }
                Deed::Reinstall => device.uninstall().await,
                Deed::Nothing => {}
                _ => {
                    self.queue(device).await;
                    device.answers(WAIT).await;
                }
            }
        }
        Ok(())
    }

    async fn queue(&mut self, device: &mut Sdk) {
        let (to, message) = (self.receiver(device.seat().user()), self.message());
        device.send(to, message).await;
    }

    async fn raw(&mut self, device: &mut Raw) {
        let user = device.seat().user();
        while self.goes_on(BETWEEN).await {
            device.connect().await;
            let (to, message) = (self.receiver(user), self.message());
            match self.deed(&RAW_DEEDS) {
                Deed::SendTwice => device.send(to, message, Manner::Hasty).await,
                Deed::SendWhereRefused => {
                    if let Some(to) = self.stranger(user) {
                        device.send(to, message, Manner::Patient).await;
                    }
                }
                Deed::Repeat => device.repeat().await,
                Deed::Crash => {
                    let manner = Manner::CutOff(self.span(CUT_OFF));
                    device.send(to, message, manner).await;
                }
                Deed::Leave => {
                    device.leave().await;
                    self.goes_on(AWAY).await;
                }
                // What does not come now comes some other time.
                Deed::Sync => drop(device.sync().await),
                Deed::Pull => {
                    let (of, range) = (self.any_conversation(user), self.range());
                    drop(device.pull(of, range).await);
                }
                Deed::Nothing => {}
                _ => device.send(to, message, Manner::Patient).await,
            }
        }
    }

    fn deed(&mut self, deeds: &[(Deed, u32)]) -> Deed {
        let drawn = deeds.choose_weighted(&mut self.rng, |(_, weight)| *weight);
        drawn.map_or(Deed::Nothing, |(deed, _)| *deed)
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
    fn receiver(&mut self, user: u64) -> To {
        let groups = self.cast.groups_of(user);
        if self.rng.random_bool(0.55)
            && let Some(group) = groups.choose(&mut self.rng)
        {
            return To::Group(*group);
        }
        self.peer(user)
    }

    fn peer(&mut self, user: u64) -> To {
        let others: Vec<u64> = self.cast.users.iter().copied().filter(|other| *other != user).collect();
        To::User(others.choose(&mut self.rng).copied().unwrap_or(user))
    }

    /// A group that this user is not in.
    fn stranger(&mut self, user: u64) -> Option<To> {
        let groups = self.cast.memberships.groups(user, false);
        groups.choose(&mut self.rng).copied().map(To::Group)
    }

    fn any_conversation(&mut self, user: u64) -> To {
        if self.rng.random_bool(0.7)
            && let Some(group) = self.cast.groups().choose(&mut self.rng)
        {
            return To::Group(group.id);
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
        self.cast.message(bytes)
    }
}
