//! Groups: who is in them, what they may do, and how that changes.
//!
//! The changes of a group are made one after the other. One is written down first, whole, in the group's item (its version is the
//! lock), then carried out, then announced in the log, then cleared. Whoever finds one that was not finished finishes it before
//! making their own, so that a function that dies half-way leaves nothing half-done for long. Every step may be repeated, by
//! several at once.
//!
//! **Membership is a range of conversation seqs**: `joined_after < n ≤ left`. The row of a range stays when it has ended, so that a
//! task handled late still reaches everyone entitled, and no one else.

mod carry_out;
mod change;
mod history;
mod info;
mod lists;
mod membership;
mod rows;
mod rules;

pub use lists::GroupsPage;
pub use membership::{Membership, ShardMember, Stint};

use crate::Store;
use crate::error::StoreError;
use crate::fanout::TaskQueue;
use crate::head::{GroupSettings, Head};
use crate::ids::{GroupId, TimelineId, UserId};
use crate::item::get_string;
use crate::schema::timelines as attr;
use crate::timeline;
use change::{Change, Effect};
use info::{Info, count};
use rows::Rows;
use rules::{Facts, Judged, check_new};
use std::collections::HashSet;
use wigwag_protocol::Code;
use wigwag_protocol::http::Role;

/// How often a change is tried that others came before.
const ROUNDS: u32 = 8;

/// What a group is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// Its name; its form has been checked.
    pub name: String,
    /// The members beside the owner, each once, without the owner.
    pub users: Vec<UserId>,
    /// Whether it is a super group from the start.
    pub super_group: bool,
    /// Whether members may read what was sent before they joined.
    pub open_history: bool,
}

/// A change that somebody wants to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// These users become members.
    Add(Vec<UserId>),
    /// These members are members no longer.
    Remove(Vec<UserId>),
    /// The actor is a member no longer.
    Leave,
    /// Another name.
    Rename(String),
    /// Another role for a member: admin, or plain member.
    Role(UserId, Role),
    /// Another owner.
    HandOver(UserId),
    /// A member may not send until then, in ms; 0: may send again.
    MuteMember(UserId, i64),
    /// Whether only the owner and admins may send.
    Mute(bool),
    /// Whether members may read what was sent before they joined.
    OpenHistory(bool),
    /// The group becomes a super group.
    BecomeSuper,
    /// The group ends.
    Dissolve,
}

impl Wanted {
    /// The users whom it names.
    fn users(&self) -> &[UserId] {
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
    /// The users whom it changed something for.
    pub changed: Vec<UserId>,
    /// The users who were as it wanted them already.
    pub unchanged: Vec<UserId>,
}

/// Why there is no answer that the change was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// It is not allowed, or cannot be.
    #[error("refused: {0}")]
    Refused(Code),
    /// Something failed on the way: it may be made, or half-made, and a repeat or the next change finishes it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Which one.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// Who owns it.
    pub owner: UserId,
    /// How many are in it.
    pub members: u32,
    /// When it was made, in ms.
    pub created_at_ms: i64,
    /// What its log says of it.
    pub settings: GroupSettings,
    /// The highest reserved seq of its log.
    pub max_seq: u64,
}

impl Store {
    /// Makes a group. `Err(Refused(...))`: a user does not exist, or the id is taken (`BUSY`: try another).
    ///
    /// One after the other: heads of the users (a request and a read unit for each hundred and each), the group's item, its log's
    /// head with the rows (two write units and requests for each member, sixteen at once), the announcement's seq, the group's
    /// item again, the announcement, its tasks, the group's item again.
    #[tracing::instrument(name = "store.group.create", skip_all, fields(group.id = group))]
    pub async fn create_group(
        &self,
        queue: &impl TaskQueue,
        group: GroupId,
        owner: UserId,
        new: &NewGroup,
        now_ms: i64,
    ) -> Result<(), ChangeError> {
        let users = check_new(owner, &new.users).map_err(ChangeError::Refused)?;
        let (existing, _) = self.existing(&users, None).await?;
        if existing.len() < users.len() {
            return Err(ChangeError::Refused(Code::USER_NOT_FOUND));
        }
        let info = Info {
            name: new.name.clone(),
            owner,
            members: count(&users),
            places: count(&users).into(),
            created_at_ms: now_ms,
            super_group: new.super_group,
            muted: false,
            open_history: new.open_history,
            dissolved: false,
            version: 0,
            change: None,
            change_seq: None,
        };
        let info = info.after(Change {
            actor: owner,
            at_ms: now_ms,
            effect: Effect::Created { users },
        });
        if !self.begin_change(group, &info).await? {
            return Err(ChangeError::Refused(Code::BUSY));
        }
        self.carry_out(queue, group, &info, Some(&Rows::new()), now_ms).await?;
        Ok(())
    }

    /// Makes a change to a group, after finishing the one before it where that is needed.
    ///
    /// One after the other: the group's item, the rows of the actor and the users (a request for each hundred) with the heads of
    /// those to be added and that of the log, the group's item, the log's head where a setting changes with the rows of the users
    /// (two write units and requests each, sixteen at once), the announcement's seq, the group's item again, the announcement,
    /// its tasks, the group's item again. Where nothing is to be changed: the first two.
    #[tracing::instrument(name = "store.group.change", skip_all, fields(group.id = group, user.id = actor))]
    pub async fn change_group(
        &self,
        queue: &impl TaskQueue,
        group: GroupId,
        actor: UserId,
        wanted: &Wanted,
        now_ms: i64,
    ) -> Result<Changed, ChangeError> {
        let refused = |code| ChangeError::Refused(code);
        rules::check_users(wanted.users()).map_err(refused)?;
        for _ in 0..ROUNDS {
            let info = self.group_info(group).await?;
            let info = info.ok_or(refused(Code::GROUP_NOT_FOUND))?;
            if info.change.is_some() {
                self.carry_out(queue, group, &info, None, now_ms).await?;
                continue;
            }
            let (rows, existing, log_seq) = self.facts(group, actor, wanted).await?;
            let facts = Facts {
                info: &info,
                actor,
                rows: &rows,
                existing: &existing,
                log_seq,
                now_ms,
            };
            let (effect, changed) = match facts.judge(wanted).map_err(refused)? {
                Judged::Nothing(changed) => return Ok(changed),
                Judged::Do(effect, changed) => (effect, changed),
            };
            let next = info.after(Change {
                actor,
                at_ms: now_ms,
                effect,
            });
            if self.begin_change(group, &next).await? {
                self.carry_out(queue, group, &next, Some(&rows), now_ms).await?;
                return Ok(changed);
            }
        }
        Err(refused(Code::BUSY))
    }

    /// The rows of all whom a wish is about; where it adds users, those who exist and the log's highest reserved seq. They are
    /// read after the group's item was found without a change under way, and are still so if it is at the same version later.
    async fn facts(
        &self,
        group: GroupId,
        actor: UserId,
        wanted: &Wanted,
    ) -> Result<(Rows, HashSet<UserId>, u64), StoreError> {
        let others = wanted.users().iter().copied().filter(|user| *user != actor);
        let users: Vec<UserId> = std::iter::once(actor).chain(distinct(others)).collect();
        let Wanted::Add(added) = wanted else {
            let rows = self.membership_rows(group, &users).await?;
            return Ok((rows, HashSet::new(), 0));
        };
        let added: Vec<UserId> = distinct(added.iter().copied()).collect();
        let (rows, existing) = tokio::join!(self.membership_rows(group, &users), self.existing(&added, Some(group)));
        let (existing, log_seq) = existing?;
        Ok((rows?, existing, log_seq))
    }

    /// Those among the users who exist: who have an inbox. And the highest reserved seq of a group's log.
    async fn existing(&self, users: &[UserId], group: Option<GroupId>) -> Result<(HashSet<UserId>, u64), StoreError> {
        let inboxes = users.iter().map(|user| TimelineId::inbox(*user));
        let logs = group.map(TimelineId::group);
        let keys = inboxes.chain(logs.clone()).map(|id| timeline::key(&id, attr::HEAD));
        let (mut existing, mut log_seq) = (HashSet::new(), 0);
        for head in self.get_each(&self.timelines, keys.collect()).await? {
            let Some(id) = get_string(&head, attr::TIMELINE) else {
                continue;
            };
            if logs.as_ref().is_some_and(|log| log.as_str() == id) {
                log_seq = Head::from_item(&head)?.seq;
            }
            existing.insert(id.to_owned());
        }
        let exists = |user: &UserId| existing.contains(TimelineId::inbox(*user).as_str());
        Ok((users.iter().copied().filter(exists).collect(), log_seq))
    }

    /// What a user is in a group, strongly consistent. `None`: was never in it. One read unit.
    #[tracing::instrument(name = "store.group.membership", skip_all, fields(group.id = group, user.id = user))]
    pub async fn membership(&self, group: GroupId, user: UserId) -> Result<Option<Membership>, StoreError> {
        let row = self.membership_row(group, user).await?;
        Ok(row.map(|row| row.membership))
    }

    /// Every range of membership in a shard, strongly consistent: those that have ended too. One read unit for each forty of
    /// them, one request for each megabyte.
    #[tracing::instrument(name = "store.group.shard", skip_all, fields(group.id = group, shard))]
    pub async fn shard(&self, group: GroupId, shard: u32) -> Result<Vec<ShardMember>, StoreError> {
        let (mut members, mut start) = (Vec::new(), None);
        loop {
            let (page, next) = self.shard_page(group, shard.into(), start, 0, None).await?;
            members.extend(page);
            start = next;
            if start.is_none() {
                return Ok(members);
            }
        }
    }
}

/// Each once, in their order.
fn distinct(users: impl Iterator<Item = UserId>) -> impl Iterator<Item = UserId> {
    let mut seen = HashSet::new();
    users.filter(move |user| seen.insert(*user))
}
