//! One connection: its socket, its open requests and its timers.

use crate::error::RequestError;
use crate::event::DisconnectReason;
use crate::options::Timing;
use crate::outbox::SendAttempt;
use crate::socket::{FIRST_REQUEST_ID, Socket};
use futures_util::SinkExt as _;
use std::collections::{BTreeMap, HashMap};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message as Frame;
use wigwag_protocol::{Encoding, InputFrame, OutputFrame, Request};

/// Where the answer to a request of the app goes.
pub(crate) type AppAnswer = oneshot::Sender<Result<OutputFrame, RequestError>>;

/// The purpose of a request.
#[derive(Debug)]
pub(super) enum RequestPurpose {
    /// A transmission of the message in flight.
    Message(SendAttempt),
    /// SYNC after this seq.
    Sync { after: u64 },
    /// PULL of a super group.
    Pull { group_id: u64 },
    /// Entering the room again.
    Room { room_id: u64 },
    /// Leaving a room that the device should not be in. The answer does not matter, since the next
    /// push from there repeats the request.
    LeaveWrongRoom,
    /// A heartbeat of the driver.
    Heartbeat,
    /// A request of the app, and the room that it enters, if any.
    App(AppAnswer, Option<u64>),
}

#[derive(Debug)]
struct OpenRequest {
    asked: RequestPurpose,
    expires: Instant,
}

/// Where the copy of a message in doubt was searched for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SearchedForCopy {
    pub(super) inbox: bool,
    pub(super) group: bool,
}

/// State that lives as long as one connection.
pub(super) struct Connection {
    pub(super) socket: Socket,
    pub(super) opened_at: Instant,
    encoding: Encoding,
    open: HashMap<u64, OpenRequest>,
    next_request_id: u64,
    /// When to replace this connection.
    pub(super) planned_at: Instant,
    /// When to send a heartbeat.
    pub(super) heartbeat_at: Instant,
    /// When to transmit the message in flight (again).
    pub(super) message_at: Option<Instant>,
    /// When to send SYNC (again), in any case.
    pub(super) sync_at: Option<Instant>,
    /// When to send SYNC if something is still missing then.
    pub(super) gap_at: Option<Instant>,
    /// The latest SYNC that is not answered.
    pub(super) sync_open: Option<u64>,
    /// The open PULL of a super group: its id, the group, and how long to wait. One at a time.
    pub(super) pull_open: Option<(u64, u64, Instant)>,
    /// When to enter the room again.
    pub(super) room_at: Option<Instant>,
    /// When the app last changed rooms, or the connection began.
    pub(super) room_moved_at: Instant,
    /// Rooms that were left because the device should not be in them, and when.
    pub(super) wrong_rooms: HashMap<u64, Instant>,
    /// Whether the inbox was caught up.
    pub(super) inbox_caught_up: bool,
    /// Whether `GroupsCaughtUp` was emitted.
    pub(super) groups_caught_up_emitted: bool,
    /// Unknown groups that have pushed, and since when.
    pub(super) unknown_groups: BTreeMap<u64, Instant>,
    /// Whether the list was asked for them.
    pub(super) listed_for_unknown: bool,
    /// A page of SYNC for this or a later request shows the announcements of all listed super
    /// groups.
    pub(super) listed_from: u64,
    /// Which places were searched completely since the doubt arose.
    pub(super) searched: SearchedForCopy,
    /// Pages for this and later requests show everything that the server had when the doubt arose.
    pub(super) verify_from: u64,
    /// Failures in a row that name no request or concern a SYNC to be repeated.
    pub(super) failures: u32,
    /// Since when requests are open and nothing has arrived.
    silent_since: Option<Instant>,
}

impl Connection {
    /// A connection that was just opened. `unit` is a random number from 0 to 1.
    pub(super) fn new(socket: Socket, encoding: Encoding, timing: &Timing, unit: f64) -> Self {
        let now = Instant::now();
        Self {
            socket,
            opened_at: now,
            encoding,
            open: HashMap::new(),
            next_request_id: FIRST_REQUEST_ID,
            planned_at: now
                + timing
                    .planned_reconnect
                    .saturating_sub(timing.planned_reconnect_jitter.mul_f64(unit)),
            heartbeat_at: now + timing.heartbeat,
            message_at: Some(now),
            sync_at: None,
            gap_at: None,
            sync_open: None,
            pull_open: None,
            room_at: None,
            room_moved_at: now,
            wrong_rooms: HashMap::new(),
            inbox_caught_up: false,
            groups_caught_up_emitted: false,
            unknown_groups: BTreeMap::new(),
            listed_for_unknown: false,
            listed_from: 0,
            searched: SearchedForCopy::default(),
            verify_from: 0,
            failures: 0,
            silent_since: None,
        }
    }

    /// Sends a request and remembers its purpose.
    pub(super) async fn request(
        &mut self,
        request: Request,
        asked: RequestPurpose,
        timing: &Timing,
    ) -> Result<u64, DisconnectReason> {
        let request_id = self.next_request_id;
        self.next_request_id += 1;
        let now = Instant::now();
        let expires = now + timing.answer_timeout;
        self.open.insert(request_id, OpenRequest { asked, expires });
        self.silent_since.get_or_insert(now);
        let frame = InputFrame { request_id, request }.encode(self.encoding);
        match timeout(timing.answer_timeout, self.socket.send(Frame::text(frame))).await {
            Ok(Ok(())) => Ok(request_id),
            Ok(Err(error)) => Err(DisconnectReason::Lost(error.to_string())),
            Err(_) => Err(DisconnectReason::Silent),
        }
    }

    /// The id of the next request.
    pub(super) fn upcoming_request_id(&self) -> u64 {
        self.next_request_id
    }

    /// Removes an open request and returns its purpose. Transmissions never expire, because a late
    /// answer still counts.
    pub(super) fn take(&mut self, request_id: u64) -> Option<RequestPurpose> {
        self.open.remove(&request_id).map(|open| open.asked)
    }

    /// Whether a request to enter a room is open.
    pub(super) fn is_entering(&self) -> bool {
        let is_entry = |open: &OpenRequest| {
            matches!(
                open.asked,
                RequestPurpose::Room { .. } | RequestPurpose::App(_, Some(_))
            )
        };
        self.open.values().any(is_entry)
    }

    /// Forgets the transmissions of a settled message.
    pub(super) fn forget_transmissions(&mut self) {
        self.open
            .retain(|_, open| !matches!(open.asked, RequestPurpose::Message(_)));
    }

    /// Something arrived.
    pub(super) fn heard(&mut self) {
        self.silent_since = None;
    }

    /// Whether requests are open and nothing has arrived for too long.
    pub(super) fn is_silent(&self, now: Instant, timing: &Timing) -> bool {
        self.silent_since.is_some_and(|since| now >= since + timing.silence)
    }

    /// Gives up requests that waited too long.
    pub(super) fn expire(&mut self, now: Instant) {
        let late: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, open)| open.expires <= now && !matches!(open.asked, RequestPurpose::Message(_)))
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            if let Some(RequestPurpose::App(answer, entering)) = self.take(id) {
                self.enter_again_after(entering);
                // The app may have stopped waiting.
                let _ = answer.send(Err(RequestError::TimedOut));
            }
        }
    }

    /// Fails every open request of the app, because the connection or the server failed and it is
    /// unknown which one was affected.
    pub(super) fn interrupt_app(&mut self, why: &str) {
        let asked: Vec<OpenRequest> = self
            .open
            .extract_if(|_, open| matches!(open.asked, RequestPurpose::App(..)))
            .map(|(_, open)| open)
            .collect();
        for open in asked {
            if let RequestPurpose::App(answer, entering) = open.asked {
                self.enter_again_after(entering);
                let _ = answer.send(Err(RequestError::Interrupted(why.to_owned())));
            }
        }
    }

    /// The app failed to enter a room. The server may have moved the device out of its current
    /// room, so that is entered again.
    pub(super) fn enter_again_after(&mut self, entering: Option<u64>) {
        if entering.is_some() {
            self.room_at = Some(Instant::now());
        }
    }

    /// When the next thing is due.
    pub(super) fn next_due(&self, timing: &Timing, may_sync: bool) -> Instant {
        let expiries = self
            .open
            .values()
            .filter(|open| !matches!(open.asked, RequestPurpose::Message(_)))
            .map(|open| open.expires);
        let silence = self.silent_since.map(|since| since + timing.silence);
        let asking = [self.sync_at, self.gap_at].map(|at| at.filter(|_| may_sync));
        [self.message_at, self.room_at, silence]
            .into_iter()
            .chain(asking)
            .flatten()
            .chain(expiries)
            .fold(self.planned_at.min(self.heartbeat_at), Instant::min)
    }

    /// Plans a SYNC, unless an earlier one is planned.
    pub(super) fn sync_by(&mut self, at: Instant) {
        self.sync_at = Some(self.sync_at.map_or(at, |due| due.min(at)));
    }

    /// Sends a close frame and waits briefly for the answer.
    pub(super) async fn close(mut self, timing: &Timing) {
        // If this fails, the socket is closed when it is dropped.
        let _ = timeout(timing.answer_timeout.min(timing.close_timeout), self.socket.close(None)).await;
    }
}
