//! Carrying a change out, from wherever it stands: by whoever made it, and by whoever finds it unfinished.
//!
//! 1. settings in the head of the log; rows, unless their end waits for a seq
//! 2. reserve a seq for the announcement, agree on it, put it in the log
//! 3. rows that end with the announcement
//! 4. enqueue the announcement's tasks
//! 5. note that it is finished
//!
//! Who joins has a row before the seq is reserved, so that no worker misses them from then on. It begins after what the log had
//! when whoever puts it looked: of several who carry the change out the first one's stands, and all others go by it. So what was said
//! while the change lay unfinished is not for who had no row meanwhile. Where the announcement's seq was
//! sealed it takes another, which all agree on; `left` is written after it stands, so it never names a seal.

use super::change::{Change, Setting};
use super::info::Info;
use super::rows::Rows;
use crate::Store;
use crate::error::StoreError;
use crate::fanout::{Logged, TaskQueue};
use crate::head::GroupSettings;
use crate::ids::{GroupId, TimelineId};
use crate::item::{condition_item, corrupt, number};
#[cfg(feature = "plant")]
use crate::plant::{self, Bug};
use crate::schema::timelines as attr;
use crate::timeline::{Content, Entry, Missing, Put, key};
use aws_sdk_dynamodb::types::AttributeValue;

/// What there was before a change.
#[derive(Debug)]
pub(super) struct Before {
    /// The rows of its users.
    pub(super) rows: Rows,
    /// The log's highest reserved seq, where the change goes by it.
    pub(super) log_seq: u64,
}

impl Store {
    /// Carries out the change that `info` names. `known`: what there was before it, where that was just read. May be repeated, by
    /// several at once.
    pub(super) async fn carry_out(
        &self,
        queue: &impl TaskQueue,
        group: GroupId,
        info: &Info,
        known: Option<&Before>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let Some(change) = &info.change else { return Ok(()) };
        let read;
        let before = if let Some(known) = known {
            known
        } else {
            read = self.before(group, change).await?;
            &read
        };
        let (set, written) = tokio::join!(self.set_settings(group, info, change, now_ms), async {
            if change.ends_stints() {
                return Ok(());
            }
            self.write_rows(group, change, info.version, &before.rows, before.log_seq, now_ms)
                .await
        });
        set?;
        written?;
        if !change.is_announced() {
            return self.end_change(group, info.version).await;
        }
        let Some((logged, settings)) = self.announce_change(group, info, change, now_ms).await? else {
            return Ok(());
        };
        if change.ends_stints() {
            let left = logged.conversation_seq();
            self.write_rows(group, change, info.version, &before.rows, left, now_ms)
                .await?;
        }
        queue.enqueue(&change.tasks(group, settings, logged)).await?;
        self.end_change(group, info.version).await
    }

    /// What there is before a change that somebody else has begun.
    async fn before(&self, group: GroupId, change: &Change) -> Result<Before, StoreError> {
        let (log, users) = (TimelineId::group(group), change.users());
        let (rows, head) = tokio::join!(self.membership_rows(group, &users), async {
            if change.goes_by_the_log() {
                self.head(&log, true).await
            } else {
                Ok(None)
            }
        });
        Ok(Before {
            rows: rows?,
            log_seq: head?.map_or(0, |head| head.seq),
        })
    }

    /// Does what a change does to the head of the log, once: a later change, or the same one, is not done over.
    async fn set_settings(&self, group: GroupId, info: &Info, change: &Change, now_ms: i64) -> Result<(), StoreError> {
        let Some(setting) = change.setting(info) else {
            return Ok(());
        };
        let mut call = self
            .db
            .update_item()
            .table_name(&self.timelines)
            .set_key(Some(key(&TimelineId::group(group), attr::HEAD)))
            .condition_expression("attribute_not_exists(#version) OR #version < :version")
            .expression_attribute_names("#version", attr::SETTINGS)
            .expression_attribute_values(":version", number(info.version));
        let flag = |name: &'static str, value: bool| ("#it = :it", name, Some(AttributeValue::Bool(value)));
        let (update, name, value) = match setting {
            Setting::New { open_history, .. } => flag(attr::OPEN_HISTORY, open_history),
            Setting::Muted(muted) => flag(attr::MUTED, muted),
            #[cfg(feature = "plant")]
            Setting::OpenHistory(_) if plant::has(Bug::HistoryStaysOpen) => flag(attr::OPEN_HISTORY, true),
            Setting::OpenHistory(open) => flag(attr::OPEN_HISTORY, open),
            Setting::Shards(shards) => ("#it = :it", attr::SHARDS, Some(number(shards))),
            // Messages from here on: of those that run at once, each is judged by its own seq.
            Setting::Super => ("#it = #counter", attr::SUPER_AFTER, None),
            Setting::Dissolved => ("#it = #counter", attr::DISSOLVED_AFTER, None),
        };
        let mut update = format!("SET #version = :version, {update}");
        call = call.expression_attribute_names("#it", name);
        match value {
            Some(value) => call = call.expression_attribute_values(":it", value),
            None => call = call.expression_attribute_names("#counter", attr::COUNTER),
        }
        if let Setting::New {
            shards, super_group, ..
        } = setting
        {
            update.push_str(", #shards = :shards, #counter = if_not_exists(#counter, :zero), #at = :now");
            call = call
                .expression_attribute_names("#shards", attr::SHARDS)
                .expression_attribute_names("#counter", attr::COUNTER)
                .expression_attribute_names("#at", attr::RESERVED_AT)
                .expression_attribute_values(":shards", number(shards))
                .expression_attribute_values(":zero", number(0))
                .expression_attribute_values(":now", number(now_ms));
            if super_group {
                update.push_str(", #super = :zero");
                call = call.expression_attribute_names("#super", attr::SUPER_AFTER);
            }
        }
        match call.update_expression(update).send().await {
            Ok(_) => Ok(()),
            Err(error) if condition_item(error.as_service_error()).is_some() => Ok(()),
            Err(error) => Err(StoreError::call("UpdateItem (settings)")(error)),
        }
    }

    /// Puts the announcement into the log. Answers with it and with what the log says of the group; `None`: the change is finished.
    async fn announce_change(
        &self,
        group: GroupId,
        info: &Info,
        change: &Change,
        now_ms: i64,
    ) -> Result<Option<(Logged, GroupSettings)>, StoreError> {
        let log = TimelineId::group(group);
        let no_log = || corrupt("timelines", "a group without a log");
        let no_settings = || corrupt("timelines", "a group without settings");
        let (mut known, mut head) = (info.change_seq, None);
        loop {
            if let Some(seq) = known {
                // Read no earlier than the seq was reserved, so that it knows every shard.
                let there = match head.take() {
                    Some(there) => there,
                    None => self.head(&log, true).await?.ok_or_else(no_log)?,
                };
                let settings = there.group.ok_or_else(no_settings)?;
                let logged = change.announcement(group, info, &settings, seq);
                let content = Content::Inline(prost::Message::encode_to_vec(&logged.message));
                let entry = Entry {
                    key: logged.key.clone(),
                    reserved_at_ms: now_ms,
                    content,
                };
                match self.put(&log, seq, &entry).await? {
                    // What differs was written by another version, perhaps: the log has this announcement.
                    Put::Stands | Put::Differs(_) => return Ok(Some((logged, settings))),
                    Put::Sealed => {}
                }
            }
            let reserved = self
                .reserve(&log, 1, Missing::Refuse, now_ms)
                .await?
                .ok_or_else(no_log)?;
            let wanted = reserved.seq;
            let agreed = self.agree_on_seq(group, info.version, known, wanted).await;
            // Where the answer is lost, the change may name this seq.
            if matches!(&agreed, Ok(stands) if *stands != Some(wanted))
                || matches!(agreed, Err(StoreError::Throttled { .. }))
            {
                self.give_up_seq(&log, wanted, now_ms).await;
            }
            let Some(stands) = agreed? else { return Ok(None) };
            (known, head) = (Some(stands), Some(reserved));
        }
    }

    /// Seals a seq that was reserved and is not used. Where that fails, a reader seals it after the lease.
    async fn give_up_seq(&self, log: &TimelineId, seq: u64, now_ms: i64) {
        if let Err(error) = self.seal(log, seq, now_ms).await {
            tracing::warn!(timeline = %log, seq, %error, "could not seal a seq that is not used; a reader will");
        }
    }
}
