//! The room that the device is in, over connections; and what is said there.
//!
//! A function that dies while it lets the connection into a room may leave it there although it is said to be in another, or in none. What is
//! pushed from such a room tells: the client leaves it, and enters its own once more, as it does where entering another failed. Not while it may be about to be in it, nor right after it was, when what is
//! pushed may have been on its way.

use super::link::{Answer, Asked, Link};
use super::{Driver, Exit};
use crate::error::RequestError;
use crate::event::{DisconnectReason, Event};
use tokio::time::Instant;
use wigwag_protocol::pb::{CmdType, RoomMsg};
use wigwag_protocol::{Code, OutputFrame, Payload, Request};

impl Driver {
    /// A new connection is in no room.
    pub(super) fn begin_room(&self, link: &mut Link) {
        link.room_at = self.room.map(|_| Instant::now());
    }

    /// Takes note of a question of the app; the room that it enters by it.
    pub(super) fn asked_about_room(&mut self, link: &mut Link, request: &Request) -> Option<u64> {
        match request {
            Request::EnterRoom(room) => {
                link.room_at = None;
                link.room_moved_at = Instant::now();
                Some(room.room_id)
            }
            Request::LeaveRoom(room) => {
                if self.leaves(room) {
                    link.room_at = None;
                }
                link.room_moved_at = Instant::now();
                None
            }
            _ => None,
        }
    }

    /// The app leaves a room: whether it is the one to be in.
    fn leaves(&mut self, left: &RoomMsg) -> bool {
        self.room
            .take_if(|room| left.room_id == 0 || *room == left.room_id)
            .is_some()
    }

    /// The app has entered a room. If that was left as a strange one a moment ago, the two frames may have overtaken each other: it is entered
    /// once more when that cannot be any longer.
    pub(super) fn entered(&mut self, link: &mut Link, room_id: u64) {
        self.room = Some(room_id);
        let left = link.strange_rooms.get(&room_id);
        let settled = left.map(|at| *at + self.options.timing.answer_timeout);
        link.room_at = settled.filter(|at| *at > Instant::now());
    }

    /// What a room pushes. Where the device is not in it, the room is left.
    pub(super) async fn room_pushes(&mut self, link: &mut Link, room_id: u64, event: Event) -> Result<(), Exit> {
        if self.room == Some(room_id) || link.is_entering() {
            self.relayed(event);
            return Ok(());
        }
        let (now, timing) = (Instant::now(), &self.options.timing);
        let last = link.strange_rooms.get(&room_id).copied().unwrap_or(link.room_moved_at);
        if now < last + timing.answer_timeout {
            return Ok(());
        }
        tracing::info!(room_id, "leaving a room that the device is not meant to be in");
        link.strange_rooms.insert(room_id, now);
        // It may have been let out of its own for that one.
        link.room_at = self.room.map(|_| now);
        let request = Request::LeaveRoom(RoomMsg { room_id, left_id: 0 });
        let sent = link.request(request, Asked::LeaveStrange, timing).await;
        sent.map(drop).map_err(Exit::Reconnect)
    }

    /// Answers a question of the app that cannot be passed on. The end of a connection has left its room.
    pub(super) fn answer_without_connection(&mut self, request: &Request, answer: Answer) {
        let result = if let Request::LeaveRoom(room) = request {
            self.leaves(room);
            Ok(OutputFrame::new(CmdType::LeaveRoom, 0, Payload::LeaveRoom(*room)))
        } else {
            Err(RequestError::NotConnected)
        };
        // The app may have stopped waiting.
        let _ = answer.send(result);
    }

    pub(super) async fn enter_again(&mut self, link: &mut Link) -> Result<(), Exit> {
        link.room_at = None;
        let Some(room_id) = self.room else {
            return Ok(());
        };
        let timing = &self.options.timing;
        let request = Request::EnterRoom(RoomMsg { room_id, left_id: 0 });
        let sent = link.request(request, Asked::Room { room_id }, timing).await;
        sent.map_err(Exit::Reconnect)?;
        link.room_at = Some(Instant::now() + timing.answer_timeout);
        Ok(())
    }

    pub(super) fn entered_again(&mut self, link: &mut Link, room_id: u64, output: OutputFrame) -> Result<(), Exit> {
        if self.room != Some(room_id) {
            return Ok(());
        }
        link.room_at = None;
        if output.is_ok() {
            self.outlet.emit(Event::RoomEntered { room_id });
        } else if Code::from_number(output.code) == Some(Code::NOT_SIGNED_IN) {
            return Err(Exit::Reconnect(DisconnectReason::NotSignedIn));
        } else if output.retryable {
            link.room_at = Some(Instant::now() + self.backoff(link.failures));
            link.failures = link.failures.saturating_add(1);
        } else {
            self.room = None;
            let reason = output.code_msg;
            self.outlet.emit(Event::RoomLost { room_id, reason });
        }
        Ok(())
    }

    /// What is for now alone. An app that does not read misses it, rather than hearing it late.
    pub(super) fn relayed(&mut self, event: Event) {
        if self.options.receive && !self.outlet.is_congested() {
            self.outlet.emit(event);
        }
    }
}
