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
    fn split(users: &[UserId], is_about: impl Fn(UserId) -> bool) -> Changed {
        let users = distinct(users.iter().copied());
        let (changed, unchanged) = users.partition(|user| is_about(*user));
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

#[cfg(test)]
mod tests {
    use super::super::Stint;
    use super::super::rows::Row;
    use super::*;

    const OWNER: UserId = 1;
    const ADMIN: UserId = 2;
    const ADMIN_TOO: UserId = 3;
    const MEMBER: UserId = 4;
    const MEMBER_TOO: UserId = 5;
    const LEFT: UserId = 6;
    const NOBODY: UserId = 7;
    const UNKNOWN: UserId = 8;
    const NOW: i64 = 1000;

    fn info() -> Info {
        Info {
            name: "friends".to_owned(),
            owner: OWNER,
            members: 5,
            places: 9,
            created_at_ms: 0,
            super_group: false,
            muted: false,
            open_history: false,
            dissolved: false,
            version: 3,
            change: None,
            change_seq: None,
        }
    }

    fn rows() -> Rows {
        let row = |user: UserId, role: Role, left: Option<u64>| {
            let stint = Stint { joined_after: 0, left };
            let membership = Membership {
                group: 9,
                role,
                muted_until_ms: if user == MEMBER_TOO { NOW + 1 } else { 0 },
                stints: vec![stint],
                place: user,
            };
            (user, Row { membership, version: 1 })
        };
        Rows::from([
            row(OWNER, Role::Owner, None),
            row(ADMIN, Role::Admin, None),
            row(ADMIN_TOO, Role::Admin, None),
            row(MEMBER, Role::Member, None),
            row(MEMBER_TOO, Role::Member, None),
            row(LEFT, Role::Admin, Some(8)),
        ])
    }

    fn judge_in(info: &Info, actor: UserId, wanted: &Wanted) -> Result<Judged, Code> {
        let facts = Facts {
            info,
            actor,
            rows: &rows(),
            existing: &(OWNER..=NOBODY).chain(100..=10_100).collect(),
            log_seq: 20,
            now_ms: NOW,
        };
        facts.judge(wanted)
    }

    fn judge(actor: UserId, wanted: &Wanted) -> Result<Judged, Code> {
        judge_in(&info(), actor, wanted)
    }

    /// "done", "nothing", or the name of the refusal.
    fn outcome(actor: UserId, wanted: &Wanted) -> &'static str {
        match judge(actor, wanted) {
            Ok(Judged::Do(..)) => "done",
            Ok(Judged::Nothing(_)) => "nothing",
            Err(code) => code.name(),
        }
    }

    #[test]
    fn who_may_do_what() {
        const LOW: &str = "ROLE_TOO_LOW";
        const STAYS: &str = "OWNER_STAYS";
        let table = [
            // (wish, by the owner, by an admin, by a plain member)
            (Wanted::Add(vec![NOBODY]), "done", "done", LOW),
            (Wanted::Add(vec![LEFT]), "done", "done", LOW),
            (Wanted::Add(vec![MEMBER]), "nothing", "nothing", LOW),
            (Wanted::Add(vec![UNKNOWN]), "USER_NOT_FOUND", "USER_NOT_FOUND", LOW),
            (Wanted::Remove(vec![MEMBER_TOO]), "done", "done", LOW),
            (Wanted::Remove(vec![ADMIN_TOO]), "done", LOW, LOW),
            (Wanted::Remove(vec![MEMBER, OWNER]), STAYS, STAYS, LOW),
            (Wanted::Remove(vec![LEFT, NOBODY, UNKNOWN]), "nothing", "nothing", LOW),
            (Wanted::Leave, STAYS, "done", "done"),
            (Wanted::Rename("others".to_owned()), "done", "done", LOW),
            (Wanted::Rename("friends".to_owned()), "nothing", "nothing", LOW),
            (Wanted::Role(MEMBER, Role::Admin), "done", LOW, LOW),
            (Wanted::Role(ADMIN, Role::Member), "done", LOW, LOW),
            (Wanted::Role(ADMIN, Role::Admin), "nothing", LOW, LOW),
            (Wanted::Role(MEMBER, Role::Owner), "INVALID_FIELD", LOW, LOW),
            (Wanted::Role(OWNER, Role::Member), STAYS, LOW, LOW),
            (Wanted::Role(LEFT, Role::Member), "MEMBER_NOT_FOUND", LOW, LOW),
            (Wanted::HandOver(MEMBER), "done", LOW, LOW),
            (Wanted::HandOver(OWNER), "nothing", LOW, LOW),
            (Wanted::HandOver(NOBODY), "MEMBER_NOT_FOUND", LOW, LOW),
            (Wanted::MuteMember(MEMBER, NOW + 9), "done", "done", LOW),
            (Wanted::MuteMember(ADMIN_TOO, NOW + 9), "done", LOW, LOW),
            (Wanted::MuteMember(OWNER, NOW + 9), STAYS, STAYS, LOW),
            (
                Wanted::MuteMember(LEFT, NOW + 9),
                "MEMBER_NOT_FOUND",
                "MEMBER_NOT_FOUND",
                LOW,
            ),
            (Wanted::MuteMember(MEMBER, 0), "nothing", "nothing", LOW),
            (Wanted::MuteMember(MEMBER, NOW), "nothing", "nothing", LOW),
            (Wanted::MuteMember(MEMBER_TOO, NOW + 1), "nothing", "nothing", LOW),
            (Wanted::MuteMember(MEMBER_TOO, 0), "done", "done", LOW),
            (Wanted::Mute(true), "done", "done", LOW),
            (Wanted::Mute(false), "nothing", "nothing", LOW),
            (Wanted::OpenHistory(true), "done", LOW, LOW),
            (Wanted::OpenHistory(false), "nothing", LOW, LOW),
            (Wanted::BecomeSuper, "done", LOW, LOW),
            (Wanted::Dissolve, "done", LOW, LOW),
        ];
        for (wanted, by_owner, by_admin, by_member) in table {
            let outcomes = [OWNER, ADMIN, MEMBER].map(|actor| outcome(actor, &wanted));
            assert_eq!(outcomes, [by_owner, by_admin, by_member], "{wanted:?}");
            for outsider in [LEFT, NOBODY] {
                let expected = if wanted == Wanted::Leave {
                    "nothing"
                } else {
                    "NOT_A_MEMBER"
                };
                assert_eq!(outcome(outsider, &wanted), expected, "{wanted:?}");
            }
        }
    }

    #[test]
    fn a_group_that_was_dissolved_changes_no_more() {
        let mut info = info();
        info.dissolved = true;
        for wanted in [
            Wanted::Leave,
            Wanted::Dissolve,
            Wanted::Mute(false),
            Wanted::Add(vec![MEMBER]),
        ] {
            assert_eq!(judge_in(&info, ADMIN, &wanted), Err(Code::GROUP_DISSOLVED));
        }
        assert_eq!(judge_in(&info, OWNER, &Wanted::Dissolve), Ok(nothing()));
        assert_eq!(judge_in(&info, OWNER, &Wanted::Leave), Err(Code::GROUP_DISSOLVED));
        assert_eq!(judge_in(&info, NOBODY, &Wanted::Dissolve), Err(Code::NOT_A_MEMBER));
    }

    #[test]
    fn a_full_group_takes_nobody_and_a_super_group_takes_more() {
        let mut info = info();
        info.members = GROUP_MEMBERS - 2;
        let add = |users: std::ops::Range<UserId>| Wanted::Add(users.collect());
        assert!(matches!(judge_in(&info, ADMIN, &add(100..102)), Ok(Judged::Do(..))));
        assert_eq!(judge_in(&info, ADMIN, &add(100..103)), Err(Code::GROUP_FULL));
        info.super_group = true;
        assert!(matches!(judge_in(&info, ADMIN, &add(100..103)), Ok(Judged::Do(..))));
        info.members = SUPER_GROUP_MEMBERS;
        assert_eq!(judge_in(&info, ADMIN, &add(100..101)), Err(Code::GROUP_FULL));
        let already = judge_in(&info, ADMIN, &Wanted::Add(vec![MEMBER]));
        assert!(
            matches!(already, Ok(Judged::Nothing(_))),
            "who is in a full group already is no more"
        );
    }

    #[test]
    fn users_are_counted_once_and_only_those_whom_it_changes_something_for() {
        let judged = judge(ADMIN, &Wanted::Add(vec![NOBODY, MEMBER, LEFT, NOBODY, MEMBER]));
        let changed = Changed {
            changed: vec![NOBODY, LEFT],
            unchanged: vec![MEMBER],
        };
        let effect = Effect::Added {
            users: vec![NOBODY, LEFT],
            first_place: 9,
            joined_after: 20,
        };
        assert_eq!(judged, Ok(Judged::Do(effect, changed)));
        assert_eq!(check_new(OWNER, &[MEMBER, OWNER, MEMBER]), Ok(vec![OWNER, MEMBER]));
        assert_eq!(
            check_new(OWNER, &(2..=101).collect::<Vec<_>>()).map(|users| users.len()),
            Ok(101)
        );
        assert_eq!(
            check_new(OWNER, &(2..=102).collect::<Vec<_>>()),
            Err(Code::TOO_MANY_USERS)
        );
    }
}
