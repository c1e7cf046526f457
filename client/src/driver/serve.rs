//! Serving one connection: what is due is sent, what arrives is dealt with, whichever comes first.

use super::link::{Asked, Link, Verified};
use super::listing::Listed;
use super::{Control, Driver, Exit, Receiving, Submission, wall_clock_ms};
use crate::error::{RequestError, SendError, StopReason};
use crate::event::{DisconnectReason, Event};
use crate::outbox::Step;
use crate::socket::Socket;
use futures_util::StreamExt as _;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::{self, Message as Frame};
use wigwag_protocol::Request;
use wigwag_protocol::pb::{HeartbeatMsg, SyncInputMsg};

/// What the wait was ended by.
enum Wake {
    Frame(Option<Result<Frame, tungstenite::Error>>),
    Submission(Option<Submission>),
    Control(Option<Control>),
    Listed(Listed),
    Relieved,
    Due,
}

impl Driver {
    /// Serves a connection until it ends.
    pub(super) async fn serve(&mut self, socket: Socket) -> Exit {
        let mut link = Link::new(socket, self.options.encoding, &self.options.timing, rand::random());
        self.outlet.emit(Event::Connected);
        let exit = match self.open_with_questions(&mut link).await {
            Ok(()) => self.turn(&mut link).await,
            Err(exit) => exit,
        };
        link.interrupt_app("the connection ended");
        if link.opened_at.elapsed() >= self.options.timing.stable_after {
            self.attempt = 0;
        }
        if matches!(exit, Exit::Stop(_) | Exit::Reconnect(DisconnectReason::Planned)) {
            link.close(&self.options.timing).await;
        }
        exit
    }

    async fn turn(&mut self, link: &mut Link) -> Exit {
        loop {
            if let Err(exit) = self.due(link).await {
                return exit;
            }
            let done = match self.wait(link).await {
                Wake::Frame(frame) => self.frame(link, frame).await,
                Wake::Submission(submission) => {
                    self.take_up(link, submission);
                    Ok(())
                }
                Wake::Control(control) => self.control(link, control).await,
                Wake::Listed(listed) => {
                    self.listed(link, listed);
                    Ok(())
                }
                Wake::Relieved => {
                    self.look_for_gap(link, Duration::ZERO);
                    Ok(())
                }
                Wake::Due => Ok(()),
            };
            if let Err(exit) = done {
                return exit;
            }
        }
    }

    async fn wait(&mut self, link: &mut Link) -> Wake {
        let due = link.next_due(&self.options.timing, !self.outlet.is_congested());
        let others = [self.pull_due(link), self.listing.due(), self.closing];
        let due = others.into_iter().flatten().fold(due, Instant::min);
        // A closed queue that is empty answers at once, for ever.
        let takes = self.outbox.is_idle() && !(self.closing.is_some() && self.submissions.is_empty());
        tokio::select! {
            frame = link.socket.next() => Wake::Frame(frame),
            submission = self.submissions.recv(), if takes => Wake::Submission(submission),
            control = self.controls.recv(), if self.closing.is_none() => Wake::Control(control),
            listed = self.listing.wait(), if self.listing.is_under_way() => Wake::Listed(listed),
            () = self.outlet.relieve(), if self.outlet.is_congested() => Wake::Relieved,
            () = sleep_until(due) => Wake::Due,
        }
    }

    /// SYNC first, then PULL of every super group, and into the room again; a heartbeat where the end of the inbox has to be found.
    async fn open_with_questions(&mut self, link: &mut Link) -> Result<(), Exit> {
        match &self.receiving {
            Receiving::FindEnd(_) => self.heartbeat(link).await,
            Receiving::From(_) => {
                if self.options.receive || self.outbox.is_verifying() {
                    link.sync_at = Some(Instant::now());
                }
                Ok(())
            }
        }?;
        self.begin_groups();
        self.begin_room(link);
        Ok(())
    }

    /// Sends what is due.
    async fn due(&mut self, link: &mut Link) -> Result<(), Exit> {
        let now = Instant::now();
        if self
            .closing
            .is_some_and(|deadline| deadline <= now || self.is_flushed())
        {
            return Err(Exit::Stop(StopReason::Closed));
        }
        if link.is_silent(now, &self.options.timing) {
            return Err(Exit::Reconnect(DisconnectReason::Silent));
        }
        if link.planned_at <= now {
            return Err(Exit::Reconnect(DisconnectReason::Planned));
        }
        link.expire(now);
        if self.wants_sync(link, now) {
            self.sync(link).await?;
        }
        if link.message_at.is_some_and(|at| at <= now) {
            self.transmit(link).await?;
        }
        if let Some(group_id) = self.wants_pull(link, now) {
            self.pull(link, group_id).await?;
        }
        if link.room_at.is_some_and(|at| at <= now) {
            self.enter_again(link).await?;
        }
        self.listing.begin_if_due(now);
        if link.heartbeat_at <= now {
            self.heartbeat(link).await?;
        }
        Ok(())
    }

    fn wants_sync(&self, link: &mut Link, now: Instant) -> bool {
        if self.outlet.is_congested() {
            return false;
        }
        let behind = matches!(&self.receiving, Receiving::From(inbox) if inbox.is_behind());
        let gap = link.gap_at.take_if(|at| *at <= now).is_some() && behind && link.sync_open.is_none();
        gap || link.sync_at.is_some_and(|at| at <= now)
    }

    /// Asks for what comes after the cursor.
    async fn sync(&mut self, link: &mut Link) -> Result<(), Exit> {
        link.sync_at = None;
        link.gap_at = None;
        let Receiving::From(inbox) = &self.receiving else {
            return Ok(());
        };
        let after = inbox.cursor();
        let timing = &self.options.timing;
        let request = Request::Sync(SyncInputMsg { seq: after, limit: 0 });
        let sent = link.request(request, Asked::Sync { after }, timing).await;
        link.sync_open = Some(sent.map_err(Exit::Reconnect)?);
        link.sync_at = Some(Instant::now() + timing.answer_timeout);
        Ok(())
    }

    async fn heartbeat(&mut self, link: &mut Link) -> Result<(), Exit> {
        let timing = &self.options.timing;
        let request = Request::Heartbeat(HeartbeatMsg::default());
        let sent = link.request(request, Asked::Heartbeat, timing).await;
        sent.map_err(Exit::Reconnect)?;
        // Until the end of the inbox is known nothing else moves, so an unanswered question is repeated soon.
        let pause = match self.receiving {
            Receiving::FindEnd(_) => timing.answer_timeout.min(timing.heartbeat),
            Receiving::From(_) => timing.heartbeat,
        };
        link.heartbeat_at = Instant::now() + pause;
        Ok(())
    }

    /// Takes up the next message of the queue.
    fn take_up(&mut self, link: &mut Link, submission: Option<Submission>) {
        match submission {
            Some(Submission { message, ticket }) => {
                self.outbox.start(message);
                self.ticket = Some(ticket);
                self.session_changed();
                link.message_at = Some(Instant::now());
            }
            None if self.closing.is_none() => self.begin_closing(),
            None => {}
        }
    }

    /// Transmits the message in flight, saved before.
    async fn transmit(&mut self, link: &mut Link) -> Result<(), Exit> {
        link.message_at = None;
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
        let sent = link
            .request(Request::Message(frame), Asked::Message(attempt), timing)
            .await;
        sent.map_err(Exit::Reconnect)?;
        let extra = match self.outbox.transmissions() {
            0 | 1 => Duration::ZERO,
            repeats => self.backoff(repeats - 2),
        };
        link.message_at = Some(Instant::now() + self.options.timing.answer_timeout + extra);
        Ok(())
    }

    /// Gives up a message that could not be saved. One that was transmitted before under its number is saved already.
    fn not_saved(&mut self, error: std::io::Error) {
        self.outbox.abandon();
        self.report(Err(SendError::NotSaved(error)));
        self.session_changed();
    }

    /// Tells whoever waits for the message in flight.
    pub(super) fn report(&mut self, result: Result<crate::Receipt, SendError>) {
        match self.ticket.take() {
            // The app may have stopped waiting.
            Some(ticket) => drop(ticket.send(result)),
            None => self.outlet.emit(Event::PendingSettled(result)),
        }
    }

    async fn control(&mut self, link: &mut Link, control: Option<Control>) -> Result<(), Exit> {
        match control {
            Some(Control::SyncNow) => {
                if link.sync_open.is_none() {
                    link.sync_by(Instant::now());
                }
                Ok(())
            }
            Some(Control::Ask(request, answer)) => {
                let entering = self.asked_about_room(link, &request);
                let asked = Asked::App(answer, entering);
                let sent = link.request(request, asked, &self.options.timing).await;
                sent.map(drop).map_err(Exit::Reconnect)
            }
            Some(Control::Close) | None => {
                self.begin_closing();
                Ok(())
            }
        }
    }

    /// Deals with what an answer means for the message in flight.
    pub(super) async fn step(&mut self, link: &mut Link, step: Step) -> Result<(), Exit> {
        match step {
            Step::Ignore => {}
            Step::Again => {
                let pause = self.backoff(self.outbox.transmissions().saturating_sub(1));
                link.message_at = Some(Instant::now() + pause);
            }
            Step::Renumbered => {
                self.session_changed();
                link.message_at = Some(Instant::now());
            }
            Step::Verify => {
                tracing::info!("the server's numbering differs from ours; looking for the message in the inbox");
                link.message_at = None;
                (link.verify_from, link.verified) = (link.upcoming_request_id(), Verified::default());
                link.sync_at = Some(Instant::now());
                self.look_in_group();
            }
            Step::Reconnect => return Err(Exit::Reconnect(DisconnectReason::NotSignedIn)),
            Step::Accepted(receipt, own_copy) => {
                self.settled(link, Ok(receipt)).await;
                self.received(link, *own_copy);
            }
            Step::Failed(error) => self.settled(link, Err(error)).await,
        }
        Ok(())
    }

    async fn settled(&mut self, link: &mut Link, result: Result<crate::Receipt, SendError>) {
        link.message_at = None;
        link.forget_transmissions();
        self.session_changed();
        if let Err(error) = self.save().await {
            // Harmless: the next save brings it, or the next process repeats a message and gets the same answer.
            tracing::warn!(%error, "the numbering could not be saved after a message was settled");
        }
        self.report(result);
    }

    /// Everything that the server had in the inbox is handed on.
    pub(super) async fn caught_up(&mut self, link: &mut Link, request_id: u64) -> Result<(), Exit> {
        link.verified.inbox |= request_id >= link.verify_from;
        self.verified(link).await
    }

    /// Judges a message in doubt, once everything is handed on that may hold its copy.
    pub(super) async fn verified(&mut self, link: &mut Link) -> Result<(), Exit> {
        let by_log = self
            .outbox
            .group()
            .is_some_and(|group| self.super_groups.contains(group));
        let is_known = link.verified.inbox && (link.verified.group || !by_log);
        if self.outbox.is_verifying() && is_known {
            let step = self.outbox.caught_up(wall_clock_ms());
            return self.step(link, step).await;
        }
        Ok(())
    }

    /// Something failed that names no request: whatever is open is repeated sooner.
    pub(super) fn failed_somewhere(&mut self, link: &mut Link, why: &str) {
        let at = Instant::now() + self.backoff(link.failures);
        link.failures = link.failures.saturating_add(1);
        link.message_at = link.message_at.map(|due| due.min(at));
        link.sync_at = link.sync_at.map(|due| due.min(at));
        link.room_at = link.room_at.map(|due| due.min(at));
        if let Some((_, group_id, _)) = link.pull_open.take() {
            self.super_groups.ask_by(group_id, at);
        }
        if matches!(self.receiving, Receiving::FindEnd(_)) {
            link.heartbeat_at = link.heartbeat_at.min(at);
        }
        link.interrupt_app(why);
    }

    /// The app's question was answered.
    pub(super) fn answer_app(answer: super::Answer, output: wigwag_protocol::OutputFrame) {
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
