//! Serves one connection: sends what is due and handles what arrives.

use super::connection::{Connection, RequestPurpose, SearchedForCopy};
use super::listing::GroupListResult;
use super::{ConnectionEnd, Control, Driver, Receiving, Submission, wall_clock_ms};
use crate::error::{RequestError, SendError, StopReason};
use crate::event::{DisconnectReason, Event};
use crate::outbox::OutboxStep;
use crate::socket::Socket;
use futures_util::StreamExt as _;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::{self, Message as Frame};
use wigwag_protocol::Request;
use wigwag_protocol::pb::{HeartbeatMsg, SyncInputMsg};

/// What ended the wait.
enum Wake {
    Frame(Option<Result<Frame, tungstenite::Error>>),
    Submission(Option<Submission>),
    Control(Option<Control>),
    GroupsListed(GroupListResult),
    Relieved,
    Due,
}

impl Driver {
    /// Serves a connection until it ends.
    pub(super) async fn serve(&mut self, socket: Socket) -> ConnectionEnd {
        let mut connection = Connection::new(socket, self.options.encoding, &self.options.timing, rand::random());
        self.outlet.emit(Event::Connected);
        let exit = match self.open_with_questions(&mut connection).await {
            Ok(()) => self.serve_until_end(&mut connection).await,
            Err(exit) => exit,
        };
        connection.interrupt_app("the connection ended");
        if connection.opened_at.elapsed() >= self.options.timing.stable_after {
            self.attempt = 0;
        }
        if matches!(
            exit,
            ConnectionEnd::Stop(_) | ConnectionEnd::Reconnect(DisconnectReason::Planned)
        ) {
            connection.close(&self.options.timing).await;
        }
        exit
    }

    async fn serve_until_end(&mut self, connection: &mut Connection) -> ConnectionEnd {
        loop {
            if let Err(exit) = self.send_due(connection).await {
                return exit;
            }
            let done = match self.wait(connection).await {
                Wake::Frame(frame) => self.handle_frame(connection, frame).await,
                Wake::Submission(submission) => {
                    self.take_up(connection, submission);
                    Ok(())
                }
                Wake::Control(control) => self.handle_control(connection, control).await,
                Wake::GroupsListed(listed) => {
                    self.handle_group_list(connection, listed);
                    Ok(())
                }
                Wake::Relieved => {
                    self.look_for_gap(connection, Duration::ZERO);
                    Ok(())
                }
                Wake::Due => Ok(()),
            };
            if let Err(exit) = done {
                return exit;
            }
        }
    }

    async fn wait(&mut self, connection: &mut Connection) -> Wake {
        let due = connection.next_due(&self.options.timing, !self.outlet.is_congested());
        let others = [self.pull_due(connection), self.listing.due(), self.closing];
        let due = others.into_iter().flatten().fold(due, Instant::min);
        // A closed and empty queue would return at once, for ever.
        let takes = self.outbox.is_idle() && !(self.closing.is_some() && self.submissions.is_empty());
        tokio::select! {
            frame = connection.socket.next() => Wake::Frame(frame),
            submission = self.submissions.recv(), if takes => Wake::Submission(submission),
            control = self.controls.recv(), if self.closing.is_none() => Wake::Control(control),
            listed = self.listing.wait(), if self.listing.is_under_way() => Wake::GroupsListed(listed),
            () = self.outlet.relieve(), if self.outlet.is_congested() => Wake::Relieved,
            () = sleep_until(due) => Wake::Due,
        }
    }

    /// Plans the first requests: SYNC, then PULL of every super group, then the room. If the end of
    /// the inbox must be found, a heartbeat comes first.
    async fn open_with_questions(&mut self, connection: &mut Connection) -> Result<(), ConnectionEnd> {
        match &self.receiving {
            Receiving::FindEnd(_) => self.heartbeat(connection).await,
            Receiving::From(_) => {
                if self.options.receive || self.outbox.is_verifying() {
                    connection.sync_at = Some(Instant::now());
                }
                Ok(())
            }
        }?;
        self.begin_groups();
        self.begin_room(connection);
        Ok(())
    }

    /// Sends everything that is due.
    async fn send_due(&mut self, connection: &mut Connection) -> Result<(), ConnectionEnd> {
        let now = Instant::now();
        if self
            .closing
            .is_some_and(|deadline| deadline <= now || self.is_flushed())
        {
            return Err(ConnectionEnd::Stop(StopReason::Closed));
        }
        if connection.is_silent(now, &self.options.timing) {
            return Err(ConnectionEnd::Reconnect(DisconnectReason::Silent));
        }
        if connection.planned_at <= now {
            return Err(ConnectionEnd::Reconnect(DisconnectReason::Planned));
        }
        connection.expire(now);
        if self.wants_sync(connection, now) {
            self.sync(connection).await?;
        }
        if connection.message_at.is_some_and(|at| at <= now) {
            self.transmit(connection).await?;
        }
        if let Some(group_id) = self.wants_pull(connection, now) {
            self.pull(connection, group_id).await?;
        }
        if connection.room_at.is_some_and(|at| at <= now) {
            self.enter_again(connection).await?;
        }
        self.listing.begin_if_due(now);
        if connection.heartbeat_at <= now {
            self.heartbeat(connection).await?;
        }
        Ok(())
    }

    fn wants_sync(&self, connection: &mut Connection, now: Instant) -> bool {
        if self.outlet.is_congested() {
            return false;
        }
        let behind = matches!(&self.receiving, Receiving::From(inbox) if inbox.is_behind());
        let gap = connection.gap_at.take_if(|at| *at <= now).is_some() && behind && connection.sync_open.is_none();
        gap || connection.sync_at.is_some_and(|at| at <= now)
    }

    /// Asks for the entries after the cursor.
    async fn sync(&mut self, connection: &mut Connection) -> Result<(), ConnectionEnd> {
        connection.sync_at = None;
        connection.gap_at = None;
        let Receiving::From(inbox) = &self.receiving else {
            return Ok(());
        };
        let after = inbox.cursor();
        let timing = &self.options.timing;
        let request = Request::Sync(SyncInputMsg { seq: after, limit: 0 });
        let sent = connection
            .request(request, RequestPurpose::Sync { after }, timing)
            .await;
        connection.sync_open = Some(sent.map_err(ConnectionEnd::Reconnect)?);
        connection.sync_at = Some(Instant::now() + timing.answer_timeout);
        Ok(())
    }

    async fn heartbeat(&mut self, connection: &mut Connection) -> Result<(), ConnectionEnd> {
        let timing = &self.options.timing;
        let request = Request::Heartbeat(HeartbeatMsg::default());
        let sent = connection.request(request, RequestPurpose::Heartbeat, timing).await;
        sent.map_err(ConnectionEnd::Reconnect)?;
        // Until the end of the inbox is known nothing else happens, so an unanswered heartbeat is
        // repeated soon.
        let pause = match self.receiving {
            Receiving::FindEnd(_) => timing.answer_timeout.min(timing.heartbeat),
            Receiving::From(_) => timing.heartbeat,
        };
        connection.heartbeat_at = Instant::now() + pause;
        Ok(())
    }

    /// Takes the next message of the queue.
    fn take_up(&mut self, connection: &mut Connection, submission: Option<Submission>) {
        match submission {
            Some(Submission { message, ticket }) => {
                self.outbox.start(message);
                self.ticket = Some(ticket);
                self.session_changed();
                connection.message_at = Some(Instant::now());
            }
            None if self.closing.is_none() => self.begin_closing(),
            None => {}
        }
    }

    /// Saves and transmits the message in flight.
    async fn transmit(&mut self, connection: &mut Connection) -> Result<(), ConnectionEnd> {
        connection.message_at = None;
        if self.outbox.is_idle() || self.outbox.is_verifying() || matches!(self.receiving, Receiving::FindEnd(_)) {
            return Ok(());
        }
        if let Err(error) = self.save().await {
            tracing::warn!(%error, "the numbering could not be saved; a message was not sent");
            self.not_saved(error);
            return Ok(());
        }
        let Some((attempt, frame)) = self.outbox.transmit() else {
            return Ok(());
        };
        let timing = &self.options.timing;
        let sent = connection
            .request(Request::Message(frame), RequestPurpose::Message(attempt), timing)
            .await;
        sent.map_err(ConnectionEnd::Reconnect)?;
        let extra = match self.outbox.transmissions() {
            0 | 1 => Duration::ZERO,
            repeats => self.backoff(repeats - 2),
        };
        connection.message_at = Some(Instant::now() + self.options.timing.answer_timeout + extra);
        Ok(())
    }

    /// Gives up a message that could not be saved. A message that was transmitted under its number
    /// has been saved before.
    fn not_saved(&mut self, error: std::io::Error) {
        self.outbox.abandon();
        self.report(Err(SendError::NotSaved(error)));
        self.session_changed();
    }

    /// Reports the result to the sender of the message in flight, or as an event.
    pub(super) fn report(&mut self, result: Result<crate::Receipt, SendError>) {
        match self.ticket.take() {
            // The app may have stopped waiting.
            Some(ticket) => drop(ticket.send(result)),
            None => self.outlet.emit(Event::PendingSettled(result)),
        }
    }

    async fn handle_control(
        &mut self,
        connection: &mut Connection,
        control: Option<Control>,
    ) -> Result<(), ConnectionEnd> {
        match control {
            Some(Control::SyncNow) => {
                if connection.sync_open.is_none() {
                    connection.sync_by(Instant::now());
                }
                Ok(())
            }
            Some(Control::Ask(request, answer)) => {
                let entering = self.asked_about_room(connection, &request);
                let asked = RequestPurpose::App(answer, entering);
                let sent = connection.request(request, asked, &self.options.timing).await;
                sent.map(drop).map_err(ConnectionEnd::Reconnect)
            }
            Some(Control::Close) | None => {
                self.begin_closing();
                Ok(())
            }
        }
    }

    /// Applies what an answer means for the message in flight.
    pub(super) async fn apply_step(
        &mut self,
        connection: &mut Connection,
        step: OutboxStep,
    ) -> Result<(), ConnectionEnd> {
        match step {
            OutboxStep::Ignore => {}
            OutboxStep::Again => {
                let pause = self.backoff(self.outbox.transmissions().saturating_sub(1));
                connection.message_at = Some(Instant::now() + pause);
            }
            OutboxStep::Renumbered => {
                self.session_changed();
                connection.message_at = Some(Instant::now());
            }
            OutboxStep::Verify => {
                tracing::info!(
                    "the server's numbering differs from the client's; looking for the message in the inbox"
                );
                connection.message_at = None;
                (connection.verify_from, connection.searched) =
                    (connection.upcoming_request_id(), SearchedForCopy::default());
                connection.sync_at = Some(Instant::now());
                self.look_in_group();
            }
            OutboxStep::Reconnect => return Err(ConnectionEnd::Reconnect(DisconnectReason::NotSignedIn)),
            OutboxStep::Accepted(receipt, own_copy) => {
                self.settled(connection, Ok(receipt)).await;
                self.received(connection, *own_copy);
            }
            OutboxStep::Failed(error) => self.settled(connection, Err(error)).await,
        }
        Ok(())
    }

    async fn settled(&mut self, connection: &mut Connection, result: Result<crate::Receipt, SendError>) {
        connection.message_at = None;
        connection.forget_transmissions();
        self.session_changed();
        if let Err(error) = self.save().await {
            // Harmless: the next save includes it. If the process ends first, the next one repeats
            // a message and gets the same answer.
            tracing::warn!(%error, "the numbering could not be saved after a message was settled");
        }
        self.report(result);
    }

    /// Everything that the server had in the inbox was delivered.
    pub(super) async fn caught_up(
        &mut self,
        connection: &mut Connection,
        request_id: u64,
    ) -> Result<(), ConnectionEnd> {
        connection.searched.inbox |= request_id >= connection.verify_from;
        self.judge_doubt(connection).await
    }

    /// Decides about a message in doubt once everything was delivered that may hold its copy.
    pub(super) async fn judge_doubt(&mut self, connection: &mut Connection) -> Result<(), ConnectionEnd> {
        let by_log = self
            .outbox
            .group()
            .is_some_and(|group| self.super_groups.contains(group));
        let is_known = connection.searched.inbox && (connection.searched.group || !by_log);
        if self.outbox.is_verifying() && is_known {
            let step = self.outbox.caught_up(wall_clock_ms());
            return self.apply_step(connection, step).await;
        }
        Ok(())
    }

    /// Handles a failure that names no request: everything open is repeated sooner.
    pub(super) fn failed_somewhere(&mut self, connection: &mut Connection, why: &str) {
        let at = Instant::now() + self.backoff(connection.failures);
        connection.failures = connection.failures.saturating_add(1);
        connection.message_at = connection.message_at.map(|due| due.min(at));
        connection.sync_at = connection.sync_at.map(|due| due.min(at));
        connection.room_at = connection.room_at.map(|due| due.min(at));
        if let Some((_, group_id, _)) = connection.pull_open.take() {
            self.super_groups.ask_by(group_id, at);
        }
        if matches!(self.receiving, Receiving::FindEnd(_)) {
            connection.heartbeat_at = connection.heartbeat_at.min(at);
        }
        connection.interrupt_app(why);
    }

    /// Passes an answer on to the app.
    pub(super) fn answer_app(answer: super::AppAnswer, output: wigwag_protocol::OutputFrame) {
        let result = if output.is_ok() {
            Ok(output)
        } else {
            Err(RequestError::Refused {
                code: output.code,
                message: output.code_msg,
                retryable: output.retryable,
            })
        };
        // The app may have stopped waiting.
        let _ = answer.send(result);
    }
}
