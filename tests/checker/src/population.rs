//! Who takes part: users, their devices, the groups that they talk in.
//!
//! There are two ordinary groups and one super group that stay what they are, and passing ones, which become super groups or are dissolved. The first user
//! owns them all and stays; the second one is an admin where the groups begin; everybody else is in them at first or not, as the seed has it.

use crate::device::{Device, Endpoints, raw::Raw, sdk::Sdk};
use crate::membership::Memberships;
use anyhow::{Context as _, Result};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use wigwag_cluster::World;
use wigwag_invariants::{DeviceKind, Token};
use wigwag_store::{GroupId, UserId};

/// A group that is talked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupState {
    /// Which one.
    pub(crate) id: GroupId,
    /// Whether its messages are in its log alone: from the beginning, or by now.
    pub(crate) is_super: bool,
    /// Whether it has ended.
    pub(crate) is_dissolved: bool,
}

/// Everybody, and where they are.
#[derive(Debug)]
pub(crate) struct Population {
    /// In the order of their ids, from 1.
    pub(crate) users: Vec<UserId>,
    /// The groups, in the order in which they were made.
    groups: Mutex<Vec<GroupState>>,
    /// Who is in them.
    pub(crate) memberships: Memberships,
    messages: AtomicU64,
}

/// The groups that stay: are they super groups?
const GROUPS: [bool; 3] = [false, false, true];

impl Population {
    /// Makes the users and their groups. Nothing goes wrong meanwhile: a group that is made twice is two groups.
    ///
    /// # Errors
    /// The stack refuses.
    pub(crate) async fn create(world: &World, endpoints: &Endpoints, clients: usize, seed: u64) -> Result<Self> {
        let users = u64::try_from(clients / 3)?.max(3);
        let users = world.crowd(1, users).await.context("make the users")?;
        let memberships = Memberships::new(world, endpoints, &users)?;
        let mut rng = StdRng::seed_from_u64(seed);
        let population = Self {
            users,
            groups: Mutex::default(),
            memberships,
            messages: AtomicU64::new(1),
        };
        for is_super in GROUPS {
            population.found(is_super, true, &mut rng).await?;
        }
        Ok(population)
    }

    /// The groups, as they are now.
    pub(crate) fn groups(&self) -> Vec<GroupState> {
        self.with_groups(|groups| groups.clone())
    }

    /// The groups that a user may talk in: those that they are in, of those that have ended only the last.
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

    /// Looks at the groups, or changes them.
    pub(crate) fn with_groups<T>(&self, look: impl FnOnce(&mut Vec<GroupState>) -> T) -> T {
        look(&mut self.groups.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The devices, none of them started yet: dealt round robin over the users, by turns with the SDK and by hand.
    ///
    /// # Errors
    /// There is no token for one.
    pub(crate) fn devices(&self, world: &World, endpoints: &Endpoints, clients: usize) -> Result<Vec<Device>> {
        let device = |n: usize| {
            let (user, round) = (self.users[n % self.users.len()], n / self.users.len());
            let name = (b'a'..=b'z')
                .nth(round)
                .map_or_else(|| round.to_string(), |letter| char::from(letter).to_string());
            match round % 2 {
                0 => sdk(world, endpoints, user, &name, DeviceKind::Sdk),
                _ => Ok(Device::Raw(Raw::new(
                    endpoints,
                    endpoints.participant(world, user, &name, DeviceKind::Raw)?,
                ))),
            }
        };
        (0..clients).map(device).collect()
    }

    /// A device with an empty disk for each user.
    ///
    /// # Errors
    /// There is no token for one.
    pub(crate) fn fresh(&self, world: &World, endpoints: &Endpoints) -> Result<Vec<Device>> {
        let fresh = |user: &UserId| sdk(world, endpoints, *user, "fresh", DeviceKind::Fresh);
        self.users.iter().map(fresh).collect()
    }

    /// A message that nobody has said yet.
    pub(crate) fn message(&self, bytes: usize) -> Token {
        Token {
            number: self.messages.fetch_add(1, Ordering::Relaxed),
            bytes,
        }
    }
}

fn sdk(world: &World, endpoints: &Endpoints, user: UserId, device: &str, kind: DeviceKind) -> Result<Device> {
    Ok(Device::Sdk(Sdk::new(
        endpoints,
        endpoints.participant(world, user, device, kind)?,
    )))
}
