//! Quiescing: the faults have stopped, and everything that is under way comes to its end.

use crate::device::raw::Raw;
use crate::device::sdk::Sdk;
use crate::device::{Recipient, TestDevice};
use crate::population::Population;
use anyhow::Result;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use wigwag_client::Range;
use wigwag_cluster::Cluster;
use wigwag_invariants::UserId;
use wigwag_protocol::limits::PAGE_MESSAGES;

/// The time between two looks.
pub(crate) const BETWEEN: Duration = Duration::from_millis(300);

/// If the same is awaited for so long, without any task that could change it, it never comes. A
/// hole is sealed after 10 s, and an unanswered message is sent again after 6 s.
const STUCK: Duration = Duration::from_secs(30);

/// The time between two reports of what is awaited.
const REPORT: Duration = Duration::from_secs(3);

/// How long a device may take to tell how far it is.
pub(crate) const LOOK: Duration = Duration::from_secs(15);

/// Waits until everything has come to rest.
pub(crate) struct Quiesce<'a> {
    cluster: &'a Cluster,
    population: &'a Population,
    /// How far each log is read, and as which user.
    read: BTreeMap<(UserId, Recipient), u64>,
}

/// Everything that is not at its end yet.
#[derive(Debug, Default, PartialEq, Eq)]
struct Awaited {
    /// Each in a few words.
    descriptions: Vec<String>,
    /// Whether tasks are among it.
    tasks: bool,
}

impl<'a> Quiesce<'a> {
    /// Nothing is read yet.
    pub(crate) fn new(cluster: &'a Cluster, population: &'a Population) -> Self {
        // The owner may read all of a group, and each of two users their whole conversation.
        let owner = population.users.iter().take(1);
        let groups = population.groups();
        let groups = owner.flat_map(|owner| groups.iter().map(|group| (*owner, Recipient::Group(group.id))));
        let pairs = population.users.iter().enumerate().flat_map(|(n, user)| {
            let others = population.users[n + 1..].iter();
            others.map(|other| (*user, Recipient::User(*other)))
        });
        Self {
            cluster,
            population,
            read: groups.chain(pairs).map(|log| (log, 0)).collect(),
        }
    }

    /// Waits until everybody has everything, or never will, or the patience is over. Returns what
    /// is still awaited then. `report` is called with what is awaited meanwhile.
    pub(crate) async fn wait(
        &mut self,
        devices: &mut [TestDevice],
        patience: Duration,
        mut report: impl FnMut(&[String]),
    ) -> Vec<String> {
        let (began, mut reported) = (Instant::now(), None);
        let (mut before, mut since) = (Awaited::default(), began);
        loop {
            let awaited = self.awaited(devices).await;
            if awaited.descriptions.is_empty() {
                return awaited.descriptions;
            }
            if reported.is_none_or(|at: Instant| at.elapsed() > REPORT) {
                reported = Some(Instant::now());
                report(&awaited.descriptions);
            }
            if awaited != before || awaited.tasks {
                since = Instant::now();
            }
            if began.elapsed() > patience || since.elapsed() > STUCK {
                return awaited.descriptions;
            }
            before = awaited;
            sleep(BETWEEN).await;
        }
    }

    async fn awaited(&mut self, devices: &mut [TestDevice]) -> Awaited {
        let tasks = self
            .tasks()
            .await
            .unwrap_or_else(|error| Some(format!("the queues: {error:#}")));
        let mut awaited = Awaited {
            tasks: tasks.is_some(),
            descriptions: Vec::from_iter(tasks),
        };
        for (log, read) in &mut self.read {
            awaited.descriptions.extend(read_log(self.population, *log, read).await);
        }
        let devices = devices.iter_mut().map(|device| device_awaits(self.population, device));
        awaited
            .descriptions
            .extend(join_all(devices).await.into_iter().flatten());
        awaited
    }

    async fn tasks(&self) -> Result<Option<String>> {
        let (dead, tasks) = (self.cluster.redrive().await?, self.cluster.tasks()?);
        Ok((tasks + dead > 0).then(|| format!("{tasks} tasks of the fan-out, {dead} dead-lettered tasks")))
    }
}

/// Reads a log to its end. A reader seals the holes that dead writers have left.
async fn read_log(population: &Population, (user, of): (UserId, Recipient), read: &mut u64) -> Option<String> {
    let api = population.memberships.api(user);
    let log = of.conversation(user);
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
            Err(error) => return Some(format!("the log {log}: {error}")),
        };
        match page.next_seq {
            0 => {
                *read = page.max_seq.max(*read);
                return None;
            }
            next => *read = next - 1,
        }
        if !page.has_more {
            return Some(format!("the log {log}, read to {read} of {}", page.max_seq));
        }
    }
}

async fn device_awaits(population: &Population, device: &mut TestDevice) -> Option<String> {
    let name = device.participant().account.device_id.clone();
    let look = async {
        match device {
            TestDevice::Sdk(sdk) => sdk_awaits(population, sdk).await,
            TestDevice::Raw(raw) => raw_awaits(raw).await,
        }
    };
    let looked = timeout(LOOK, look).await;
    let looked = looked.unwrap_or_else(|_| Ok(Some("no answer".to_owned())));
    let awaited = looked.unwrap_or_else(|error| Some(format!("{error:#}")));
    awaited.map(|awaited| format!("{name}: {awaited}"))
}

async fn sdk_awaits(population: &Population, device: &mut Sdk) -> Result<Option<String>> {
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

async fn raw_awaits(device: &mut Raw) -> Result<Option<String>> {
    let behind = device.sync().await?;
    Ok((behind > 0).then(|| format!("{behind} seqs of the inbox")))
}
