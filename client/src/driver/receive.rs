//! What arrives on a connection: frames, the answers and pushes in them, and where they lead.

use super::link::{Asked, Link};
use super::{AHEAD_LIMIT, Driver, Exit, Receiving, wall_clock_ms};
use crate::error::StopReason;
use crate::event::{DisconnectReason, Event};
use crate::inbox::Inbox;
use crate::incoming::Incoming;
use crate::series::Next;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{self, Message as Frame};
use wigwag_protocol::pb::{KickMsg, Message, SessionType, SyncOutputMsg};
use wigwag_protocol::{Code, OutputFrame, Payload};

impl Driver {
    /// Deals with whatever the socket gave.
    pub(super) async fn frame(
        &mut self,
        link: &mut Link,
        frame: Option<Result<Frame, tungstenite::Error>>,
    ) -> Result<(), Exit> {
        match frame {
            Some(Ok(Frame::Text(text))) => {
                link.heard();
                self.text(link, &text).await
            }
            Some(Ok(Frame::Close(close))) => {
                let code = close.map(|close| u16::from(close.code));
                Err(Exit::Reconnect(DisconnectReason::Closed { code }))
            }
            Some(Ok(_)) => {
                link.heard();
                Ok(())
            }
            Some(Err(error)) => Err(Exit::Reconnect(DisconnectReason::Lost(error.to_string()))),
            None => Err(Exit::Reconnect(DisconnectReason::Closed { code: None })),
        }
    }

    async fn text(&mut self, link: &mut Link, text: &str) -> Result<(), Exit> {
        match Incoming::decode(text) {
            Ok(Incoming::Batch(outputs)) => {
                for output in outputs {
                    self.output(link, output).await?;
                }
            }
            Ok(Incoming::Notice(notice)) => {
                tracing::debug!(
                    gateway.request_id = notice.request_id,
                    notice.message,
                    "the gateway reports a failure"
                );
                self.failed_somewhere(link, &notice.message);
            }
            Err(error) => {
                // It may have held a push or an answer: both are found again.
                tracing::warn!(%error, "a frame could not be read");
                self.failed_somewhere(link, "a frame could not be read");
                self.look_for_anything(link);
            }
        }
        Ok(())
    }

    async fn output(&mut self, link: &mut Link, output: OutputFrame) -> Result<(), Exit> {
        if output.request_id == 0 {
            return self.unasked(link, output).await;
        }
        let request_id = output.request_id;
        match link.take(request_id) {
            // Already answered, or given up; or of no consequence.
            None | Some(Asked::LeaveStrange) => Ok(()),
            Some(Asked::Message(attempt)) => {
                let step = self.outbox.answer(attempt, &output, wall_clock_ms());
                link.failures = 0;
                self.step(link, step).await
            }
            Some(Asked::Sync { after }) => self.page(link, request_id, after, output).await,
            Some(Asked::Pull { group_id }) => self.group_page(link, request_id, group_id, output).await,
            Some(Asked::Room { room_id }) => self.entered_again(link, room_id, output),
            Some(Asked::Heartbeat) => self.pulse(link, &output),
            Some(Asked::App(answer, entering)) => {
                match entering {
                    Some(room_id) if output.is_ok() => self.entered(link, room_id),
                    _ => link.enter_again_after(entering),
                }
                Self::answer_app(answer, output);
                Ok(())
            }
        }
    }

    /// A push, a kick, or something that is newer than this build.
    async fn unasked(&mut self, link: &mut Link, output: OutputFrame) -> Result<(), Exit> {
        match output.payload {
            Payload::Push(push) if output.code == Code::OK.number() => {
                match push.msg {
                    Some(message) if message.session_type() == SessionType::Room => {
                        self.room_pushes(link, message.receiver_id, Event::RoomMessage(message))
                            .await?;
                    }
                    Some(message) => self.received(link, message),
                    None => {}
                }
                Ok(())
            }
            Payload::Signal(signal) if output.code == Code::OK.number() => {
                if signal.session_type() == SessionType::Room {
                    return self.room_pushes(link, signal.receiver_id, Event::Signal(signal)).await;
                }
                self.relayed(Event::Signal(signal));
                Ok(())
            }
            Payload::Kick(kick) => Err(self.kicked(kick)),
            _ if output.code != Code::OK.number() => {
                let message = &output.code_msg;
                tracing::warn!(
                    code = output.code,
                    message,
                    "the server refuses something without saying what"
                );
                self.failed_somewhere(link, message);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn kicked(&mut self, kick: KickMsg) -> Exit {
        if kick.reconnect {
            return Exit::Reconnect(DisconnectReason::Asked);
        }
        let reason = kick.reason();
        self.outlet.emit(Event::Kicked { reason });
        Exit::Stop(StopReason::Kicked)
    }

    /// A message that came without SYNC: a push, or what was just accepted from us.
    pub(super) fn received(&mut self, link: &mut Link, message: Message) {
        if message.session_type() == SessionType::Group && message.seq == 0 {
            return self.group_received(link, message);
        }
        let Receiving::From(inbox) = &mut self.receiving else {
            return;
        };
        if !self.options.receive {
            self.outbox.observe(&message);
            return;
        }
        if self.outlet.is_congested() {
            inbox.note(message.seq);
            return;
        }
        let ready = inbox.push(message);
        self.hand_on(ready);
        self.tell_groups_caught_up(link);
        self.look_for_gap(link, self.options.timing.gap_grace);
    }

    /// The answer to SYNC.
    async fn page(&mut self, link: &mut Link, request_id: u64, after: u64, output: OutputFrame) -> Result<(), Exit> {
        let is_latest = link.sync_open == Some(request_id);
        if is_latest {
            (link.sync_open, link.sync_at) = (None, None);
        }
        if !output.is_ok() {
            return self.sync_refused(link, after, output);
        }
        link.failures = 0;
        let (Payload::Sync(page), Receiving::From(inbox)) = (output.payload, &mut self.receiving) else {
            return Ok(());
        };
        let (ready, next) = inbox.page(page);
        self.hand_on(ready);
        self.tell_groups_caught_up(link);
        let now = Instant::now();
        match next {
            // A later SYNC is on its way and will say more.
            _ if !is_latest => {}
            Next::Again => link.sync_by(now),
            Next::Later(pause) => link.sync_by(now + pause),
            Next::CaughtUp => {
                let cursor = self.shared.cursor();
                if self.options.receive {
                    self.outlet.emit(Event::CaughtUp { cursor });
                }
                self.inbox_caught_up(link, request_id);
                self.caught_up(link, request_id).await?;
            }
        }
        self.keep_syncing_only_if_wanted(link);
        Ok(())
    }

    /// A process that only sends asks for pages only while it looks for its message.
    fn keep_syncing_only_if_wanted(&mut self, link: &mut Link) {
        if !self.options.receive && !self.outbox.is_verifying() {
            link.sync_at = None;
        }
    }

    fn sync_refused(&mut self, link: &mut Link, cursor: u64, output: OutputFrame) -> Result<(), Exit> {
        let max_seq = match output.payload {
            Payload::Sync(SyncOutputMsg { max_seq, .. }) => max_seq,
            _ => 0,
        };
        match Code::from_number(output.code) {
            Some(Code::CURSOR_BEYOND_END) => Err(Exit::Stop(StopReason::CursorBeyondEnd { cursor, max_seq })),
            Some(Code::NOT_SIGNED_IN) => Err(Exit::Reconnect(DisconnectReason::NotSignedIn)),
            _ if output.retryable => {
                link.sync_by(Instant::now() + self.backoff(link.failures));
                link.failures = link.failures.saturating_add(1);
                Ok(())
            }
            _ => Err(Exit::Stop(StopReason::Refused {
                code: output.code,
                message: output.code_msg,
            })),
        }
    }

    /// The answer to a heartbeat.
    fn pulse(&mut self, link: &mut Link, output: &OutputFrame) -> Result<(), Exit> {
        let Payload::Heartbeat(pulse) = &output.payload else {
            return Ok(());
        };
        if Code::from_number(output.code) == Some(Code::NOT_SIGNED_IN) {
            return Err(Exit::Reconnect(DisconnectReason::NotSignedIn));
        }
        if !output.is_ok() {
            self.failed_somewhere(link, &output.code_msg);
            return Ok(());
        }
        match &mut self.receiving {
            Receiving::FindEnd(count) => {
                let cursor = pulse.max_seq.saturating_sub(*count);
                self.receiving = Receiving::From(Inbox::new(cursor, AHEAD_LIMIT));
                self.shared.cursor.store(cursor, Ordering::Release);
                link.heartbeat_at = Instant::now() + self.options.timing.heartbeat;
                link.message_at = Some(Instant::now());
                if self.options.receive {
                    link.sync_at = Some(Instant::now());
                }
            }
            Receiving::From(inbox) => {
                inbox.note(pulse.max_seq);
                self.look_for_gap(link, self.options.timing.gap_grace);
                self.look_for_lost_group_messages(link);
            }
        }
        Ok(())
    }

    fn hand_on(&mut self, messages: Vec<Message>) {
        for message in messages {
            self.outbox.observe(&message);
            if self.options.receive {
                self.hand_on_inboxed(message);
            }
        }
        if let Receiving::From(inbox) = &self.receiving {
            self.shared.cursor.store(inbox.cursor(), Ordering::Release);
        }
    }

    /// Where something is known to be missing, plans a SYNC for when it is still missing then.
    pub(super) fn look_for_gap(&mut self, link: &mut Link, grace: Duration) {
        let behind = matches!(&self.receiving, Receiving::From(inbox) if inbox.is_behind());
        if behind && self.options.receive && link.sync_open.is_none() {
            link.gap_at.get_or_insert(Instant::now() + grace);
        }
    }

    /// Plans a SYNC although nothing is known to be missing.
    pub(super) fn look_for_anything(&self, link: &mut Link) {
        if self.options.receive && link.sync_open.is_none() {
            link.sync_by(Instant::now() + self.options.timing.gap_grace);
        }
    }
}
