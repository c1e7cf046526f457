//! Keeps the device in its room across connections.
//!
//! A function that dies while it moves the connection to a room can leave it in two rooms, or in a
//! wrong one. The client notices this by a push from a room that it should not be in. It leaves
//! that room and enters its own again. It does the same if entering another room failed. It ignores
//! such pushes while it is entering a room and shortly after, when they may just be late.

use super::connection::{AppAnswer, Connection, RequestPurpose};
use super::{ConnectionEnd, Driver};
use crate::error::RequestError;
use crate::event::{DisconnectReason, Event};
use tokio::time::Instant;
use wigwag_protocol::pb::{CmdType, RoomMsg};
use wigwag_protocol::{Code, OutputFrame, Payload, Request};

impl Driver {
    /// Plans to enter the room again, since a new connection is in no room.
    pub(super) fn begin_room(&self, connection: &mut Connection) {
        connection.room_at = self.room.map(|_| Instant::now());
    }

    /// Notes a request of the app. Returns the room that it enters, if any.
    pub(super) fn asked_about_room(&mut self, connection: &mut Connection, request: &Request) -> Option<u64> {
        match request {
            Request::EnterRoom(room) => {
                connection.room_at = None;
                connection.room_moved_at = Instant::now();
                Some(room.room_id)
            }
            Request::LeaveRoom(room) => {
                if self.leaves(room) {
                    connection.room_at = None;
                }
                connection.room_moved_at = Instant::now();
                None
            }
            _ => None,
        }
    }

    /// Notes that the app leaves a room. Returns whether it was the current one.
    fn leaves(&mut self, left: &RoomMsg) -> bool {
        self.room
            .take_if(|room| left.room_id == 0 || *room == left.room_id)
            .is_some()
    }

    /// Notes that the app has entered a room. If the client left that room as a wrong one a moment
    /// ago, the two frames may have overtaken each other. So it enters again once that is no longer
    /// possible.
    pub(super) fn entered(&mut self, connection: &mut Connection, room_id: u64) {
        self.room = Some(room_id);
        let left = connection.wrong_rooms.get(&room_id);
        let settled = left.map(|at| *at + self.options.timing.answer_timeout);
        connection.room_at = settled.filter(|at| *at > Instant::now());
    }

    /// Handles a push of a room. Leaves the room if the device should not be in it.
    pub(super) async fn room_pushes(
        &mut self,
        connection: &mut Connection,
        room_id: u64,
        event: Event,
    ) -> Result<(), ConnectionEnd> {
        if self.room == Some(room_id) || connection.is_entering() {
            self.emit_transient(event);
            return Ok(());
        }
        let (now, timing) = (Instant::now(), &self.options.timing);
        let last = connection
            .wrong_rooms
            .get(&room_id)
            .copied()
            .unwrap_or(connection.room_moved_at);
        if now < last + timing.answer_timeout {
            return Ok(());
        }
        tracing::info!(room_id, "leaving a room that the device should not be in");
        connection.wrong_rooms.insert(room_id, now);
        // The server may have moved it out of its own room into that one.
        connection.room_at = self.room.map(|_| now);
        let request = Request::LeaveRoom(RoomMsg { room_id, left_id: 0 });
        let sent = connection
            .request(request, RequestPurpose::LeaveWrongRoom, timing)
            .await;
        sent.map(drop).map_err(ConnectionEnd::Reconnect)
    }

    /// Answers a request of the app while there is no connection. The device has then left its room
    /// already.
    pub(super) fn answer_without_connection(&mut self, request: &Request, answer: AppAnswer) {
        let result = if let Request::LeaveRoom(room) = request {
            self.leaves(room);
            Ok(OutputFrame::new(CmdType::LeaveRoom, 0, Payload::LeaveRoom(*room)))
        } else {
            Err(RequestError::NotConnected)
        };
        // The app may have stopped waiting.
        let _ = answer.send(result);
    }

    pub(super) async fn enter_again(&mut self, connection: &mut Connection) -> Result<(), ConnectionEnd> {
        connection.room_at = None;
        let Some(room_id) = self.room else {
            return Ok(());
        };
        let timing = &self.options.timing;
        let request = Request::EnterRoom(RoomMsg { room_id, left_id: 0 });
        let sent = connection
            .request(request, RequestPurpose::Room { room_id }, timing)
            .await;
        sent.map_err(ConnectionEnd::Reconnect)?;
        connection.room_at = Some(Instant::now() + timing.answer_timeout);
        Ok(())
    }

    pub(super) fn entered_again(
        &mut self,
        connection: &mut Connection,
        room_id: u64,
        output: OutputFrame,
    ) -> Result<(), ConnectionEnd> {
        if self.room != Some(room_id) {
            return Ok(());
        }
        connection.room_at = None;
        if output.is_ok() {
            self.outlet.emit(Event::RoomEntered { room_id });
        } else if Code::from_number(output.code) == Some(Code::NOT_SIGNED_IN) {
            return Err(ConnectionEnd::Reconnect(DisconnectReason::NotSignedIn));
        } else if output.retryable {
            connection.room_at = Some(Instant::now() + self.backoff(connection.failures));
            connection.failures = connection.failures.saturating_add(1);
        } else {
            self.room = None;
            let reason = output.code_msg;
            self.outlet.emit(Event::RoomLost { room_id, reason });
        }
        Ok(())
    }

    /// Emits an event that is not stored. If the app does not keep up, it is dropped instead of
    /// delivered late.
    pub(super) fn emit_transient(&mut self, event: Event) {
        if self.options.receive && !self.outlet.is_congested() {
            self.outlet.emit(event);
        }
    }
}
