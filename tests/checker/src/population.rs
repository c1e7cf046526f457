//! The users of a run, their devices, and the groups that they talk in.
//!
//! Two ordinary groups and one super group stay what they are. Other groups become super groups or
//! are dissolved. The first user owns all groups and stays in them. The second is an admin of the
//! groups that stay. The seed decides who else is in a group at first.

use crate::device::{Endpoints, TestDevice, raw::Raw, sdk::Sdk};
use crate::membership::Memberships;
use anyhow::{Context as _, Result};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use wigwag_cluster::Cluster;
use wigwag_invariants::{DeviceKind, GroupId, Token, UserId};

/// A group that is talked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupState {
    /// Which one.
    pub(crate) id: GroupId,
    /// Whether it is a super group by now.
    pub(crate) is_super: bool,
    /// Whether it is dissolved.
    pub(crate) is_dissolved: bool,
}

/// Users, groups, and who is in which.
#[derive(Debug)]
pub(crate) struct Population {
    /// In the order of their ids, from 1.
    pub(crate) users: Vec<UserId>,
    /// In the order in which they were created.
    groups: Mutex<Vec<GroupState>>,
    /// Who is in which group.
    pub(crate) memberships: Memberships,
    messages: AtomicU64,
}

/// The groups that stay, and whether each is a super group.
const GROUPS: [bool; 3] = [false, false, true];

impl Population {
    /// Creates the users and the groups that stay. There are no faults meanwhile: a group whose
    /// creation is repeated would be two groups.
    ///
    /// # Errors
    /// The stack refuses a call.
    pub(crate) async fn create(cluster: &Cluster, endpoints: &Endpoints, clients: usize, seed: u64) -> Result<Self> {
        let users = u64::try_from(clients / 3)?.max(3);
        let users = cluster.crowd(1, users).await.context("create the users")?;
        let memberships = Memberships::new(cluster, endpoints, &users)?;
        let mut rng = StdRng::seed_from_u64(seed);
        let population = Self {
            users,
            groups: Mutex::default(),
            memberships,
            messages: AtomicU64::new(1),
        };
        for is_super in GROUPS {
            population.create_group(is_super, true, &mut rng).await?;
        }
        Ok(population)
    }

    /// The groups as they are now.
    pub(crate) fn groups(&self) -> Vec<GroupState> {
        self.with_groups(|groups| groups.clone())
    }

    /// The groups that a user is in and sends to. Of the dissolved groups only the last is among
    /// them.
    pub(crate) fn groups_of(&self, user: UserId) -> Vec<GroupId> {
        let groups = self.groups();
        let last = groups.iter().rfind(|group| group.is_dissolved).map(|group| group.id);
        let groups = groups
            .iter()
            .filter(|group| !group.is_dissolved || Some(group.id) == last);
        let groups = groups.map(|group| group.id);
        groups
            .filter(|group| self.memberships.is_member(*group, user))
            .collect()
    }

    /// Reads or changes the groups.
    pub(crate) fn with_groups<T>(&self, act: impl FnOnce(&mut Vec<GroupState>) -> T) -> T {
        act(&mut self.groups.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The devices, not started yet. Users get them in rounds: one on the SDK, then a raw one.
    ///
    /// # Errors
    /// There is no token for a device.
    pub(crate) fn devices(&self, cluster: &Cluster, endpoints: &Endpoints, clients: usize) -> Result<Vec<TestDevice>> {
        let device = |n: usize| {
            let (user, round) = (self.users[n % self.users.len()], n / self.users.len());
            let name = (b'a'..=b'z')
                .nth(round)
                .map_or_else(|| round.to_string(), |letter| char::from(letter).to_string());
            if round.is_multiple_of(2) {
                return sdk(cluster, endpoints, user, &name, DeviceKind::Sdk);
            }
            let participant = endpoints.participant(cluster, user, &name, DeviceKind::Raw)?;
            Ok(TestDevice::Raw(Raw::new(endpoints, participant)))
        };
        (0..clients).map(device).collect()
    }

    /// A device with an empty disk for each user.
    ///
    /// # Errors
    /// There is no token for a device.
    pub(crate) fn fresh(&self, cluster: &Cluster, endpoints: &Endpoints) -> Result<Vec<TestDevice>> {
        let fresh = |user: &UserId| sdk(cluster, endpoints, *user, "fresh", DeviceKind::Fresh);
        self.users.iter().map(fresh).collect()
    }

    /// A message with a new number.
    pub(crate) fn message(&self, bytes: usize) -> Token {
        Token {
            number: self.messages.fetch_add(1, Ordering::Relaxed),
            bytes,
        }
    }
}

fn sdk(cluster: &Cluster, endpoints: &Endpoints, user: UserId, device: &str, kind: DeviceKind) -> Result<TestDevice> {
    let participant = endpoints.participant(cluster, user, device, kind)?;
    Ok(TestDevice::Sdk(Sdk::new(endpoints, participant)))
}
