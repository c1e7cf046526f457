//! Changing a group: members, roles, settings, its end.
//!
//! The changes of a group are made one after the other. A change is first stored whole in the
//! group's record, whose version is the lock; then carried out, announced in the log, and marked as
//! finished. An attempt that finds an unfinished change finishes it first. If no attempt comes, a
//! worker finishes it after a lease: a [`Task::Finish`] is in the queue before the change begins.
//! Every step may be repeated, and run by several at once.

use crate::carry_out::{Before, carry_out};
use crate::queue::TaskQueue;
use std::collections::{BTreeMap, BTreeSet};
use wigwag_domain::groups::change::Change;
use wigwag_domain::groups::record::GroupRecord;
use wigwag_domain::groups::rules::{self, Changed, Facts, Judged, Refusal, Wanted, distinct, unwelcome};
use wigwag_domain::relation::MessagesFrom;
use wigwag_domain::task::Task;
use wigwag_domain::{GroupId, TimelineId, UserId};
use wigwag_protocol::Code;
use wigwag_store::{Store, StoreError, directory, groups, inboxes, timelines};

/// How often a change is tried if other changes come first.
const ROUNDS: u32 = 8;

/// Why a change is not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It is not allowed, or not possible.
    #[error("refused: {0}")]
    Refused(Code),
    /// It is not possible because of these users.
    #[error("refused because of some users: {0}")]
    RefusedFor(Code, Vec<UserId>),
    /// Something failed. The change may be made or half-made; a repeat or the next change finishes
    /// it.
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

/// Makes a change to a group, after finishing the one before it if needed. Users who take no
/// messages from the actor are not added.
///
/// In this order: the group's record; the rows of the actor and the users (a request for each
/// hundred), with the heads of the users to be added, their relations to the actor and the head of
/// the log; the task that finishes the change; the record; the log's head if a setting changes,
/// with the users' rows (two write units and requests each, sixteen users at once); the
/// announcement's seq; the record; the announcement; its tasks; the record. If nothing is to be
/// changed: the first two.
#[tracing::instrument(name = "change_group", skip_all, fields(group.id = group.0, user.id = actor.0))]
pub async fn change_group(
    store: &Store,
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
        let record = groups::record(store, group).await?;
        let record = record.ok_or(refused(Code::GROUP_NOT_FOUND))?;
        if record.change.is_some() {
            carry_out(store, queue, group, &record, None, now_ms).await?;
            continue;
        }
        let known = known(store, group, &record, actor, wanted, messages_from).await?;
        let facts = Facts {
            record: &record,
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
        let next = record.after(Change {
            actor,
            at_ms: now_ms,
            effect,
        });
        if begin(store, queue, group, &next, now_ms).await? {
            carry_out(store, queue, group, &next, Some(&known.before), now_ms).await?;
            return Ok(changed);
        }
    }
    Err(refused(Code::BUSY))
}

/// Begins a change, if the group is still at the version before it. The task that finishes it is
/// enqueued first: if that fails, the change does not begin.
pub(crate) async fn begin(
    store: &Store,
    queue: &impl TaskQueue,
    group: GroupId,
    next: &GroupRecord,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let finish = Task::Finish {
        group,
        version: next.version,
        at_ms: now_ms,
    };
    queue.enqueue(&[finish]).await?;
    groups::begin_change(store, group, next).await
}

/// The facts by which a change is judged. They are read after the record was found without an
/// unfinished change, and still hold if the record has the same version later.
async fn known(
    store: &Store,
    group: GroupId,
    record: &GroupRecord,
    actor: UserId,
    wanted: &Wanted,
    messages_from: MessagesFrom,
) -> Result<Known, StoreError> {
    let others = wanted.users().iter().copied().filter(|user| *user != actor);
    let users: Vec<UserId> = std::iter::once(actor).chain(distinct(others)).collect();
    let Wanted::Add(added) = wanted else {
        let log = TimelineId::group(group);
        let (rows, head) = tokio::join!(groups::membership_rows(store, group, &users), async {
            match wanted {
                Wanted::Leave if record.dissolved => timelines::head(store, &log, true).await,
                _ => Ok(None),
            }
        });
        let (rows, log_seq) = (rows?, head?.map_or(0, |head| head.seq));
        return Ok(Known {
            before: Before { rows, log_seq },
            existing: BTreeSet::new(),
            unwelcome: BTreeMap::new(),
        });
    };
    let added: Vec<UserId> = distinct(added.iter().copied()).collect();
    let (rows, existing, relations) = tokio::join!(
        groups::membership_rows(store, group, &users),
        inboxes::existing(store, &added, Some(group)),
        directory::relations_to(store, &added, actor)
    );
    let (rows, (existing, log_seq)) = (rows?, existing?);
    Ok(Known {
        before: Before { rows, log_seq },
        existing,
        unwelcome: unwelcome(relations?, messages_from),
    })
}

/// The facts by which a change is judged, besides the record.
struct Known {
    /// The rows of the actor and of all users that the change names; and the log's highest seq, if
    /// it adds users or the group is dissolved.
    before: Before,
    /// The users to be added who exist.
    existing: BTreeSet<UserId>,
    /// The users to be added who take no messages from the actor, and why.
    unwelcome: BTreeMap<UserId, Code>,
}
