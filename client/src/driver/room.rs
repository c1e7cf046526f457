//! The room that the device is in, over connections; and what is said there.

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
                Some(room.room_id)
            }
            Request::LeaveRoom(_) => {
                (self.room, link.room_at) = (None, None);
                None
            }
            _ => None,
        }
    }

    /// The app has entered a room.
    pub(super) fn entered(&mut self, room_id: Option<u64>) {
        self.room = room_id.or(self.room);
    }

    /// Answers a question of the app that cannot be passed on. The end of a connection has left its room.
    pub(super) fn answer_without_connection(&mut self, request: &Request, answer: Answer) {
        let result = if let Request::LeaveRoom(room) = request {
            self.room = None;
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
