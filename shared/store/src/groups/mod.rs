//! Groups: who is in them, what they may do, and how that changes.
//!
//! The changes of a group are made one after the other. One is written down first, whole, in the group's item (its version is the
//! lock), then carried out, then announced in the log, then cleared. Whoever finds one that was not finished finishes it before
//! making their own, and so does whoever looks at the group later. And where nobody does: a [`Task::Finish`] is in the queue before a
//! change begins, and finishes it when it has lain for a lease. So a function that dies half-way leaves nothing half-done for long. Every
//! step may be repeated, by several at once.
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
use crate::directory::Relation;
use crate::error::StoreError;
use crate::fanout::{Task, TaskQueue};
use crate::head::{GroupSettings, Head};
use crate::ids::{GroupId, TimelineId, UserId};
use crate::item::get_string;
use crate::schema::timelines as attr;
use crate::send::MessagesFrom;
use crate::timeline::{self, LEASE};
use carry_out::Before;
use change::{Change, Effect};
use info::{Info, count};
use rows::Rows;
use rules::{Facts, Judged, Refusal, check_new};
use std::collections::{HashMap, HashSet};
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
    /// What its maker calls the request, so that a repeat finds the group that was made.
    pub request: Option<String>,
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
    /// It cannot be because of these users.
    #[error("refused because of some users: {0}")]
    RefusedFor(Code, Vec<UserId>),
    /// Something failed on the way: it may be made, or half-made, and a repeat or the next change finishes it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for ChangeError {
    fn from(Refusal { code, users }: Refusal) -> Self {
        if users.is_empty() {
            Self::Refused(code)
        } else {
            Self::RefusedFor(code, users)
        }
    }
}

/// How it went with finishing a change that may have been left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// It is finished, or was never begun.
    Yes,
    /// Whoever makes it may still be at it. To be asked again then, in ms.
    NotBefore(i64),
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
    /// Since when a change is not finished, in ms, where one is not: under way, or left by a function that died.
    pub unfinished_since_ms: Option<i64>,
}

impl Group {
    /// Whether a change was left unfinished: no function runs that long.
    pub fn is_left_unfinished(&self, now_ms: i64) -> bool {
        self.unfinished_since_ms
            .is_some_and(|since_ms| now_ms > until_left(since_ms))
    }
}

/// Up to when whoever began a change at a time may still be at it, in ms.
fn until_left(since_ms: i64) -> i64 {
    since_ms.saturating_add(i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX))
}

impl Store {
    /// Makes a group. `Err(RefusedFor(...))`: a user does not exist, or does not take messages from the owner. `Err(Refused(BUSY))`: the
    /// id is taken, try another. A group that the same request made before is finished, where it was not, and that is all.
    ///
    /// One after the other: where the request has a name, the group's item; heads of the users and what the owner is to them (a request
    /// and two read units for each hundred and each); the task that finishes it; the group's item, its log's
    /// head with the rows (two write units and requests for each member, sixteen members at once), the announcement's seq, the group's
    /// item again, the announcement, its tasks, the group's item again.
    #[tracing::instrument(name = "store.group.create", skip_all, fields(group.id = group))]
    pub async fn create_group(
        &self,
        queue: &impl TaskQueue,
        group: GroupId,
        owner: UserId,
        new: &NewGroup,
        messages_from: MessagesFrom,
        now_ms: i64,
    ) -> Result<(), ChangeError> {
        let users = check_new(owner, &new.users).map_err(ChangeError::Refused)?;
        let request = new.request.as_ref().map(|request| format!("{owner} {request}"));
        if self.was_made(queue, group, request.as_ref(), now_ms).await? {
            return Ok(());
        }
        let (existing, relations) = tokio::join!(self.existing(&users, None), self.relations_to(&users[1..], owner));
        rules::check_existing(&users, &existing?.0)?;
        rules::check_welcome(&users[1..], &unwelcome(relations?, messages_from))?;
        let info = Info {
            name: new.name.clone(),
            owner,
            members: count(&users),
            places: count(&users).into(),
            created_at_ms: now_ms,
            request: request.clone(),
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
        if self.begin(queue, group, &info, now_ms).await? {
            let nothing = Before {
                rows: Rows::new(),
                log_seq: 0,
            };
            self.carry_out(queue, group, &info, Some(&nothing), now_ms).await?;
            return Ok(());
        }
        if self.was_made(queue, group, request.as_ref(), now_ms).await? {
            return Ok(());
        }
        Err(ChangeError::Refused(Code::BUSY))
    }

    /// Whether a request has made this group before. If so, what was not finished is finished.
    async fn was_made(
        &self,
        queue: &impl TaskQueue,
        group: GroupId,
        request: Option<&String>,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        if request.is_none() {
            return Ok(false);
        }
        match self.group_info(group).await? {
            Some(made) if made.request.as_ref() == request => {
                self.carry_out(queue, group, &made, None, now_ms).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Makes a change to a group, after finishing the one before it where that is needed. Whoever is to be added and does not take
    /// messages from the actor is not.
    ///
    /// One after the other: the group's item, the rows of the actor and the users (a request for each hundred) with the heads of
    /// those to be added, what the actor is to them, and the head of the log, the task that finishes it, the group's item, the log's head
    /// where a setting changes with the rows of the users
    /// (two write units and requests each, sixteen users at once), the announcement's seq, the group's item again, the announcement,
    /// its tasks, the group's item again. Where nothing is to be changed: the first two.
    #[tracing::instrument(name = "store.group.change", skip_all, fields(group.id = group, user.id = actor))]
    pub async fn change_group(
        &self,
        queue: &impl TaskQueue,
        group: GroupId,
        actor: UserId,
        wanted: &Wanted,
        messages_from: MessagesFrom,
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
            let known = self.known(group, &info, actor, wanted, messages_from).await?;
            let facts = Facts {
                info: &info,
                actor,
                rows: &known.before.rows,
                existing: &known.existing,
                unwelcome: &known.unwelcome,
                now_ms,
            };
            let (effect, changed) = match facts.judge(wanted)? {
                Judged::Nothing(changed) => return Ok(changed),
                Judged::Do(effect, changed) => (effect, changed),
            };
            let next = info.after(Change {
                actor,
                at_ms: now_ms,
                effect,
            });
            if self.begin(queue, group, &next, now_ms).await? {
                self.carry_out(queue, group, &next, Some(&known.before), now_ms).await?;
                return Ok(changed);
            }
        }
        Err(refused(Code::BUSY))
    }

    /// Begins a change, if the group is still at the version before it. The task that finishes it is in the queue by then: where that
    /// fails, the change does not begin.
    async fn begin(
        &self,
        queue: &impl TaskQueue,
        group: GroupId,
        next: &Info,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let finish = Task::Finish {
            group,
            version: next.version,
            at_ms: now_ms,
        };
        queue.enqueue(&[finish]).await?;
        self.begin_change(group, next).await
    }

    /// Finishes the change that is under way in a group, where one is. Costs what the change does.
    #[tracing::instrument(name = "store.group.finish", skip_all, fields(group.id = group))]
    pub async fn finish_change(&self, queue: &impl TaskQueue, group: GroupId, now_ms: i64) -> Result<(), StoreError> {
        match self.group_info(group).await? {
            Some(info) => self.carry_out(queue, group, &info, None, now_ms).await,
            None => Ok(()),
        }
    }

    /// Finishes a change that was to begin `at_ms`, unless whoever makes it may still be at it: what [`Task::Finish`] asks for. One read
    /// unit, and what the change costs where it was left.
    #[tracing::instrument(name = "store.group.finish_left", skip_all, fields(group.id = group, version))]
    pub async fn finish_left_change(
        &self,
        queue: &impl TaskQueue,
        group: GroupId,
        version: u64,
        at_ms: i64,
        now_ms: i64,
    ) -> Result<Finished, StoreError> {
        let info = self.group_info(group).await?;
        let info = info.filter(|info| info.version >= version);
        let until_ms = match &info {
            // Not begun; or not yet.
            None => until_left(at_ms),
            Some(info) => match &info.change {
                Some(change) if info.version == version => until_left(change.at_ms),
                _ => return Ok(Finished::Yes),
            },
        };
        if now_ms <= until_ms {
            return Ok(Finished::NotBefore(until_ms + 1));
        }
        if let Some(info) = info {
            self.carry_out(queue, group, &info, None, now_ms).await?;
        }
        Ok(Finished::Yes)
    }

    /// What a wish is judged by. It is read after the group's item was found without a change under way, and is still so if it is at
    /// the same version later.
    async fn known(
        &self,
        group: GroupId,
        info: &Info,
        actor: UserId,
        wanted: &Wanted,
        messages_from: MessagesFrom,
    ) -> Result<Known, StoreError> {
        let others = wanted.users().iter().copied().filter(|user| *user != actor);
        let users: Vec<UserId> = std::iter::once(actor).chain(distinct(others)).collect();
        let Wanted::Add(added) = wanted else {
            let log = TimelineId::group(group);
            let (rows, head) = tokio::join!(self.membership_rows(group, &users), async {
                match wanted {
                    Wanted::Leave if info.dissolved => self.head(&log, true).await,
                    _ => Ok(None),
                }
            });
            let (rows, log_seq) = (rows?, head?.map_or(0, |head| head.seq));
            return Ok(Known {
                before: Before { rows, log_seq },
                existing: HashSet::new(),
                unwelcome: HashMap::new(),
            });
        };
        let added: Vec<UserId> = distinct(added.iter().copied()).collect();
        let (rows, existing, relations) = tokio::join!(
            self.membership_rows(group, &users),
            self.existing(&added, Some(group)),
            self.relations_to(&added, actor)
        );
        let (rows, (existing, log_seq)) = (rows?, existing?);
        Ok(Known {
            before: Before { rows, log_seq },
            existing,
            unwelcome: unwelcome(relations?, messages_from),
        })
    }

    /// Those among the users who exist: who have an inbox. And the highest reserved seq of a group's log.
    async fn existing(&self, users: &[UserId], group: Option<GroupId>) -> Result<(HashSet<UserId>, u64), StoreError> {
        let inboxes = users.iter().map(|user| TimelineId::inbox(*user));
        let logs = group.map(TimelineId::group);
        let keys = inboxes.chain(logs.clone()).map(|id| timeline::key(&id, attr::HEAD));
        let (mut existing, mut log_seq) = (HashSet::new(), 0);
        for head in self.items(&self.timelines, keys.collect(), true).await? {
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

/// What is to be known before a wish can be judged, beside the group's item.
struct Known {
    /// The rows of the actor and of all users that it names; the log's highest reserved seq, where it adds users or the group is
    /// dissolved.
    before: Before,
    /// Those among the users to be added who exist.
    existing: HashSet<UserId>,
    /// Those among them who do not take messages from the actor, and why.
    unwelcome: HashMap<UserId, Code>,
}

/// Users who do not take messages from somebody, and why. `relations`: what that one is to them.
fn unwelcome(relations: HashMap<UserId, Relation>, messages_from: MessagesFrom) -> HashMap<UserId, Code> {
    let refusals = relations
        .into_iter()
        .filter_map(|(user, relation)| Some((user, messages_from.refuses(relation)?)));
    refusals.collect()
}

/// Each once, in their order.
fn distinct(users: impl Iterator<Item = UserId>) -> impl Iterator<Item = UserId> {
    let mut seen = HashSet::new();
    users.filter(move |user| seen.insert(*user))
}
