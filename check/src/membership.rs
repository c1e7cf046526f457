//! Who is in which group, and how that changes: over the HTTP API, by admins, the owner, and by leaving.
//!
//! A change is repeated until it is certain whether it was made, for a failed call may have taken effect. One actor at a time changes
//! one user's membership of one group; those of different users change at the same time.

use crate::device::Place;
use crate::history::{Recorder, Turn, What};
use anyhow::Result;
use rand::RngExt as _;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::sleep;
use wigwag_client::http::{CreateGroup, Role};
use wigwag_client::{Api, ApiError};
use wigwag_store::{GroupId, UserId};
use wigwag_tests::World;

/// Before a call is repeated.
const PAUSE: Duration = Duration::from_millis(200);

/// How likely a user is in a group from its beginning.
const FOUNDER: f64 = 0.7;

/// How likely a member goes by themselves, rather than being removed.
const LEAVES: f64 = 0.5;

/// How likely it is the admin who changes something, rather than the owner.
const ADMIN: f64 = 0.5;

/// A user's place in a group.
#[derive(Debug, Clone, Copy)]
struct Standing {
    is_member: bool,
    /// Whether somebody is changing it.
    is_changing: bool,
}

/// Who is in which group.
#[derive(Debug)]
pub(crate) struct Memberships {
    recorder: Recorder,
    /// The HTTP API, signed in as each of the users. The first one owns the groups.
    apis: Vec<(UserId, Api)>,
    standings: Mutex<BTreeMap<(GroupId, UserId), Standing>>,
}

impl Memberships {
    /// No groups yet.
    pub(crate) fn new(world: &World, place: &Place, users: &[UserId]) -> Result<Self> {
        let api = |user: &UserId| {
            let token = world.member(*user)?.token;
            Ok((*user, Api::new(place.http_url.clone()).with_token(token)))
        };
        Ok(Self {
            recorder: place.recorder.clone(),
            apis: users.iter().map(api).collect::<Result<_>>()?,
            standings: Mutex::default(),
        })
    }

    /// Makes a group, with the first user as its owner, the second as an admin and some of the others in it.
    ///
    /// # Errors
    /// A call fails: nothing is to go wrong yet.
    pub(crate) async fn found(&self, super_group: bool, rng: &mut StdRng) -> Result<GroupId> {
        let (owner, admin, others) = (self.apis[0].0, self.apis[1].0, &self.apis[2..]);
        let others = others
            .iter()
            .map(|(user, _)| *user)
            .filter(|_| rng.random_bool(FOUNDER));
        let create = CreateGroup {
            name: "the group".to_owned(),
            user_ids: std::iter::once(admin).chain(others).collect(),
            super_group,
            open_history: false,
            request_id: None,
        };
        let group = self.api(owner).create_group(&create).await?.group_id;
        // Nobody can have known of the group before, so that it is written down afterwards is soon enough.
        for user in std::iter::once(owner).chain(create.user_ids.iter().copied()) {
            self.note(group, user, Turn::Joins);
        }
        for (user, _) in &self.apis {
            let is_member = *user == owner || create.user_ids.contains(user);
            let standing = Standing {
                is_member,
                is_changing: false,
            };
            self.standings().insert((group, *user), standing);
        }
        self.api(owner).set_role(group, admin, Role::Admin).await?;
        Ok(group)
    }

    /// The groups that a user is in, or those that they are not in, but for changes that are being made.
    pub(crate) fn groups(&self, of: UserId, is_member: bool) -> Vec<GroupId> {
        let standings = self.standings();
        let mine = standings.iter().filter(|((_, user), _)| *user == of);
        let wanted = mine.filter(|(_, standing)| standing.is_member == is_member);
        wanted.map(|((group, _), _)| *group).collect()
    }

    /// Whether a user is in a group.
    pub(crate) fn is_member(&self, group: GroupId, user: UserId) -> bool {
        let standing = self.standings().get(&(group, user)).copied();
        standing.is_some_and(|standing| standing.is_member)
    }

    /// Changes a membership that is drawn, one way or the other. Returns when it has changed.
    pub(crate) async fn change_any(&self, rng: &mut StdRng) {
        let Some((group, user, turn)) = self.begin(rng) else {
            return;
        };
        self.recorder.note(What::Change { group, user, turn });
        let owner = self.apis[0].0;
        let mut caller = match turn {
            Turn::Leaves if rng.random_bool(LEAVES) => user,
            _ => self.apis[usize::from(rng.random_bool(ADMIN))].0,
        };
        while let Err(error) = self.call(caller, group, user, turn).await {
            if !error.is_retryable() {
                // The admin may have been removed themselves meanwhile.
                caller = owner;
            }
            sleep(PAUSE).await;
        }
        self.recorder.note(What::Changed { group, user, turn });
        let is_member = turn == Turn::Joins;
        let standing = Standing {
            is_member,
            is_changing: false,
        };
        self.standings().insert((group, user), standing);
    }

    /// Takes a membership that nobody else is changing.
    fn begin(&self, rng: &mut StdRng) -> Option<(GroupId, UserId, Turn)> {
        let owner = self.apis[0].0;
        let mut standings = self.standings();
        let free =
            |((_, user), standing): &(&(GroupId, UserId), &mut Standing)| *user != owner && !standing.is_changing;
        let mut free: Vec<_> = standings.iter_mut().filter(free).collect();
        let drawn = rng.random_range(0..free.len().max(1));
        let ((group, user), standing) = free.get_mut(drawn)?;
        standing.is_changing = true;
        let turn = if standing.is_member { Turn::Leaves } else { Turn::Joins };
        Some((*group, *user, turn))
    }

    /// One call. That a user is already what they are to be is a success too: an earlier call has made it so.
    async fn call(&self, caller: UserId, group: GroupId, user: UserId, turn: Turn) -> Result<(), ApiError> {
        let api = self.api(caller);
        match turn {
            Turn::Joins => api.add_members(group, vec![user]).await.map(drop),
            Turn::Leaves if caller == user => api.leave_group(group).await,
            Turn::Leaves => api.remove_members(group, vec![user]).await.map(drop),
        }
    }

    fn note(&self, group: GroupId, user: UserId, turn: Turn) {
        self.recorder.note(What::Change { group, user, turn });
        self.recorder.note(What::Changed { group, user, turn });
    }

    /// The HTTP API, signed in as this user.
    pub(crate) fn api(&self, user: UserId) -> &Api {
        let of = self.apis.iter().find(|(of, _)| *of == user);
        &of.unwrap_or(&self.apis[0]).1
    }

    fn standings(&self) -> MutexGuard<'_, BTreeMap<(GroupId, UserId), Standing>> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
