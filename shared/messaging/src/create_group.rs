//! Making a group.

use crate::carry_out::{Before, carry_out};
use crate::change_group::{ChangeError, begin};
use crate::queue::TaskQueue;
use wigwag_domain::groups::NewGroup;
use wigwag_domain::groups::change::{Change, Effect};
use wigwag_domain::groups::membership::MemberRows;
use wigwag_domain::groups::record::{GroupRecord, count};
use wigwag_domain::groups::rules::{self, check_new, unwelcome};
use wigwag_domain::relation::MessagesFrom;
use wigwag_domain::{GroupId, UserId};
use wigwag_protocol::Code;
use wigwag_store::{Store, StoreError, directory, groups, inboxes};

/// Makes a group. `RefusedFor`: a user does not exist, or takes no messages from the owner.
/// `Refused(BUSY)`: the id is taken, try another. If the same request made the group before, the
/// change is finished if it was not, and that is all.
///
/// In this order: the record, if the request has a name; the heads of the users and their relations
/// to the owner (two read units each, a request for each hundred); the task that finishes the
/// change; the record; the log's head, with the rows (two write units and requests for each member,
/// sixteen members at once); the announcement's seq; the record; the announcement; its tasks; the
/// record.
#[tracing::instrument(name = "create_group", skip_all, fields(group.id = group.0))]
pub async fn create_group(
    store: &Store,
    queue: &impl TaskQueue,
    group: GroupId,
    owner: UserId,
    new: &NewGroup,
    messages_from: MessagesFrom,
    now_ms: i64,
) -> Result<(), ChangeError> {
    let users = check_new(owner, &new.users).map_err(ChangeError::Refused)?;
    let request = new.request.as_ref().map(|request| format!("{owner} {request}"));
    if was_made(store, queue, group, request.as_ref(), now_ms).await? {
        return Ok(());
    }
    let (existing, relations) = tokio::join!(
        inboxes::existing(store, &users, None),
        directory::relations_to(store, &users[1..], owner)
    );
    rules::check_existing(&users, &existing?.0)?;
    rules::check_welcome(&users[1..], &unwelcome(relations?, messages_from))?;
    let record = GroupRecord {
        name: new.name.clone(),
        owner,
        members: count(&users),
        slots: count(&users).into(),
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
    let record = record.after(Change {
        actor: owner,
        at_ms: now_ms,
        effect: Effect::Created { users },
    });
    if begin(store, queue, group, &record, now_ms).await? {
        let nothing = Before {
            rows: MemberRows::new(),
            log_seq: 0,
        };
        carry_out(store, queue, group, &record, Some(&nothing), now_ms).await?;
        return Ok(());
    }
    if was_made(store, queue, group, request.as_ref(), now_ms).await? {
        return Ok(());
    }
    Err(ChangeError::Refused(Code::BUSY))
}

/// Whether a request made this group before. If so, its change is finished if it was not.
async fn was_made(
    store: &Store,
    queue: &impl TaskQueue,
    group: GroupId,
    request: Option<&String>,
    now_ms: i64,
) -> Result<bool, StoreError> {
    if request.is_none() {
        return Ok(false);
    }
    match groups::record(store, group).await? {
        Some(made) if made.request.as_ref() == request => {
            carry_out(store, queue, group, &made, None, now_ms).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}
