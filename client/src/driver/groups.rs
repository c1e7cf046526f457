//! Super groups on a connection: the list, pushes, pages, and when to ask.

use super::connection::{Connection, RequestPurpose};
use super::listing::GroupListResult;
use super::{ConnectionEnd, Driver};
use crate::event::{DisconnectReason, Event};
use crate::options::Start;
use std::time::Duration;
use tokio::time::Instant;
use wigwag_protocol::http::Group;
use wigwag_protocol::pb::{Message, PullInputMsg, SessionType};
use wigwag_protocol::{Code, OutputFrame, Payload, Request};

/// Usual time between a change's visibility in the HTTP API and in the inbox. After it the inbox is
/// read once more before a listed super group is followed.
const INBOX_LAG: Duration = Duration::from_secs(2);

/// How long an unknown group may push before the list is asked. Its announcement usually comes at
/// the same moment, or after thirty seconds if a worker failed.
const UNKNOWN_FOR: Duration = Duration::from_mins(1);

/// Maximum number of unknown groups to remember.
const MAX_UNKNOWN: usize = 64;

impl Driver {
    /// Handles a new connection.
    pub(super) fn begin_groups(&mut self) {
        if self.options.receive {
            self.super_groups.connected(Instant::now());
        } else if self.outbox.is_verifying() {
            self.look_in_group();
        }
    }

    /// Looks for the message in flight in the log of its super group.
    pub(super) fn look_in_group(&mut self) {
        if let Some(group_id) = self.outbox.group() {
            self.super_groups.ask_by(group_id, Instant::now());
        }
    }

    /// Everything in the inbox was delivered. Asks for what is still unknown.
    pub(super) fn inbox_caught_up(&mut self, connection: &mut Connection, request_id: u64) {
        if !self.options.receive {
            return;
        }
        connection.inbox_caught_up = true;
        if self.listing.is_awaited() {
            self.listing.plan(Instant::now());
        }
        if request_id >= connection.listed_from {
            for (group_id, cursor) in std::mem::take(&mut self.candidates) {
                if let Some(cursor) = self.super_groups.begin(group_id, cursor, Some(Instant::now())) {
                    self.outlet.emit(Event::GroupCursor { group_id, cursor });
                }
            }
        }
        self.emit_groups_caught_up(connection);
    }

    /// Handles the list of groups, or the failure to get it.
    pub(super) fn handle_group_list(&mut self, connection: &mut Connection, listed: GroupListResult) {
        let now = Instant::now();
        match listed {
            Ok(groups) => {
                // At first all groups. Later only unknown groups that have pushed, from their first
                // readable seq.
                let newest = match self.options.start {
                    Start::Newest(count) if self.listing.is_awaited() => Some(count),
                    Start::Newest(_) | Start::After(_) => None,
                };
                self.listing.is_done();
                let unknown = |group: &Group| {
                    let is_open = group.super_group && !group.dissolved;
                    let is_meant = newest.is_some() || connection.unknown_groups.contains_key(&group.group_id);
                    is_open && is_meant && !self.super_groups.contains(group.group_id)
                };
                self.candidates = groups
                    .into_iter()
                    .filter(unknown)
                    .map(|group| {
                        let newest = newest.unwrap_or(u64::MAX);
                        let after = group.max_seq.saturating_sub(newest).max(group.log_after);
                        (group.group_id, after)
                    })
                    .collect();
                if !self.candidates.is_empty() {
                    connection.listed_from = connection.upcoming_request_id();
                    connection.sync_by(now + INBOX_LAG);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the groups could not be listed");
                self.listing.failed(now, self.backoff(self.listing.failures()));
            }
        }
        self.emit_groups_caught_up(connection);
    }

    /// Emits the event once per connection, as soon as it is true. It can also become true when the
    /// last missing group ends.
    pub(super) fn emit_groups_caught_up(&mut self, connection: &mut Connection) {
        let is_known = connection.inbox_caught_up && !self.listing.is_awaited() && self.candidates.is_empty();
        if is_known && !connection.groups_caught_up_emitted && self.super_groups.are_caught_up() {
            connection.groups_caught_up_emitted = true;
            self.outlet.emit(Event::GroupsCaughtUp);
        }
    }

    /// Delivers an inbox message, unless the log of its super group does.
    pub(super) fn deliver_from_inbox(&mut self, message: Message) {
        let group_id = message.receiver_id;
        let inboxed = self.super_groups.inboxed(&message, Instant::now());
        if let Some(cursor) = inboxed.begins_after {
            self.outlet.emit(Event::GroupCursor { group_id, cursor });
        }
        if inboxed.by_inbox {
            self.outlet.emit(Event::Message(message));
        }
        self.end_if_over(group_id);
    }

    /// Handles a pushed message of a super group, or the copy of a message just accepted.
    pub(super) fn group_received(&mut self, connection: &mut Connection, message: Message) {
        let (group_id, now) = (message.receiver_id, Instant::now());
        if !self.options.receive {
            self.outbox.observe(&message);
            return;
        }
        if self.outlet.is_congested() {
            self.super_groups.note(&message, now);
            return;
        }
        let timing = &self.options.timing;
        let spread = timing.super_group_spread * self.super_groups.patience(group_id);
        let patience = timing.gap_grace + spread.mul_f64(rand::random());
        let before = self.super_groups.cursor(group_id);
        match self.super_groups.push(message, now, patience) {
            Some(ready) => self.deliver_from_log(group_id, before, ready),
            None => self.note_unknown_group(connection, group_id, now),
        }
    }

    /// Notes a push of a group that is not followed. The inbox should announce the group; if it
    /// does not, the list is asked. Both happen once per connection, because the user may have left
    /// the group.
    fn note_unknown_group(&self, connection: &mut Connection, group_id: u64, now: Instant) {
        if connection.unknown_groups.is_empty() {
            self.look_for_anything(connection);
        }
        if connection.unknown_groups.len() < MAX_UNKNOWN {
            connection.unknown_groups.entry(group_id).or_insert(now);
        }
    }

    /// Whether a group has pushed for so long that its announcement may be lost.
    fn has_unknown_groups(&self, connection: &Connection, now: Instant) -> bool {
        let is_old =
            |(group_id, since): (&u64, &Instant)| now >= *since + UNKNOWN_FOR && !self.super_groups.contains(*group_id);
        connection.unknown_groups.iter().any(is_old)
    }

    /// Delivers messages of a super group's log. `before` is the earlier cursor.
    fn deliver_from_log(&mut self, group_id: u64, before: Option<u64>, ready: Vec<Message>) {
        let mut last_seq = before.unwrap_or_default();
        for message in ready {
            self.outbox.observe(&message);
            last_seq = message.conversation_seq;
            if self.options.receive {
                self.outlet.emit(Event::GroupMessage(message));
            }
        }
        let cursor = self.super_groups.cursor(group_id).unwrap_or_default();
        if self.options.receive && cursor > last_seq {
            self.outlet.emit(Event::GroupCursor { group_id, cursor });
        }
        self.end_if_over(group_id);
    }

    fn end_if_over(&mut self, group_id: u64) {
        if self.super_groups.is_over(group_id) {
            self.end_group(group_id);
        }
    }

    fn end_group(&mut self, group_id: u64) {
        if let Some(cursor) = self.super_groups.drop_group(group_id)
            && self.options.receive
        {
            self.outlet.emit(Event::GroupEnded { group_id, cursor });
        }
    }

    /// When to PULL, or to give up waiting for a page.
    pub(super) fn pull_due(&self, connection: &Connection) -> Option<Instant> {
        if self.outlet.is_congested() {
            return None;
        }
        match connection.pull_open {
            Some((_, _, until)) => Some(until),
            None => self.super_groups.next_due().map(|(_, at)| at),
        }
    }

    /// The group to PULL now.
    pub(super) fn wants_pull(&self, connection: &mut Connection, now: Instant) -> Option<u64> {
        if self.outlet.is_congested() {
            return None;
        }
        connection.pull_open.take_if(|(_, _, until)| *until <= now);
        let (group_id, at) = self
            .super_groups
            .next_due()
            .filter(|_| connection.pull_open.is_none())?;
        (at <= now).then_some(group_id)
    }

    /// Asks for the messages after a group's cursor.
    pub(super) async fn pull(&mut self, connection: &mut Connection, group_id: u64) -> Result<(), ConnectionEnd> {
        let Some(cursor) = self.super_groups.cursor(group_id) else {
            return Ok(());
        };
        let timing = &self.options.timing;
        let request = Request::Pull(PullInputMsg {
            session_type: SessionType::Group.into(),
            target_id: group_id,
            begin_seq: cursor + 1,
            ..PullInputMsg::default()
        });
        let sent = connection
            .request(request, RequestPurpose::Pull { group_id }, timing)
            .await;
        let request_id = sent.map_err(ConnectionEnd::Reconnect)?;
        let until = Instant::now() + timing.answer_timeout;
        connection.pull_open = Some((request_id, group_id, until));
        self.super_groups.ask_at(group_id, Some(until));
        Ok(())
    }

    /// Handles the answer to PULL.
    pub(super) async fn handle_pull_page(
        &mut self,
        connection: &mut Connection,
        request_id: u64,
        group_id: u64,
        output: OutputFrame,
    ) -> Result<(), ConnectionEnd> {
        connection.pull_open.take_if(|(id, _, _)| *id == request_id);
        if !output.is_ok() {
            self.pull_refused(connection, group_id, &output)?;
        } else if let Payload::Pull(page) = output.payload {
            connection.failures = 0;
            let before = self.super_groups.cursor(group_id);
            let (ready, is_current) = self.super_groups.page(group_id, page, Instant::now());
            self.deliver_from_log(group_id, before, ready);
            let in_doubt = self.outbox.group() == Some(group_id) && request_id >= connection.verify_from;
            connection.searched.group |= is_current && in_doubt;
        }
        self.judge_doubt(connection).await?;
        if !self.options.receive && !self.outbox.is_verifying() {
            self.super_groups.ask_at(group_id, None);
        }
        self.emit_groups_caught_up(connection);
        Ok(())
    }

    fn pull_refused(
        &mut self,
        connection: &mut Connection,
        group_id: u64,
        output: &OutputFrame,
    ) -> Result<(), ConnectionEnd> {
        match Code::from_number(output.code) {
            Some(Code::NOT_SIGNED_IN) => return Err(ConnectionEnd::Reconnect(DisconnectReason::NotSignedIn)),
            Some(Code::NOT_A_MEMBER | Code::GROUP_NOT_FOUND) => self.end_group(group_id),
            _ if output.retryable => {
                let at = Instant::now() + self.backoff(connection.failures);
                self.super_groups.ask_at(group_id, Some(at));
                connection.failures = connection.failures.saturating_add(1);
            }
            _ => {
                let (code, message) = (output.code, &output.code_msg);
                tracing::warn!(group_id, code, message, "the server does not show a super group");
                self.super_groups.give_up(group_id);
            }
        }
        Ok(())
    }

    /// Runs with each heartbeat. Quiet groups may have lost their last push, closing groups may be
    /// over, and the announcement of an unknown group may be lost.
    pub(super) fn look_for_lost_group_messages(&mut self, connection: &mut Connection) {
        if !self.options.receive {
            return;
        }
        let (now, poll) = (Instant::now(), self.options.timing.super_group_poll);
        self.super_groups.look_for_lost(now, poll);
        if !connection.listed_for_unknown && self.has_unknown_groups(connection, now) {
            connection.listed_for_unknown = true;
            self.listing.plan(now);
        }
    }
}
