//! Incoming frames: the answers and pushes in them, and what they cause.

use super::connection::{Connection, RequestPurpose};
use super::{AHEAD_LIMIT, ConnectionEnd, Driver, Receiving, wall_clock_ms};
use crate::error::StopReason;
use crate::event::{DisconnectReason, Event};
use crate::inbox::Inbox;
use crate::incoming::Incoming;
use crate::series::NextAsk;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{self, Message as Frame};
use wigwag_protocol::pb::{KickMsg, Message, SessionType, SyncOutputMsg};
use wigwag_protocol::{Code, OutputFrame, Payload};

impl Driver {
    /// Handles an item from the socket.
    pub(super) async fn handle_frame(
        &mut self,
        connection: &mut Connection,
        frame: Option<Result<Frame, tungstenite::Error>>,
    ) -> Result<(), ConnectionEnd> {
        match frame {
            Some(Ok(Frame::Text(text))) => {
                connection.heard();
                self.handle_text(connection, &text).await
            }
            Some(Ok(Frame::Close(close))) => {
                let code = close.map(|close| u16::from(close.code));
                Err(ConnectionEnd::Reconnect(DisconnectReason::Closed { code }))
            }
            Some(Ok(_)) => {
                connection.heard();
                Ok(())
            }
            Some(Err(error)) => Err(ConnectionEnd::Reconnect(DisconnectReason::Lost(error.to_string()))),
            None => Err(ConnectionEnd::Reconnect(DisconnectReason::Closed { code: None })),
        }
    }

    async fn handle_text(&mut self, connection: &mut Connection, text: &str) -> Result<(), ConnectionEnd> {
        match Incoming::decode(text) {
            Ok(Incoming::Batch(outputs)) => {
                for output in outputs {
                    self.handle_output(connection, output).await?;
                }
            }
            Ok(Incoming::Notice(notice)) => {
                tracing::debug!(
                    gateway.request_id = notice.request_id,
                    notice.message,
                    "the gateway reports a failure"
                );
                self.failed_somewhere(connection, &notice.message);
            }
            Err(error) => {
                // The frame may have held a push or an answer. Both are found again.
                tracing::warn!(%error, "a frame could not be read");
                self.failed_somewhere(connection, "a frame could not be read");
                self.look_for_anything(connection);
            }
        }
        Ok(())
    }

    async fn handle_output(&mut self, connection: &mut Connection, output: OutputFrame) -> Result<(), ConnectionEnd> {
        if output.request_id == 0 {
            return self.handle_unsolicited(connection, output).await;
        }
        let request_id = output.request_id;
        match connection.take(request_id) {
            // Already answered, given up, or irrelevant.
            None | Some(RequestPurpose::LeaveWrongRoom) => Ok(()),
            Some(RequestPurpose::Message(attempt)) => {
                let step = self.outbox.answer(attempt, &output, wall_clock_ms());
                connection.failures = 0;
                self.apply_step(connection, step).await
            }
            Some(RequestPurpose::Sync { after }) => self.handle_sync_page(connection, request_id, after, output).await,
            Some(RequestPurpose::Pull { group_id }) => {
                self.handle_pull_page(connection, request_id, group_id, output).await
            }
            Some(RequestPurpose::Room { room_id }) => self.entered_again(connection, room_id, output),
            Some(RequestPurpose::Heartbeat) => self.handle_heartbeat(connection, &output),
            Some(RequestPurpose::App(answer, entering)) => {
                match entering {
                    Some(room_id) if output.is_ok() => self.entered(connection, room_id),
                    _ => connection.enter_again_after(entering),
                }
                Self::answer_app(answer, output);
                Ok(())
            }
        }
    }

    /// A push, a kick, or something that this version does not know.
    async fn handle_unsolicited(
        &mut self,
        connection: &mut Connection,
        output: OutputFrame,
    ) -> Result<(), ConnectionEnd> {
        match output.payload {
            Payload::Push(push) if output.code == Code::OK.number() => {
                match push.msg {
                    Some(message) if message.session_type() == SessionType::Room => {
                        self.room_pushes(connection, message.receiver_id, Event::RoomMessage(message))
                            .await?;
                    }
                    Some(message) => self.received(connection, message),
                    None => {}
                }
                Ok(())
            }
            Payload::Signal(signal) if output.code == Code::OK.number() => {
                if signal.session_type() == SessionType::Room {
                    return self
                        .room_pushes(connection, signal.receiver_id, Event::Signal(signal))
                        .await;
                }
                self.emit_transient(Event::Signal(signal));
                Ok(())
            }
            Payload::Kick(kick) => Err(self.kicked(kick)),
            _ if output.code != Code::OK.number() => {
                let message = &output.code_msg;
                tracing::warn!(
                    code = output.code,
                    message,
                    "the server refused something without naming the request"
                );
                self.failed_somewhere(connection, message);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn kicked(&mut self, kick: KickMsg) -> ConnectionEnd {
        if kick.reconnect {
            return ConnectionEnd::Reconnect(DisconnectReason::Asked);
        }
        let reason = kick.reason();
        self.outlet.emit(Event::Kicked { reason });
        ConnectionEnd::Stop(StopReason::Kicked)
    }

    /// Handles a message that came without SYNC: a push, or the copy of a message just accepted.
    pub(super) fn received(&mut self, connection: &mut Connection, message: Message) {
        if message.session_type() == SessionType::Group && message.seq == 0 {
            return self.group_received(connection, message);
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
        self.deliver(ready);
        self.emit_groups_caught_up(connection);
        self.look_for_gap(connection, self.options.timing.gap_grace);
    }

    /// Handles the answer to SYNC.
    async fn handle_sync_page(
        &mut self,
        connection: &mut Connection,
        request_id: u64,
        after: u64,
        output: OutputFrame,
    ) -> Result<(), ConnectionEnd> {
        let is_latest = connection.sync_open == Some(request_id);
        if is_latest {
            (connection.sync_open, connection.sync_at) = (None, None);
        }
        if !output.is_ok() {
            return self.sync_refused(connection, after, output);
        }
        connection.failures = 0;
        let (Payload::Sync(page), Receiving::From(inbox)) = (output.payload, &mut self.receiving) else {
            return Ok(());
        };
        let (ready, next) = inbox.page(page);
        self.deliver(ready);
        self.emit_groups_caught_up(connection);
        let now = Instant::now();
        match next {
            // A later SYNC is open and will say more.
            _ if !is_latest => {}
            NextAsk::Again => connection.sync_by(now),
            NextAsk::Later(pause) => connection.sync_by(now + pause),
            NextAsk::CaughtUp => {
                let cursor = self.shared.cursor();
                if self.options.receive {
                    self.outlet.emit(Event::CaughtUp { cursor });
                }
                self.inbox_caught_up(connection, request_id);
                self.caught_up(connection, request_id).await?;
            }
        }
        self.keep_syncing_only_if_wanted(connection);
        Ok(())
    }

    /// A process that only sends stops asking for pages after it has found its message.
    fn keep_syncing_only_if_wanted(&mut self, connection: &mut Connection) {
        if !self.options.receive && !self.outbox.is_verifying() {
            connection.sync_at = None;
        }
    }

    fn sync_refused(
        &mut self,
        connection: &mut Connection,
        cursor: u64,
        output: OutputFrame,
    ) -> Result<(), ConnectionEnd> {
        let max_seq = match output.payload {
            Payload::Sync(SyncOutputMsg { max_seq, .. }) => max_seq,
            _ => 0,
        };
        match Code::from_number(output.code) {
            Some(Code::CURSOR_BEYOND_END) => Err(ConnectionEnd::Stop(StopReason::CursorBeyondEnd { cursor, max_seq })),
            Some(Code::NOT_SIGNED_IN) => Err(ConnectionEnd::Reconnect(DisconnectReason::NotSignedIn)),
            _ if output.retryable => {
                connection.sync_by(Instant::now() + self.backoff(connection.failures));
                connection.failures = connection.failures.saturating_add(1);
                Ok(())
            }
            _ => Err(ConnectionEnd::Stop(StopReason::Refused {
                code: output.code,
                message: output.code_msg,
            })),
        }
    }

    /// Handles the answer to a heartbeat.
    fn handle_heartbeat(&mut self, connection: &mut Connection, output: &OutputFrame) -> Result<(), ConnectionEnd> {
        let Payload::Heartbeat(pulse) = &output.payload else {
            return Ok(());
        };
        if Code::from_number(output.code) == Some(Code::NOT_SIGNED_IN) {
            return Err(ConnectionEnd::Reconnect(DisconnectReason::NotSignedIn));
        }
        if !output.is_ok() {
            self.failed_somewhere(connection, &output.code_msg);
            return Ok(());
        }
        match &mut self.receiving {
            Receiving::FindEnd(count) => {
                let cursor = pulse.max_seq.saturating_sub(*count);
                self.receiving = Receiving::From(Inbox::new(cursor, AHEAD_LIMIT));
                self.shared.cursor.store(cursor, Ordering::Release);
                connection.heartbeat_at = Instant::now() + self.options.timing.heartbeat;
                connection.message_at = Some(Instant::now());
                if self.options.receive {
                    connection.sync_at = Some(Instant::now());
                }
            }
            Receiving::From(inbox) => {
                inbox.note(pulse.max_seq);
                self.look_for_gap(connection, self.options.timing.gap_grace);
                self.look_for_lost_group_messages(connection);
            }
        }
        Ok(())
    }

    fn deliver(&mut self, messages: Vec<Message>) {
        for message in messages {
            self.outbox.observe(&message);
            if self.options.receive {
                self.deliver_from_inbox(message);
            }
        }
        if let Receiving::From(inbox) = &self.receiving {
            self.shared.cursor.store(inbox.cursor(), Ordering::Release);
        }
    }

    /// If something is known to be missing, plans a SYNC after `grace`.
    pub(super) fn look_for_gap(&mut self, connection: &mut Connection, grace: Duration) {
        let behind = matches!(&self.receiving, Receiving::From(inbox) if inbox.is_behind());
        if behind && self.options.receive && connection.sync_open.is_none() {
            connection.gap_at.get_or_insert(Instant::now() + grace);
        }
    }

    /// Plans a SYNC although nothing is known to be missing.
    pub(super) fn look_for_anything(&self, connection: &mut Connection) {
        if self.options.receive && connection.sync_open.is_none() {
            connection.sync_by(Instant::now() + self.options.timing.gap_grace);
        }
    }
}
