//! Who may change what, and what a wish comes to: pure rules.

use super::change::Effect;
use super::info::{Info, count};
use super::membership::Membership;
use super::rows::Rows;
use super::{Changed, Wanted, distinct};
use crate::ids::UserId;
use std::collections::HashSet;
use wigwag_protocol::Code;
use wigwag_protocol::http::Role;
use wigwag_protocol::limits::{CHANGE_USERS, GROUP_MEMBERS, SUPER_GROUP_MEMBERS};

/// What is to be known before a wish can be judged.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) info: &'a Info,
    pub(super) actor: UserId,
    /// The rows of the actor and of all users that the wish names.
    pub(super) rows: &'a Rows,
    /// Those among the users to be added who exist.
    pub(super) existing: &'a HashSet<UserId>,
    /// The highest reserved seq of the group's log, where users are to be added.
    pub(super) log_seq: u64,
    pub(super) now_ms: i64,
}

/// What a wish comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// All is as it wants already.
    Nothing(Changed),
    /// This is to be done.
    Do(Effect, Changed),
}

impl Facts<'_> {
    /// What a wish comes to, or why it is refused.
    pub(super) fn judge(&self, wanted: &Wanted) -> Result<Judged, Code> {
        let Some(actor) = self.active(self.actor) else {
            return match wanted {
                Wanted::Leave => Ok(unchanged(self.actor)),
                _ => Err(Code::NOT_A_MEMBER),
            };
        };
        if self.info.dissolved {
            return match wanted {
                Wanted::Dissolve if actor.role == Role::Owner => Ok(nothing()),
                _ => Err(Code::GROUP_DISSOLVED),
            };
        }
        if actor.role < least_role(wanted) {
            return Err(Code::ROLE_TOO_LOW);
        }
        match wanted {
            Wanted::Add(users) => self.add(users),
            Wanted::Remove(users) => self.remove(actor, users),
            Wanted::Leave if actor.role == Role::Owner => Err(Code::OWNER_STAYS),
            Wanted::Leave => Ok(of_one(self.actor, Effect::Left)),
            Wanted::Rename(name) => Ok(unless(self.info.name == *name, Effect::Renamed { name: name.clone() })),
            Wanted::Role(user, role) => self.set_role(*user, *role),
            Wanted::HandOver(user) => self.hand_over(*user),
            Wanted::MuteMember(user, until_ms) => self.mute_member(actor, *user, *until_ms),
            Wanted::Mute(muted) => Ok(unless(self.info.muted == *muted, Effect::Muted { muted: *muted })),
            Wanted::OpenHistory(open) => {
                let effect = Effect::HistoryOpened { open: *open };
                Ok(unless(self.info.open_history == *open, effect))
            }
            Wanted::BecomeSuper => Ok(unless(self.info.super_group, Effect::BecameSuper)),
            Wanted::Dissolve => Ok(unless(false, Effect::Dissolved)),
        }
    }

    fn active(&self, user: UserId) -> Option<&Membership> {
        let membership = &self.rows.get(&user)?.membership;
        membership.is_active().then_some(membership)
    }

    fn add(&self, users: &[UserId]) -> Result<Judged, Code> {
        let changed = Self::split(users, |user| self.active(user).is_none());
        if changed.changed.iter().any(|user| !self.existing.contains(user)) {
            return Err(Code::USER_NOT_FOUND);
        }
        if !fits(self.info.members, count(&changed.changed), self.info.super_group) {
            return Err(Code::GROUP_FULL);
        }
        let effect = Effect::Added {
            users: changed.changed.clone(),
            first_place: self.info.places,
            joined_after: self.log_seq,
        };
        Ok(of_many(changed, effect))
    }

    fn remove(&self, actor: &Membership, users: &[UserId]) -> Result<Judged, Code> {
        let changed = Self::split(users, |user| self.active(user).is_some());
        for user in &changed.changed {
            self.above(actor, *user)?;
        }
        let users = changed.changed.clone();
        Ok(of_many(changed, Effect::Removed { users }))
    }

    fn set_role(&self, user: UserId, role: Role) -> Result<Judged, Code> {
        let member = self.active(user).ok_or(Code::MEMBER_NOT_FOUND)?;
        match (member.role, role) {
            // There is one owner, and handing over makes another.
            (_, Role::Owner) => Err(Code::INVALID_FIELD),
            (Role::Owner, _) => Err(Code::OWNER_STAYS),
            (before, after) if before == after => Ok(unchanged(user)),
            _ => Ok(of_one(user, Effect::Role { user, role })),
        }
    }

    fn hand_over(&self, user: UserId) -> Result<Judged, Code> {
        let member = self.active(user).ok_or(Code::MEMBER_NOT_FOUND)?;
        if member.role == Role::Owner {
            return Ok(unchanged(user));
        }
        Ok(of_one(user, Effect::HandedOver { user }))
    }

    fn mute_member(&self, actor: &Membership, user: UserId, until_ms: i64) -> Result<Judged, Code> {
        let member = self.active(user).ok_or(Code::MEMBER_NOT_FOUND)?;
        self.above(actor, user)?;
        // A time that has passed mutes nobody.
        let until_ms = if until_ms > self.now_ms { until_ms } else { 0 };
        let is_muted = member.muted_until_ms > self.now_ms;
        if member.muted_until_ms == until_ms || (until_ms == 0 && !is_muted) {
            return Ok(unchanged(user));
        }
        Ok(of_one(user, Effect::MemberMuted { user, until_ms }))
    }

    /// Whether a member stands above another: nobody above the owner, admins above plain members alone.
    fn above(&self, actor: &Membership, user: UserId) -> Result<(), Code> {
        match self.active(user).map_or(Role::Member, |member| member.role) {
            Role::Owner => Err(Code::OWNER_STAYS),
            role if role >= actor.role => Err(Code::ROLE_TOO_LOW),
            _ => Ok(()),
        }
    }

    /// Users, each once, into those whom it changes something for and the others.
    fn split(users: &[UserId], changes: impl Fn(UserId) -> bool) -> Changed {
        let users = distinct(users.iter().copied());
        let (changed, unchanged) = users.partition(|user| changes(*user));
        Changed { changed, unchanged }
    }
}

/// Whether a change may name these users.
pub(super) fn check_users(users: &[UserId]) -> Result<(), Code> {
    if distinct(users.iter().copied()).count() > CHANGE_USERS {
        return Err(Code::TOO_MANY_USERS);
    }
    Ok(())
}

/// The members that a group begins with, each once, the owner first.
pub(super) fn check_new(owner: UserId, users: &[UserId]) -> Result<Vec<UserId>, Code> {
    check_users(users)?;
    Ok(distinct(std::iter::once(owner).chain(users.iter().copied())).collect())
}

/// The lowest role that a wish takes.
fn least_role(wanted: &Wanted) -> Role {
    match wanted {
        Wanted::Leave => Role::Member,
        Wanted::Add(_) | Wanted::Remove(_) | Wanted::Rename(_) | Wanted::MuteMember(..) | Wanted::Mute(_) => {
            Role::Admin
        }
        Wanted::Role(..) | Wanted::HandOver(_) | Wanted::OpenHistory(_) | Wanted::BecomeSuper | Wanted::Dissolve => {
            Role::Owner
        }
    }
}

/// Whether a group of so many members takes so many more.
fn fits(members: u32, more: u32, super_group: bool) -> bool {
    let most = if super_group {
        SUPER_GROUP_MEMBERS
    } else {
        GROUP_MEMBERS
    };
    more == 0 || members.saturating_add(more) <= most
}

fn nothing() -> Judged {
    Judged::Nothing(Changed::default())
}

fn unchanged(user: UserId) -> Judged {
    Judged::Nothing(Changed {
        changed: Vec::new(),
        unchanged: vec![user],
    })
}

fn unless(is_so: bool, effect: Effect) -> Judged {
    if is_so {
        nothing()
    } else {
        Judged::Do(effect, Changed::default())
    }
}

fn of_one(user: UserId, effect: Effect) -> Judged {
    let changed = Changed {
        changed: vec![user],
        unchanged: Vec::new(),
    };
    Judged::Do(effect, changed)
}

fn of_many(changed: Changed, effect: Effect) -> Judged {
    if changed.changed.is_empty() {
        Judged::Nothing(changed)
    } else {
        Judged::Do(effect, changed)
    }
}
