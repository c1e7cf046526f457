//! Coming to rest: nothing goes wrong any more, and what is under way comes to its end.

use crate::device::raw::{Raw, SendManner};
use crate::device::sdk::Sdk;
use crate::device::{Device, Recipient};
use crate::population::Population;
use crate::recorder::Recorder;
use anyhow::Result;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use wigwag_client::Range;
use wigwag_cluster::World;
use wigwag_invariants::{Channel, DeviceIndex, Event, Token};
use wigwag_protocol::limits::PAGE_MESSAGES;
use wigwag_store::UserId;

/// Between two looks.
const BETWEEN: Duration = Duration::from_millis(300);

/// Who has waited so long for the same, with no task left that could change it, waits for ever: a hole is closed after 10 s, an unanswered message
/// sent again after 6 s.
const STUCK: Duration = Duration::from_secs(30);

/// Between two words about what is being waited for.
const TELL: Duration = Duration::from_secs(3);

/// How long a device may take to say where it is.
const LOOK: Duration = Duration::from_secs(15);

/// How long the last pushes may take.
const PUSHES: Duration = Duration::from_secs(30);

/// Length of a roll call, in bytes.
const ROLL_CALL_BYTES: usize = 40;

/// Waits for a world to come to rest.
pub(crate) struct Quiesce<'a> {
    world: &'a World,
    population: &'a Population,
    /// Where each log has been read to, by whom.
    read: BTreeMap<(UserId, Recipient), u64>,
}

/// What is not at its end yet.
#[derive(Debug, Default, PartialEq, Eq)]
struct Awaited {
    /// Each in a few words.
    event: Vec<String>,
    /// Whether there are tasks of the fan-out among it.
    tasks: bool,
}

impl<'a> Quiesce<'a> {
    /// Nothing is read yet.
    pub(crate) fn new(world: &'a World, population: &'a Population) -> Self {
        // The owner may read all of a group, and either of two all that they said.
        let owner = population.users.iter().take(1);
        let groups = population.groups();
        let groups = owner.flat_map(|owner| groups.iter().map(|group| (*owner, Recipient::Group(group.id))));
        let pairs = population.users.iter().enumerate().flat_map(|(n, user)| {
            let others = population.users[n + 1..].iter();
            others.map(|other| (*user, Recipient::User(*other)))
        });
        Self {
            world,
            population,
            read: groups.chain(pairs).map(|log| (log, 0)).collect(),
        }
    }

    /// Waits until everybody has everything, or never will, or for so long; answers with what is still awaited then. `tell` is told what is
    /// being waited for.
    pub(crate) async fn come(
        &mut self,
        devices: &mut [Device],
        patience: Duration,
        mut tell: impl FnMut(&[String]),
    ) -> Vec<String> {
        let (began, mut told) = (Instant::now(), None);
        let (mut before, mut since) = (Awaited::default(), began);
        loop {
            let awaited = self.awaited(devices).await;
            if awaited.event.is_empty() {
                return awaited.event;
            }
            if told.is_none_or(|at: Instant| at.elapsed() > TELL) {
                told = Some(Instant::now());
                tell(&awaited.event);
            }
            if awaited != before || awaited.tasks {
                since = Instant::now();
            }
            if began.elapsed() > patience || since.elapsed() > STUCK {
                return awaited.event;
            }
            before = awaited;
            sleep(BETWEEN).await;
        }
    }

    async fn awaited(&mut self, devices: &mut [Device]) -> Awaited {
        let tasks = self
            .tasks()
            .await
            .unwrap_or_else(|error| Some(format!("the queues: {error:#}")));
        let mut awaited = Awaited {
            tasks: tasks.is_some(),
            event: Vec::from_iter(tasks),
        };
        for (log, read) in &mut self.read {
            awaited.event.extend(read_log(self.population, *log, read).await);
        }
        let devices = devices.iter_mut().map(|device| of_device(self.population, device));
        awaited.event.extend(join_all(devices).await.into_iter().flatten());
        awaited
    }

    async fn tasks(&self) -> Result<Option<String>> {
        let (dead, tasks) = (self.world.redrive().await?, self.world.tasks()?);
        Ok((tasks + dead > 0).then(|| format!("{tasks} tasks of the fan-out, {dead} that were given up")))
    }
}

/// Reads a log to its end: who reads closes what a dead writer has left open.
async fn read_log(population: &Population, (user, of): (UserId, Recipient), read: &mut u64) -> Option<String> {
    let api = population.memberships.api(user);
    loop {
        let range = Range {
            begin_seq: *read + 1,
            end_seq: 0,
            limit: PAGE_MESSAGES,
            descending: false,
        };
        let page = match of {
            Recipient::User(other) => api.history(other, range).await,
            Recipient::Group(group) => api.group_history(group, range).await,
        };
        let page = match page {
            Ok(page) => page,
            Err(error) => return Some(format!("the log {}: {error}", of.conversation(user))),
        };
        match page.next_seq {
            0 => {
                *read = page.max_seq.max(*read);
                return None;
            }
            next => *read = next - 1,
        }
        if !page.has_more {
            return Some(format!(
                "the log {}, read to {read} of {}",
                of.conversation(user),
                page.max_seq
            ));
        }
    }
}

async fn of_device(population: &Population, device: &mut Device) -> Option<String> {
    let name = device.participant().account.device_id.clone();
    let look = async {
        match device {
            Device::Sdk(sdk) => of_sdk(population, sdk).await,
            Device::Raw(raw) => of_raw(raw).await,
        }
    };
    let outcome = timeout(LOOK, look).await;
    let outcome = outcome.unwrap_or_else(|_| Ok(Some("no answer".to_owned())));
    let event = outcome.unwrap_or_else(|error| Some(format!("{error:#}")));
    event.map(|event| format!("{name}: {event}"))
}

async fn of_sdk(population: &Population, device: &mut Sdk) -> Result<Option<String>> {
    device.start().await?;
    if !device.answers(BETWEEN).await || device.is_sending() {
        return Ok(Some("a message is not answered".to_owned()));
    }
    let (end, cursor) = (device.end().await?, device.cursor());
    if cursor != end {
        return Ok(Some(format!("the inbox, read to {cursor} of {end}")));
    }
    for group in population.groups().into_iter().filter(|group| group.is_super) {
        let is_member = population.memberships.is_member(group.id, device.participant().user());
        let Some(cursor) = device.group_cursor(group.id) else {
            if is_member {
                return Ok(Some(format!("g{} is not known", group.id)));
            }
            continue;
        };
        let end = device.group_end(group.id).await?;
        if cursor != end {
            return Ok(Some(format!("g{}, read to {cursor} of {end}", group.id)));
        }
    }
    Ok(None)
}

async fn of_raw(device: &mut Raw) -> Result<Option<String>> {
    let behind = device.sync().await?;
    Ok((behind > 0).then(|| format!("{behind} seqs of the inbox")))
}

/// Lets the devices by hand connect anew: a fault may have had the server forget a connection that is open, and nothing but a heartbeat
/// tells what it misses then. What is promised to be pushed is asked of connections that were made without faults.
pub(crate) async fn connect_anew(devices: &mut [Device]) {
    let all = devices.iter_mut().map(async |device| {
        if let Device::Raw(raw) = device {
            // Where that takes too long, the look at what is awaited goes on with it.
            let _ = timeout(LOOK, raw.move_over()).await;
        }
    });
    join_all(all).await;
}

/// Lets the devices by hand ask for each group from its beginning, whether their users were in it then, are in it now, or never were.
pub(crate) async fn look_back(population: &Population, devices: &mut [Device]) {
    let beginning = Range {
        begin_seq: 0,
        end_seq: 0,
        limit: PAGE_MESSAGES,
        descending: false,
    };
    let all = devices.iter_mut().map(async |device| {
        if let Device::Raw(raw) = device {
            for group in population.groups() {
                // What comes is written down; a page that does not come says nothing.
                let _ = timeout(LOOK, raw.pull(Recipient::Group(group.id), beginning)).await;
            }
        }
    });
    join_all(all).await;
}

/// Says a last thing to every user and in every group, and waits until all devices by hand that are connected have been pushed it, or long enough.
pub(crate) async fn call_the_roll(population: &Population, devices: &mut [Device], recorder: &Recorder) {
    let others = |user: &UserId| population.users.iter().copied().find(|other| other != user);
    let users = population
        .users
        .iter()
        .filter_map(|user| Some((others(user)?, Recipient::User(*user), vec![*user])));
    let groups = population.groups().into_iter().filter_map(|group| {
        let owner = *population.users.first().filter(|_| !group.is_dissolved)?;
        let members = population.users.iter().copied();
        let members = members.filter(|user| *user != owner && population.memberships.is_member(group.id, *user));
        Some((owner, Recipient::Group(group.id), members.collect()))
    });
    let mut awaited = BTreeSet::new();
    for (caller, to, called) in users.chain(groups) {
        let message = population.message(ROLL_CALL_BYTES);
        let speaker = devices.iter_mut().find(|device| device.participant().user() == caller);
        if let Some(device) = speaker {
            // Whether it was accepted is written down.
            let _ = timeout(LOOK, say(device, to, message)).await;
        }
        if !is_acknowledged(recorder, message) {
            continue;
        }
        for user in called {
            recorder.note(Event::RollCall { message, user });
            let theirs = devices.iter().filter(|device| device.participant().user() == user);
            let by_hand = theirs.filter(|device| matches!(device, Device::Raw(raw) if raw.is_connected()));
            awaited.extend(by_hand.map(|device| (device.participant().index, message)));
        }
    }
    let began = Instant::now();
    while began.elapsed() < PUSHES && !awaited.is_subset(&pushed(recorder)) {
        sleep(BETWEEN).await;
    }
    recorder.note(Event::RollCalled);
}

/// Returns when the message is answered, or too late.
async fn say(device: &mut Device, to: Recipient, message: Token) {
    match device {
        Device::Sdk(sdk) => {
            sdk.send(to, message).await;
            sdk.answers(LOOK).await;
        }
        Device::Raw(raw) => raw.send(to, message, SendManner::Patient).await,
    }
}

fn is_acknowledged(recorder: &Recorder, wanted: Token) -> bool {
    recorder.with(|history| {
        let mut latest = history.records.iter().rev();
        latest.any(|record| matches!(record.event, Event::Acknowledged { message, .. } if message == wanted))
    })
}

/// What was pushed to whom.
fn pushed(recorder: &Recorder) -> BTreeSet<(DeviceIndex, Token)> {
    recorder.with(|history| {
        let pushed = history.records.iter().filter_map(|record| match &record.event {
            Event::Came {
                by: Channel::Push,
                observed,
            } => Some((record.device?, observed.token?)),
            _ => None,
        });
        pushed.collect()
    })
}
