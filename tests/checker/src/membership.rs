//! Changes memberships over the HTTP API, as the owner, an admin, or a member who leaves.
//!
//! A change is repeated until it is certain that it was made, because a failed call may have taken
//! effect. Only one actor at a time changes the membership of one user in one group. Memberships of
//! different users change at the same time.

use crate::device::Endpoints;
use crate::recorder::Recorder;
use anyhow::Result;
use rand::RngExt as _;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::time::sleep;
use wigwag_client::http::CreateGroup;
use wigwag_client::{Api, ApiError};
use wigwag_cluster::Cluster;
use wigwag_invariants::{Event, GroupId, Setting, Turn, UserId};

/// The pause before a call is repeated.
const PAUSE: Duration = Duration::from_millis(200);

/// The probability that a user is in a group from its beginning.
const FOUNDER: f64 = 0.7;

/// The probability that a member leaves instead of being removed.
const LEAVES: f64 = 0.5;

/// The probability that the admin changes something instead of the owner.
const ADMIN: f64 = 0.5;

/// The probability that memberships of several users change in one call.
const SEVERAL: f64 = 0.2;

/// The state of a user in a group.
#[derive(Debug, Clone, Copy)]
struct MemberState {
    is_member: bool,
    is_admin: bool,
    /// Whether an actor is changing it.
    is_changing: bool,
}

/// Keeps others from changing a user's membership of a group, and from dissolving the group.
#[derive(Debug)]
pub(crate) struct Held {
    /// The group.
    pub(crate) group: GroupId,
    /// The user.
    pub(crate) user: UserId,
    was: MemberState,
    _open: OwnedRwLockReadGuard<()>,
}

/// Who is in which group.
#[derive(Debug)]
pub(crate) struct Memberships {
    /// Records the changes.
    pub(crate) recorder: Recorder,
    /// The HTTP API, signed in as each of the users. The first owns the groups.
    apis: Vec<(UserId, Api)>,
    states: Mutex<BTreeMap<(GroupId, UserId), MemberState>>,
    /// For each group: actors that change it share the lock. The one that dissolves it keeps it.
    gates: Mutex<BTreeMap<GroupId, Arc<RwLock<()>>>>,
    ended: Mutex<Vec<OwnedRwLockWriteGuard<()>>>,
}

impl Memberships {
    /// No groups yet.
    pub(crate) fn new(cluster: &Cluster, endpoints: &Endpoints, users: &[UserId]) -> Result<Self> {
        let api = |user: &UserId| {
            let token = cluster.member(*user)?.token;
            Ok((*user, Api::new(endpoints.http_url.clone()).with_token(token)))
        };
        Ok(Self {
            recorder: endpoints.recorder.clone(),
            apis: users.iter().map(api).collect::<Result<_>>()?,
            states: Mutex::default(),
            gates: Mutex::default(),
            ended: Mutex::default(),
        })
    }

    /// Creates a group of the first user as its owner, the second, and some of the others. Returns
    /// its members. Nobody changes it before it is [opened](Self::open).
    ///
    /// If a creation is not answered, its group is one that nobody knows, and another is created.
    ///
    /// # Errors
    /// The call is refused.
    pub(crate) async fn create_group(&self, super_group: bool, rng: &mut StdRng) -> Result<(GroupId, Vec<UserId>)> {
        let (owner, second, others) = (self.apis[0].0, self.apis[1].0, &self.apis[2..]);
        let others = others
            .iter()
            .map(|(user, _)| *user)
            .filter(|_| rng.random_bool(FOUNDER));
        let create = CreateGroup {
            name: "the group".to_owned(),
            user_ids: std::iter::once(second).chain(others).collect(),
            super_group,
            open_history: false,
            request_id: None,
        };
        let api = self.owner();
        let group = loop {
            match api.create_group(&create).await {
                Ok(created) => break created.group_id,
                Err(error) => wait_or_fail(error).await?,
            }
        };
        // Nobody can have known the group before, so recording it now is soon enough.
        let is_super = super_group;
        self.recorder.note(Event::Founded { group, is_super });
        let members: Vec<UserId> = std::iter::once(owner).chain(create.user_ids).collect();
        for &user in &members {
            self.note(group, user, Turn::Joins);
        }
        let (setting, is_on) = (Setting::Ranks(owner), true);
        self.recorder.note(Event::Set { group, setting, is_on });
        self.recorder.note(Event::SetDone { group, setting, is_on });
        Ok((group, members))
    }

    /// Lets actors use and change a group from here on.
    pub(crate) fn open(&self, group: GroupId, members: &[UserId], admin: Option<UserId>) {
        lock(&self.gates).insert(group, Arc::default());
        for (user, _) in &self.apis {
            let state = MemberState {
                is_member: members.contains(user),
                is_admin: admin == Some(*user),
                is_changing: false,
            };
            self.states().insert((group, *user), state);
        }
    }

    /// Waits until nobody changes a group, and keeps everybody from changing it for ever.
    pub(crate) async fn close(&self, group: GroupId) {
        let gate = lock(&self.gates).get(&group).cloned();
        if let Some(gate) = gate {
            let closed = gate.write_owned().await;
            lock(&self.ended).push(closed);
        }
    }

    /// The HTTP API, signed in as the owner.
    pub(crate) fn owner(&self) -> &Api {
        &self.apis[0].1
    }

    /// The groups that a user is in, or those that they are not in, without changes under way.
    pub(crate) fn groups(&self, of: UserId, is_member: bool) -> Vec<GroupId> {
        let states = self.states();
        let mine = states.iter().filter(|((_, user), _)| *user == of);
        let wanted = mine.filter(|(_, state)| state.is_member == is_member);
        wanted.map(|((group, _), _)| *group).collect()
    }

    /// Whether a user is in a group.
    pub(crate) fn is_member(&self, group: GroupId, user: UserId) -> bool {
        let state = self.states().get(&(group, user)).copied();
        state.is_some_and(|state| state.is_member)
    }

    /// Changes a random membership, or several of one group at once. Returns when that is done.
    pub(crate) async fn change_any(&self, rng: &mut StdRng) {
        let Some(first) = self.hold(rng, |_, _| true) else {
            return;
        };
        let (group, is_member) = (first.group, first.was.is_member);
        let mut held = vec![first];
        if rng.random_bool(SEVERAL) {
            let is_alike = |of: GroupId, state: &MemberState| of == group && state.is_member == is_member;
            held.extend((0..2).filter_map(|_| self.hold(rng, is_alike)));
        }
        let turn = if is_member { Turn::Leaves } else { Turn::Joins };
        for held in &held {
            let user = held.user;
            if held.was.is_admin {
                let (setting, is_on) = (Setting::Ranks(user), false);
                self.recorder.note(Event::Set { group, setting, is_on });
            }
            self.recorder.note(Event::Change { group, user, turn });
        }
        let owner = self.apis[0].0;
        let mut caller = match (turn, held.as_slice()) {
            (Turn::Leaves, [one]) if rng.random_bool(LEAVES) => one.user,
            _ => self.apis[usize::from(rng.random_bool(ADMIN))].0,
        };
        let users: Vec<UserId> = held.iter().map(|held| held.user).collect();
        while let Err(error) = self.call(caller, group, &users, turn).await {
            if !error.is_retryable() {
                // The admin may have been removed meanwhile, or there may be none.
                caller = owner;
            }
            sleep(PAUSE).await;
        }
        for held in held {
            let user = held.user;
            self.recorder.note(Event::Changed { group, user, turn });
            if held.was.is_admin {
                // A user who leaves is no admin any more.
                let (setting, is_on) = (Setting::Ranks(user), false);
                self.recorder.note(Event::SetDone { group, setting, is_on });
            }
            let state = MemberState {
                is_member: turn == Turn::Joins,
                is_admin: false,
                is_changing: false,
            };
            self.states().insert((group, user), state);
        }
    }

    /// Holds a random member who is not the owner.
    pub(crate) fn hold_member(&self, rng: &mut StdRng) -> Option<Held> {
        self.hold(rng, |_, state| state.is_member)
    }

    /// Holds a random membership that nobody is changing, in a group that is not dissolved.
    fn hold(&self, rng: &mut StdRng, is_wanted: impl Fn(GroupId, &MemberState) -> bool) -> Option<Held> {
        let owner = self.apis[0].0;
        let gates = lock(&self.gates).clone();
        let mut states = self.states();
        let free = states.iter_mut().filter_map(|((group, user), state)| {
            let is_free = *user != owner && !state.is_changing && is_wanted(*group, state);
            let gate = gates.get(group).filter(|_| is_free)?;
            Some((*group, *user, state, Arc::clone(gate).try_read_owned().ok()?))
        });
        let mut free: Vec<_> = free.collect();
        if free.is_empty() {
            return None;
        }
        let (group, user, state, open) = free.swap_remove(rng.random_range(0..free.len()));
        state.is_changing = true;
        Some(Held {
            group,
            user,
            was: *state,
            _open: open,
        })
    }

    /// Lets others change a membership again.
    pub(crate) fn release(&self, held: &Held) {
        if let Some(state) = self.states().get_mut(&(held.group, held.user)) {
            state.is_changing = false;
        }
    }

    /// One call. It also succeeds if an earlier call has already made the change.
    async fn call(&self, caller: UserId, group: GroupId, users: &[UserId], turn: Turn) -> Result<(), ApiError> {
        let api = self.api(caller);
        match turn {
            Turn::Joins => api.add_members(group, users.to_vec()).await.map(drop),
            Turn::Leaves if users == [caller] => api.leave_group(group).await,
            Turn::Leaves => api.remove_members(group, users.to_vec()).await.map(drop),
        }
    }

    fn note(&self, group: GroupId, user: UserId, turn: Turn) {
        self.recorder.note(Event::Change { group, user, turn });
        self.recorder.note(Event::Changed { group, user, turn });
    }

    /// The HTTP API, signed in as this user.
    pub(crate) fn api(&self, user: UserId) -> &Api {
        let of = self.apis.iter().find(|(of, _)| *of == user);
        &of.unwrap_or(&self.apis[0]).1
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<(GroupId, UserId), MemberState>> {
        lock(&self.states)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// After a failed call: waits until it may be repeated.
///
/// # Errors
/// The call was refused.
pub(crate) async fn wait_or_fail(error: ApiError) -> Result<(), ApiError> {
    if !error.is_retryable() {
        return Err(error);
    }
    sleep(PAUSE).await;
    Ok(())
}
