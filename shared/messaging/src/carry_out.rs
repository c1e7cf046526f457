//! Carrying out a change of a group, from wherever an earlier attempt left it.
//!
//! 1. settings in the head of the log; rows, unless they end with the announcement
//! 2. reserve a seq for the announcement, agree on it, put the announcement into the log
//! 3. rows that end with the announcement
//! 4. enqueue the announcement's tasks
//! 5. mark the change as finished
//!
//! A new member's row is there before the seq is reserved, so no worker misses them from then on.
//! Their interval begins at the end of the log as the first attempt found it; all other attempts
//! use the same. If the announcement's seq was sealed, it takes another one, which all attempts
//! agree on. `left` is written after the announcement is in the log, so it never names a seal.

use crate::queue::TaskQueue;
use wigwag_domain::groups::change::Change;
use wigwag_domain::groups::membership::MemberRows;
use wigwag_domain::groups::record::GroupRecord;
use wigwag_domain::head::GroupSettings;
use wigwag_domain::task::Logged;
use wigwag_domain::timeline::{Content, Entry};
use wigwag_domain::{GroupId, TimelineId};
use wigwag_store::timelines::{self, Put};
use wigwag_store::{Store, StoreError, corrupt, group_logs, groups};

/// The state before a change.
#[derive(Debug)]
pub(crate) struct Before {
    /// The rows of the change's users.
    pub(super) rows: MemberRows,
    /// The log's highest reserved seq, if the change depends on it; else 0.
    pub(super) log_seq: u64,
}

/// Carries out the change that `record` holds. `known`: the state before it, if it was just read.
/// May be repeated, and run by several at once.
pub(crate) async fn carry_out(
    store: &Store,
    queue: &impl TaskQueue,
    group: GroupId,
    record: &GroupRecord,
    known: Option<&Before>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let Some(change) = &record.change else { return Ok(()) };
    let read;
    let before = if let Some(known) = known {
        known
    } else {
        read = before(store, group, change).await?;
        &read
    };
    let (set, written) = tokio::join!(group_logs::set_settings(store, group, record, change, now_ms), async {
        if change.ends_intervals() {
            return Ok(());
        }
        groups::write_rows(
            store,
            group,
            change,
            record.version,
            &before.rows,
            before.log_seq,
            now_ms,
        )
        .await
    });
    set?;
    written?;
    if !change.is_announced() {
        return groups::end_change(store, group, record.version).await;
    }
    let Some((logged, settings)) = announce_change(store, group, record, change, now_ms).await? else {
        return Ok(());
    };
    if change.ends_intervals() {
        let left = logged.conversation_seq();
        groups::write_rows(store, group, change, record.version, &before.rows, left, now_ms).await?;
    }
    queue.enqueue(&change.tasks(group, settings, logged)).await?;
    groups::end_change(store, group, record.version).await
}

/// The state before a change that another attempt began.
async fn before(store: &Store, group: GroupId, change: &Change) -> Result<Before, StoreError> {
    let (log, users) = (TimelineId::group(group), change.users());
    let (rows, head) = tokio::join!(groups::membership_rows(store, group, &users), async {
        if change.goes_by_the_log() {
            timelines::head(store, &log, true).await
        } else {
            Ok(None)
        }
    });
    Ok(Before {
        rows: rows?,
        log_seq: head?.map_or(0, |head| head.seq),
    })
}

/// Puts the announcement into the log. Answers with it and with the group's settings; `None`: the
/// change is finished already.
async fn announce_change(
    store: &Store,
    group: GroupId,
    record: &GroupRecord,
    change: &Change,
    now_ms: i64,
) -> Result<Option<(Logged, GroupSettings)>, StoreError> {
    let log = TimelineId::group(group);
    let no_log = || corrupt("timelines", "a group without a log");
    let no_settings = || corrupt("timelines", "a group without settings");
    let (mut known, mut head) = (record.change_seq, None);
    loop {
        if let Some(seq) = known {
            // The head is read no earlier than the seq was reserved, so that it knows every shard.
            let there = match head.take() {
                Some(there) => there,
                None => group_logs::head(store, group).await?.ok_or_else(no_log)?,
            };
            let settings = there.settings.ok_or_else(no_settings)?;
            let logged = change.announcement(group, record, &settings, seq);
            let content = Content::Inline(prost::Message::encode_to_vec(&logged.message));
            let entry = Entry {
                key: logged.key.clone(),
                reserved_at_ms: now_ms,
                content,
            };
            match timelines::put(store, &log, seq, &entry).await? {
                // Any difference may come from another version of this code: the log has this
                // announcement.
                Put::Done | Put::Differs(_) => return Ok(Some((logged, settings))),
                Put::Sealed => {}
            }
        }
        let reserved = group_logs::take_seq(store, group, now_ms).await?.ok_or_else(no_log)?;
        let wanted = reserved.seq;
        let agreed = groups::agree_on_seq(store, group, record.version, known, wanted).await;
        // If the answer was lost, the change may name this seq.
        if matches!(&agreed, Ok(agreed_seq) if *agreed_seq != Some(wanted))
            || matches!(agreed, Err(StoreError::Throttled { .. }))
        {
            timelines::give_up(store, &log, wanted, now_ms).await;
        }
        let Some(agreed_seq) = agreed? else { return Ok(None) };
        (known, head) = (Some(agreed_seq), Some(reserved));
    }
}
