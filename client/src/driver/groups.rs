//! Super groups on a connection: which there are, their pushes and pages, and when to ask for what.

use super::link::{Asked, Link};
use super::listing::Listed;
use super::{Driver, Exit};
use crate::event::{DisconnectReason, Event};
use crate::options::Start;
use std::time::Duration;
use tokio::time::Instant;
use wigwag_protocol::http::Group;
use wigwag_protocol::pb::{Message, PullInputMsg, SessionType};
use wigwag_protocol::{Code, OutputFrame, Payload, Request};

/// How long a change that the HTTP API knows already usually takes to the inbox. A super group that is listed and not followed is
/// looked for there once more after that, before it is followed on the word of the list.
const INBOX_LAG: Duration = Duration::from_secs(2);

/// How long a group that pushes may be unknown before the list is asked for it: its coming is usually told of in the same moment, and
/// after thirty seconds where a worker failed.
const STRANGER_FOR: Duration = Duration::from_mins(1);

/// Most unknown groups that are remembered.
const STRANGERS: usize = 64;

impl Driver {
    /// A connection has begun.
    pub(super) fn begin_groups(&mut self) {
        if self.options.receive {
            self.super_groups.connected(Instant::now());
        } else if self.outbox.is_verifying() {
            self.look_in_group();
        }
    }

    /// Looks for the message in flight in the log of the super group that it is for.
    pub(super) fn look_in_group(&mut self) {
        if let Some(group_id) = self.outbox.group() {
            self.super_groups.ask_by(group_id, Instant::now());
        }
    }

    /// Everything that was in the inbox is handed on: what remains unknown is asked for.
    pub(super) fn inbox_caught_up(&mut self, link: &mut Link, request_id: u64) {
        if !self.options.receive {
            return;
        }
        link.inbox_caught_up = true;
        if self.listing.is_awaited() {
            self.listing.plan(Instant::now());
        }
        if request_id >= link.listed_from {
            for (group_id, cursor) in std::mem::take(&mut self.candidates) {
                if let Some(cursor) = self.super_groups.begin(group_id, cursor, Some(Instant::now())) {
                    self.outlet.emit(Event::GroupCursor { group_id, cursor });
                }
            }
        }
        self.tell_groups_caught_up(link);
    }

    /// The HTTP API has said which groups the user is in, or failed to.
    pub(super) fn listed(&mut self, link: &mut Link, listed: Listed) {
        let now = Instant::now();
        match listed {
            Ok(groups) => {
                // All of them, or, later, those whose coming was not told of: from that on.
                let newest = match self.options.start {
                    Start::Newest(count) if self.listing.is_awaited() => Some(count),
                    Start::Newest(_) | Start::After(_) => None,
                };
                self.listing.is_done();
                let unknown = |group: &Group| {
                    let is_open = group.super_group && !group.dissolved;
                    let is_meant = newest.is_some() || link.strangers.contains_key(&group.group_id);
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
                    link.listed_from = link.upcoming_request_id();
                    link.sync_by(now + INBOX_LAG);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the groups could not be listed");
                self.listing.failed(now, self.backoff(self.listing.failures()));
            }
        }
        self.tell_groups_caught_up(link);
    }

    /// Tells once per connection, as soon as it is so: also where a group goes that was the last to be waited for.
    pub(super) fn tell_groups_caught_up(&mut self, link: &mut Link) {
        let is_known = link.inbox_caught_up && !self.listing.is_awaited() && self.candidates.is_empty();
        if is_known && !link.groups_told && self.super_groups.are_caught_up() {
            link.groups_told = true;
            self.outlet.emit(Event::GroupsCaughtUp);
        }
    }

    /// Hands on a message of the inbox, unless the log of its super group does.
    pub(super) fn hand_on_inboxed(&mut self, message: Message) {
        let group_id = message.receiver_id;
        let inboxed = self.super_groups.inboxed(&message, Instant::now());
        if let Some(cursor) = inboxed.begins_after {
            self.outlet.emit(Event::GroupCursor { group_id, cursor });
        }
        if inboxed.is_handed_on {
            self.outlet.emit(Event::Message(message));
        }
        self.end_if_over(group_id);
    }

    /// A message of a super group that came unasked, or was just accepted from us.
    pub(super) fn group_received(&mut self, link: &mut Link, message: Message) {
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
            Some(ready) => self.hand_on_of_group(group_id, before, ready),
            None => self.met_stranger(link, group_id, now),
        }
    }

    /// A group pushes that is not followed. The inbox tells what it is; where it does not, the list does. Each is asked once on a
    /// connection, for the group may be one that the user has left.
    fn met_stranger(&self, link: &mut Link, group_id: u64, now: Instant) {
        if link.strangers.is_empty() {
            self.look_for_anything(link);
        }
        if link.strangers.len() < STRANGERS {
            link.strangers.entry(group_id).or_insert(now);
        }
    }

    /// Whether a group that pushed has been unknown for so long that its coming may be lost.
    fn has_strangers(&self, link: &Link, now: Instant) -> bool {
        let is_old = |(group_id, since): (&u64, &Instant)| {
            now >= *since + STRANGER_FOR && !self.super_groups.contains(*group_id)
        };
        link.strangers.iter().any(is_old)
    }

    /// Hands on messages of a super group's log, whose cursor was `before`.
    fn hand_on_of_group(&mut self, group_id: u64, before: Option<u64>, ready: Vec<Message>) {
        let mut told = before.unwrap_or_default();
        for message in ready {
            self.outbox.observe(&message);
            told = message.conversation_seq;
            if self.options.receive {
                self.outlet.emit(Event::GroupMessage(message));
            }
        }
        let cursor = self.super_groups.cursor(group_id).unwrap_or_default();
        if self.options.receive && cursor > told {
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
    pub(super) fn pull_due(&self, link: &Link) -> Option<Instant> {
        if self.outlet.is_congested() {
            return None;
        }
        match link.pull_open {
            Some((_, _, until)) => Some(until),
            None => self.super_groups.next_due().map(|(_, at)| at),
        }
    }

    /// The group to PULL now.
    pub(super) fn wants_pull(&self, link: &mut Link, now: Instant) -> Option<u64> {
        if self.outlet.is_congested() {
            return None;
        }
        link.pull_open.take_if(|(_, _, until)| *until <= now);
        let (group_id, at) = self.super_groups.next_due().filter(|_| link.pull_open.is_none())?;
        (at <= now).then_some(group_id)
    }

    /// Asks for what comes after a group's cursor.
    pub(super) async fn pull(&mut self, link: &mut Link, group_id: u64) -> Result<(), Exit> {
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
        let sent = link.request(request, Asked::Pull { group_id }, timing).await;
        let request_id = sent.map_err(Exit::Reconnect)?;
        let until = Instant::now() + timing.answer_timeout;
        link.pull_open = Some((request_id, group_id, until));
        self.super_groups.ask_at(group_id, Some(until));
        Ok(())
    }

    /// The answer to PULL.
    pub(super) async fn group_page(
        &mut self,
        link: &mut Link,
        request_id: u64,
        group_id: u64,
        output: OutputFrame,
    ) -> Result<(), Exit> {
        link.pull_open.take_if(|(id, _, _)| *id == request_id);
        if !output.is_ok() {
            self.pull_refused(link, group_id, &output)?;
        } else if let Payload::Pull(page) = output.payload {
            link.failures = 0;
            let before = self.super_groups.cursor(group_id);
            let (ready, is_current) = self.super_groups.page(group_id, page, Instant::now());
            self.hand_on_of_group(group_id, before, ready);
            let in_doubt = self.outbox.group() == Some(group_id) && request_id >= link.verify_from;
            link.verified.group |= is_current && in_doubt;
        }
        self.verified(link).await?;
        if !self.options.receive && !self.outbox.is_verifying() {
            self.super_groups.ask_at(group_id, None);
        }
        self.tell_groups_caught_up(link);
        Ok(())
    }

    fn pull_refused(&mut self, link: &mut Link, group_id: u64, output: &OutputFrame) -> Result<(), Exit> {
        match Code::from_number(output.code) {
            Some(Code::NOT_SIGNED_IN) => return Err(Exit::Reconnect(DisconnectReason::NotSignedIn)),
            Some(Code::NOT_A_MEMBER | Code::GROUP_NOT_FOUND) => self.end_group(group_id),
            _ if output.retryable => {
                let at = Instant::now() + self.backoff(link.failures);
                self.super_groups.ask_at(group_id, Some(at));
                link.failures = link.failures.saturating_add(1);
            }
            _ => {
                let (code, message) = (output.code, &output.code_msg);
                tracing::warn!(group_id, code, message, "the server does not show a super group");
                self.super_groups.give_up(group_id);
            }
        }
        Ok(())
    }

    /// With a heartbeat: quiet groups may have lost their last push, groups that are closing may be over, and what pushes unknown may be a
    /// group whose coming was lost.
    pub(super) fn look_for_lost_group_messages(&mut self, link: &mut Link) {
        if !self.options.receive {
            return;
        }
        let (now, poll) = (Instant::now(), self.options.timing.super_group_poll);
        self.super_groups.look_for_lost(now, poll);
        if !link.listed_for_strangers && self.has_strangers(link, now) {
            link.listed_for_strangers = true;
            self.listing.plan(now);
        }
    }
}
