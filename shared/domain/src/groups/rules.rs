//! The rules of changes: who may make which change, and what it comes down to.

use super::change::Effect;
use super::membership::{MemberRows, Membership};
use super::record::{GroupRecord, count};
use crate::ids::UserId;
use crate::relation::{MessagesFrom, Relation};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use wigwag_protocol::Code;
use wigwag_protocol::http::Role;
use wigwag_protocol::limits::{CHANGE_USERS, GROUP_MEMBERS, SUPER_GROUP_MEMBERS, USERS_PER_MEMBER};

/// A change that a user wants to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// These users become members.
    Add(Vec<UserId>),
    /// These members are removed.
    Remove(Vec<UserId>),
    /// The actor leaves.
    Leave,
    /// The group gets another name.
    Rename(String),
    /// A member gets another role: admin, or plain member.
    Role(UserId, Role),
    /// The group gets another owner.
    HandOver(UserId),
    /// A member may not send until this time, in ms; 0: may send again.
    MuteMember(UserId, i64),
    /// Whether only the owner and admins may send.
    Mute(bool),
    /// Whether members may read messages from before they joined.
    OpenHistory(bool),
    /// The group becomes a super group.
    BecomeSuper,
    /// The group ends.
    Dissolve,
}

impl Wanted {
    /// The users that it names.
    pub fn users(&self) -> &[UserId] {
        match self {
            Self::Add(users) | Self::Remove(users) => users,
            Self::Role(user, _) | Self::HandOver(user) | Self::MuteMember(user, _) => std::slice::from_ref(user),
            Self::Leave
            | Self::Rename(_)
            | Self::Mute(_)
            | Self::OpenHistory(_)
            | Self::BecomeSuper
            | Self::Dissolve => &[],
        }
    }
}

/// A change that was made, or had been made before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changed {
    /// The users for whom something changed.
    pub changed: Vec<UserId>,
    /// The users for whom nothing had to change.
    pub unchanged: Vec<UserId>,
}

/// Two mutes whose ends are at most this far apart are the same one, in ms: it was asked for again
/// because the answer was lost. But a mute of half the length is another one.
const SAME_MUTE_MS: i64 = 60_000;

/// The facts by which a wanted change is judged.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The group.
    pub record: &'a GroupRecord,
    /// The user who wants the change.
    pub actor: UserId,
    /// The rows of the actor and of all users that the change names.
    pub rows: &'a MemberRows,
    /// The users to be added who exist.
    pub existing: &'a BTreeSet<UserId>,
    /// The users to be added who take no messages from the actor, and why.
    pub unwelcome: &'a BTreeMap<UserId, Code>,
    /// The time, in ms.
    pub now_ms: i64,
}

/// Why a change is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub code: Code,
    /// The users that are the reason, if any.
    pub users: Vec<UserId>,
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        let users = Vec::new();
        Self { code, users }
    }
}

/// What a wanted change comes down to.
#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    /// Nothing is to be done: everything is as wanted already.
    Nothing(Changed),
    /// This effect is to be carried out.
    Do(Effect, Changed),
}

impl Facts<'_> {
    /// What a wanted change comes down to, or why it is refused.
    pub fn judge(&self, wanted: &Wanted) -> Result<Judged, Refusal> {
        let Some(actor) = self.active(self.actor) else {
            return match wanted {
                Wanted::Leave => Ok(unchanged(self.actor)),
                _ => Err(Code::NOT_A_MEMBER.into()),
            };
        };
        if self.record.dissolved {
            return match wanted {
                Wanted::Dissolve if actor.role == Role::Owner => Ok(nothing()),
                Wanted::Leave => Ok(of_one(self.actor, Effect::LeftDissolved)),
                _ => Err(Code::GROUP_DISSOLVED.into()),
            };
        }
        if actor.role < least_role(wanted) {
            return match wanted {
                // The previous owner is an admin by now, and may repeat the request.
                Wanted::HandOver(user) if actor.role == Role::Admin && *user == self.record.owner => {
                    Ok(unchanged(*user))
                }
                _ => Err(Code::ROLE_TOO_LOW.into()),
            };
        }
        Ok(match wanted {
            Wanted::Add(users) => return self.add(users),
            Wanted::Remove(users) => self.remove(actor, users)?,
            Wanted::Leave if actor.role == Role::Owner => return Err(Code::OWNER_STAYS.into()),
            Wanted::Leave => of_one(self.actor, Effect::Left),
            Wanted::Rename(name) => unless(self.record.name == *name, Effect::Renamed { name: name.clone() }),
            Wanted::Role(user, role) => self.set_role(*user, *role)?,
            Wanted::HandOver(user) => self.hand_over(*user)?,
            Wanted::MuteMember(user, until_ms) => self.mute_member(actor, *user, *until_ms)?,
            Wanted::Mute(muted) => unless(self.record.muted == *muted, Effect::Muted { muted: *muted }),
            Wanted::OpenHistory(open) => {
                let effect = Effect::HistoryOpened { open: *open };
                unless(self.record.open_history == *open, effect)
            }
            Wanted::BecomeSuper => unless(self.record.super_group, Effect::BecameSuper),
            Wanted::Dissolve => unless(false, Effect::Dissolved),
        })
    }

    fn active(&self, user: UserId) -> Option<&Membership> {
        let membership = &self.rows.get(&user)?.membership;
        membership.is_active().then_some(membership)
    }

    fn add(&self, users: &[UserId]) -> Result<Judged, Refusal> {
        let changed = Self::split(users, |user| self.active(user).is_none());
        check_existing(&changed.changed, self.existing)?;
        check_welcome(&changed.changed, self.unwelcome)?;
        let most = most_members(self.record.super_group);
        if !changed.changed.is_empty() && self.record.members.saturating_add(count(&changed.changed)) > most {
            return Err(Code::GROUP_FULL.into());
        }
        let mut next = self.record.slots;
        let slot = |user: &UserId| {
            // A user who was a member before has a slot already.
            self.rows.get(user).map_or_else(
                || {
                    next += 1;
                    next - 1
                },
                |row| row.membership.slot,
            )
        };
        let slots = changed.changed.iter().map(slot).collect();
        if next > self.record.slots && next > u64::from(most) * USERS_PER_MEMBER {
            return Err(Code::GROUP_FULL.into());
        }
        let users = changed.changed.clone();
        Ok(of_many(changed, Effect::Added { users, slots }))
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
            // There is one owner; only a hand-over makes another.
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
        // A time in the past mutes nobody.
        let until_ms = if until_ms > self.now_ms { until_ms } else { 0 };
        let is_muted = member.muted_until_ms > self.now_ms;
        let is_so = if until_ms == 0 {
            !is_muted
        } else {
            let same_ms = SAME_MUTE_MS.min((until_ms - self.now_ms) / 2);
            is_muted && (until_ms - member.muted_until_ms).abs() <= same_ms
        };
        if is_so {
            return Ok(unchanged(user));
        }
        Ok(of_one(user, Effect::MemberMuted { user, until_ms }))
    }

    /// Whether the actor ranks above another member. Nobody ranks above the owner; admins rank
    /// above plain members only.
    fn above(&self, actor: &Membership, user: UserId) -> Result<(), Code> {
        match self.active(user).map_or(Role::Member, |member| member.role) {
            Role::Owner => Err(Code::OWNER_STAYS),
            role if role >= actor.role => Err(Code::ROLE_TOO_LOW),
            _ => Ok(()),
        }
    }

    /// Splits users, each counted once, into those for whom something changes and the others.
    fn split(users: &[UserId], is_about: impl Fn(UserId) -> bool) -> Changed {
        let users = distinct(users.iter().copied());
        let (changed, unchanged) = users.partition(|user| is_about(*user));
        Changed { changed, unchanged }
    }
}

/// Checks that a change names no more users than it may.
pub fn check_users(users: &[UserId]) -> Result<(), Code> {
    if distinct(users.iter().copied()).count() > CHANGE_USERS {
        return Err(Code::TOO_MANY_USERS);
    }
    Ok(())
}

/// The members that a group begins with, each once, the owner first.
pub fn check_new(owner: UserId, users: &[UserId]) -> Result<Vec<UserId>, Code> {
    check_users(users)?;
    Ok(distinct(std::iter::once(owner).chain(users.iter().copied())).collect())
}

/// The lowest role that may make a change.
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

/// Checks that all of these users exist.
pub fn check_existing(users: &[UserId], existing: &BTreeSet<UserId>) -> Result<(), Refusal> {
    let unknown: Vec<UserId> = users.iter().copied().filter(|user| !existing.contains(user)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Refusal {
        code: Code::USER_NOT_FOUND,
        users: unknown,
    })
}

/// Checks that all of these users take messages from the user who adds them. (If a block and this
/// happen at the same time, either order is right.)
pub fn check_welcome(users: &[UserId], unwelcome: &BTreeMap<UserId, Code>) -> Result<(), Refusal> {
    let code_of = |user: &UserId| unwelcome.get(user).copied();
    let Some(code) = users.iter().find_map(code_of) else {
        return Ok(());
    };
    let users = users.iter().copied().filter(|user| code_of(user) == Some(code));
    Err(Refusal {
        code,
        users: users.collect(),
    })
}

fn most_members(super_group: bool) -> u32 {
    if super_group {
        SUPER_GROUP_MEMBERS
    } else {
        GROUP_MEMBERS
    }
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

/// The users, each once, in their order.
pub fn distinct(users: impl Iterator<Item = UserId>) -> impl Iterator<Item = UserId> {
    let mut seen = HashSet::new();
    users.filter(move |user| seen.insert(*user))
}

/// The users who take no messages from somebody, and why. `relations`: what that somebody is to
/// each of them.
pub fn unwelcome(
    relations: impl IntoIterator<Item = (UserId, Relation)>,
    messages_from: MessagesFrom,
) -> BTreeMap<UserId, Code> {
    let refusals = relations
        .into_iter()
        .filter_map(|(user, relation)| Some((user, messages_from.refuses(relation)?)));
    refusals.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::change::Change;
    use crate::groups::membership::{MemberRow, MembershipInterval};
    use crate::ids::GroupId;

    const OWNER: UserId = UserId(1);
    const ADMIN: UserId = UserId(2);
    const ADMIN_TOO: UserId = UserId(3);
    const MEMBER: UserId = UserId(4);
    const MEMBER_TOO: UserId = UserId(5);
    const LEFT: UserId = UserId(6);
    const NOBODY: UserId = UserId(7);
    const UNKNOWN: UserId = UserId(8);
    const UNKNOWN_TOO: UserId = UserId(9);
    const UNWELCOME: UserId = UserId(10);
    const UNWELCOME_TOO: UserId = UserId(11);
    const NOW: i64 = 1000;

    fn record() -> GroupRecord {
        GroupRecord {
            name: "friends".to_owned(),
            owner: OWNER,
            members: 5,
            slots: 9,
            created_at_ms: 0,
            request: None,
            super_group: false,
            muted: false,
            open_history: false,
            dissolved: false,
            version: 3,
            change: None,
            change_seq: None,
        }
    }

    fn rows() -> MemberRows {
        let row = |user: UserId, role: Role, left: Option<u64>| {
            let interval = MembershipInterval { joined_after: 0, left };
            let membership = Membership {
                group: GroupId(9),
                role,
                muted_until_ms: if user == MEMBER_TOO { NOW + 1 } else { 0 },
                intervals: vec![interval],
                slot: user.0,
            };
            (user, MemberRow { membership, version: 1 })
        };
        MemberRows::from([
            row(OWNER, Role::Owner, None),
            row(ADMIN, Role::Admin, None),
            row(ADMIN_TOO, Role::Admin, None),
            row(MEMBER, Role::Member, None),
            row(MEMBER_TOO, Role::Member, None),
            row(LEFT, Role::Admin, Some(8)),
        ])
    }

    fn judge_in(record: &GroupRecord, actor: UserId, wanted: &Wanted) -> Result<Judged, Refusal> {
        let existing = &(OWNER.0..=NOBODY.0)
            .chain([UNWELCOME.0, UNWELCOME_TOO.0])
            .chain(100..=10_100)
            .map(UserId)
            .collect();
        let unwelcome = &[MEMBER, UNWELCOME, UNWELCOME_TOO]
            .map(|user| (user, Code::BLOCKED))
            .into();
        let facts = Facts {
            record,
            actor,
            rows: &rows(),
            existing,
            unwelcome,
            now_ms: NOW,
        };
        facts.judge(wanted)
    }

    fn judge(actor: UserId, wanted: &Wanted) -> Result<Judged, Refusal> {
        judge_in(&record(), actor, wanted)
    }

    /// "done", "nothing", or the name of the refusal.
    fn outcome(actor: UserId, wanted: &Wanted) -> &'static str {
        match judge(actor, wanted) {
            Ok(Judged::Do(..)) => "done",
            Ok(Judged::Nothing(_)) => "nothing",
            Err(refusal) => refusal.code.name(),
        }
    }

    #[test]
    fn roles_decide_who_may_change_a_group() {
        const LOW: &str = "ROLE_TOO_LOW";
        const STAYS: &str = "OWNER_STAYS";
        let table = [
            // (wish, by the owner, by an admin, by a plain member)
            (Wanted::Add(vec![NOBODY]), "done", "done", LOW),
            (Wanted::Add(vec![LEFT]), "done", "done", LOW),
            (Wanted::Add(vec![MEMBER]), "nothing", "nothing", LOW),
            (Wanted::Add(vec![UNKNOWN]), "USER_NOT_FOUND", "USER_NOT_FOUND", LOW),
            (Wanted::Add(vec![UNWELCOME]), "BLOCKED", "BLOCKED", LOW),
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
            // The former owner becomes an admin.
            (Wanted::HandOver(OWNER), "nothing", "nothing", LOW),
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
        let mut record = record();
        record.dissolved = true;
        for wanted in [Wanted::Dissolve, Wanted::Mute(false), Wanted::Add(vec![MEMBER])] {
            assert_eq!(judge_in(&record, ADMIN, &wanted), Err(Code::GROUP_DISSOLVED.into()));
        }
        assert_eq!(judge_in(&record, OWNER, &Wanted::Dissolve), Ok(nothing()));
        assert_eq!(
            judge_in(&record, NOBODY, &Wanted::Dissolve),
            Err(Code::NOT_A_MEMBER.into())
        );
        for who in [OWNER, ADMIN, MEMBER] {
            assert_eq!(
                judge_in(&record, who, &Wanted::Leave),
                Ok(of_one(who, Effect::LeftDissolved))
            );
        }
        assert_eq!(judge_in(&record, LEFT, &Wanted::Leave), Ok(unchanged(LEFT)));
    }

    #[test]
    fn a_full_group_accepts_nobody_and_a_super_group_accepts_more() {
        let mut record = record();
        record.members = GROUP_MEMBERS - 2;
        let add = |users: std::ops::Range<u64>| Wanted::Add(users.map(UserId).collect());
        assert!(matches!(judge_in(&record, ADMIN, &add(100..102)), Ok(Judged::Do(..))));
        assert_eq!(judge_in(&record, ADMIN, &add(100..103)), Err(Code::GROUP_FULL.into()));
        record.super_group = true;
        assert!(matches!(judge_in(&record, ADMIN, &add(100..103)), Ok(Judged::Do(..))));
        record.members = SUPER_GROUP_MEMBERS;
        assert_eq!(judge_in(&record, ADMIN, &add(100..101)), Err(Code::GROUP_FULL.into()));
        let already = judge_in(&record, ADMIN, &Wanted::Add(vec![MEMBER]));
        assert!(
            matches!(already, Ok(Judged::Nothing(_))),
            "who is in a full group already is no more"
        );
    }

    #[test]
    fn a_former_member_may_come_back_to_a_group_without_free_slots() {
        let mut record = record();
        let most = u64::from(GROUP_MEMBERS) * USERS_PER_MEMBER;
        record.slots = most - 1;
        let add = |users: &[UserId]| Wanted::Add(users.to_vec());
        assert!(matches!(judge_in(&record, ADMIN, &add(&[NOBODY])), Ok(Judged::Do(..))));
        assert_eq!(
            judge_in(&record, ADMIN, &add(&[NOBODY, UserId(100)])),
            Err(Code::GROUP_FULL.into())
        );
        record.slots = most;
        assert_eq!(judge_in(&record, ADMIN, &add(&[NOBODY])), Err(Code::GROUP_FULL.into()));
        assert!(matches!(judge_in(&record, ADMIN, &add(&[LEFT])), Ok(Judged::Do(..))));
        record.super_group = true;
        assert!(matches!(judge_in(&record, ADMIN, &add(&[NOBODY])), Ok(Judged::Do(..))));
    }

    #[test]
    fn a_refusal_names_exactly_the_users_it_concerns() {
        let add = |users: &[UserId]| judge(ADMIN, &Wanted::Add(users.to_vec()));
        let refused = |code, users: &[UserId]| {
            let users = users.to_vec();
            Err(Refusal { code, users })
        };
        assert_eq!(
            add(&[UNKNOWN, NOBODY, UNKNOWN_TOO]),
            refused(Code::USER_NOT_FOUND, &[UNKNOWN, UNKNOWN_TOO])
        );
        assert_eq!(
            add(&[UNWELCOME_TOO, MEMBER, NOBODY, UNWELCOME]),
            refused(Code::BLOCKED, &[UNWELCOME_TOO, UNWELCOME])
        );
        // Somebody who is in the group already is not asked.
        assert!(matches!(add(&[MEMBER, NOBODY]), Ok(Judged::Do(..))));
    }

    #[test]
    fn a_repeated_mute_is_no_change() {
        let minute = 60_000;
        let judged = |current: i64, asked: i64| {
            let mut rows = rows();
            rows.get_mut(&MEMBER).unwrap().membership.muted_until_ms = NOW + current;
            let (existing, unwelcome) = (&BTreeSet::new(), &BTreeMap::new());
            let facts = Facts {
                record: &record(),
                actor: ADMIN,
                rows: &rows,
                existing,
                unwelcome,
                now_ms: NOW,
            };
            matches!(
                facts.judge(&Wanted::MuteMember(MEMBER, NOW + asked)),
                Ok(Judged::Nothing(_))
            )
        };
        // (left of the current mute, asked for, the same)
        for (current, asked, same) in [
            (10 * minute - 20_000, 10 * minute, true),
            (10 * minute - minute, 10 * minute, true),
            (10 * minute - minute - 1, 10 * minute, false),
            (10 * minute, 5 * minute, false),
            (10_000, minute, false),
            (minute, 10_000, false),
            (7_000, 10_000, true),
            (-1, 10_000, false),
        ] {
            assert_eq!(judged(current, asked), same, "{current} {asked}");
        }
    }

    #[test]
    fn users_are_counted_once_and_keep_their_slot_when_they_return() {
        let judged = judge(
            ADMIN,
            &Wanted::Add(vec![LEFT, NOBODY, MEMBER, UserId(100), NOBODY, MEMBER]),
        );
        let changed = Changed {
            changed: vec![LEFT, NOBODY, UserId(100)],
            unchanged: vec![MEMBER],
        };
        let effect = Effect::Added {
            users: vec![LEFT, NOBODY, UserId(100)],
            slots: vec![LEFT.0, 9, 10],
        };
        assert_eq!(judged, Ok(Judged::Do(effect.clone(), changed)));
        let at_ms = NOW;
        let after = record().after(Change {
            actor: ADMIN,
            at_ms,
            effect,
        });
        assert_eq!((after.slots, after.members), (11, 8));
        assert_eq!(check_new(OWNER, &[MEMBER, OWNER, MEMBER]), Ok(vec![OWNER, MEMBER]));
        assert_eq!(
            check_new(OWNER, &(2..=101).map(UserId).collect::<Vec<_>>()).map(|users| users.len()),
            Ok(101)
        );
        assert_eq!(
            check_new(OWNER, &(2..=102).map(UserId).collect::<Vec<_>>()),
            Err(Code::TOO_MANY_USERS)
        );
    }
}
