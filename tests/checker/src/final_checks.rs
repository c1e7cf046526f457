//! The last acts of a run, without faults: raw devices connect again, read old pages, and are
//! pushed a roll call.

use crate::device::raw::SendManner;
use crate::device::{Recipient, TestDevice};
use crate::population::Population;
use crate::quiesce::{BETWEEN, LOOK};
use crate::recorder::Recorder;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use wigwag_client::Range;
use wigwag_invariants::{Channel, DeviceIndex, Event, Token, UserId};
use wigwag_protocol::limits::PAGE_MESSAGES;

/// How long the pushes of the roll call may take.
const PUSHES: Duration = Duration::from_secs(30);

/// Length of a roll call, in bytes.
const ROLL_CALL_BYTES: usize = 40;

/// Lets the raw devices connect again. The server may have forgotten an open connection because of
/// a fault, and only a heartbeat shows what the device misses then. So pushes are only asked of
/// connections that were made without faults.
pub(crate) async fn reconnect(devices: &mut [TestDevice]) {
    let all = devices.iter_mut().map(async |device| {
        if let TestDevice::Raw(raw) = device {
            // If that takes too long, quiescing goes on with it.
            let _ = timeout(LOOK, raw.move_over()).await;
        }
    });
    join_all(all).await;
}

/// Lets the raw devices ask for each group from its beginning, whether their users were members
/// then, are members now, or never were.
pub(crate) async fn read_histories(population: &Population, devices: &mut [TestDevice]) {
    let beginning = Range {
        begin_seq: 0,
        end_seq: 0,
        limit: PAGE_MESSAGES,
        descending: false,
    };
    let all = devices.iter_mut().map(async |device| {
        if let TestDevice::Raw(raw) = device {
            for group in population.groups() {
                // What comes is recorded. A page that does not come shows nothing.
                let _ = timeout(LOOK, raw.pull(Recipient::Group(group.id), beginning)).await;
            }
        }
    });
    join_all(all).await;
}

/// Sends a last message to every user and into every group, and waits until all connected raw
/// devices have been pushed it, or long enough.
pub(crate) async fn call_the_roll(population: &Population, devices: &mut [TestDevice], recorder: &Recorder) {
    let mut awaited = BTreeSet::new();
    for (caller, to, called) in calls(population) {
        let message = population.message(ROLL_CALL_BYTES);
        let sender = devices.iter_mut().find(|device| device.participant().user() == caller);
        if let Some(device) = sender {
            // The recorder notes whether it was accepted.
            let _ = timeout(LOOK, send(device, to, message)).await;
        }
        if !is_acknowledged(recorder, message) {
            continue;
        }
        for user in called {
            recorder.note(Event::RollCall { message, user });
            let theirs = devices.iter().filter(|device| device.participant().user() == user);
            let raw = theirs.filter(|device| matches!(device, TestDevice::Raw(raw) if raw.is_connected()));
            awaited.extend(raw.map(|device| (device.participant().index, message)));
        }
    }
    let began = Instant::now();
    while began.elapsed() < PUSHES && !awaited.is_subset(&pushed(recorder)) {
        sleep(BETWEEN).await;
    }
    recorder.note(Event::RollCalled);
}

/// Who sends each message of the roll call, where to, and which users it calls.
fn calls(population: &Population) -> Vec<(UserId, Recipient, Vec<UserId>)> {
    let other = |user: &UserId| population.users.iter().copied().find(|other| other != user);
    let users = population
        .users
        .iter()
        .filter_map(|user| Some((other(user)?, Recipient::User(*user), vec![*user])));
    let groups = population.groups().into_iter().filter_map(|group| {
        let owner = *population.users.first().filter(|_| !group.is_dissolved)?;
        let users = population.users.iter().copied();
        let members = users.filter(|user| *user != owner && population.memberships.is_member(group.id, *user));
        Some((owner, Recipient::Group(group.id), members.collect()))
    });
    users.chain(groups).collect()
}

/// Returns when the message is answered, or too late.
async fn send(device: &mut TestDevice, to: Recipient, message: Token) {
    match device {
        TestDevice::Sdk(sdk) => {
            sdk.send(to, message).await;
            sdk.answers(LOOK).await;
        }
        TestDevice::Raw(raw) => raw.send(to, message, SendManner::Patient).await,
    }
}

fn is_acknowledged(recorder: &Recorder, wanted: Token) -> bool {
    recorder.with(|history| {
        let mut latest = history.records.iter().rev();
        latest.any(|record| matches!(record.event, Event::Acknowledged { message, .. } if message == wanted))
    })
}

/// The messages that were pushed, each with the device.
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
