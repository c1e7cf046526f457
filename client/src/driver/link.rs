//! One connection: its socket, the requests that are open on it, and when what is due.

use crate::error::RequestError;
use crate::event::DisconnectReason;
use crate::options::Timing;
use crate::outbox::Attempt;
use crate::socket::{FIRST_REQUEST_ID, Socket};
use futures_util::SinkExt as _;
use std::collections::{BTreeMap, HashMap};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message as Frame;
use wigwag_protocol::{Encoding, InputFrame, OutputFrame, Request};

/// The answer to a question of the app.
pub(crate) type Answer = oneshot::Sender<Result<OutputFrame, RequestError>>;

/// What a request was for.
#[derive(Debug)]
pub(super) enum Asked {
    /// A transmission of the message in flight.
    Message(Attempt),
    /// SYNC after this seq.
    Sync { after: u64 },
    /// PULL of a super group.
    Pull { group_id: u64 },
    /// Entering the room again.
    Room { room_id: u64 },
    /// Leaving a room that the device is not meant to be in. Whatever the answer, the next push from there asks again.
    LeaveStrange,
    /// Our own heartbeat.
    Heartbeat,
    /// A question of the app; the room that it enters by it.
    App(Answer, Option<u64>),
}

#[derive(Debug)]
struct Open {
    asked: Asked,
    expires: Instant,
}

/// What has been looked through for a message of which it is not known whether it was accepted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Verified {
    pub(super) inbox: bool,
    pub(super) group: bool,
}

/// State that lives as long as one connection.
pub(super) struct Link {
    pub(super) socket: Socket,
    pub(super) opened_at: Instant,
    encoding: Encoding,
    open: HashMap<u64, Open>,
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
    /// The PULL of a super group that is not answered: its id, the group, and until when it is waited for. One at a time.
    pub(super) pull_open: Option<(u64, u64, Instant)>,
    /// When to enter the room again.
    pub(super) room_at: Option<Instant>,
    /// When the app last asked to move, or the connection began.
    pub(super) room_moved_at: Instant,
    /// Rooms that were left although the device was not meant to be in them, and when.
    pub(super) strange_rooms: HashMap<u64, Instant>,
    /// Whether the inbox was caught up with.
    pub(super) inbox_caught_up: bool,
    /// Whether the app knows that all super groups were caught up with.
    pub(super) groups_told: bool,
    /// Super groups that have pushed and are not known, and since when.
    pub(super) strangers: BTreeMap<u64, Instant>,
    /// Whether the list was asked for them.
    pub(super) listed_for_strangers: bool,
    /// A page of SYNC from this request on tells of every super group that was listed.
    pub(super) listed_from: u64,
    /// Which parts of what the server had when a doubt arose are handed on.
    pub(super) verified: Verified,
    /// Pages of requests from this id on show everything that the server had when a doubt arose.
    pub(super) verify_from: u64,
    /// Failures in a row that name no request, or a SYNC that is to be repeated.
    pub(super) failures: u32,
    /// Since when something is awaited and nothing at all has arrived.
    silent_since: Option<Instant>,
}

impl Link {
    /// A connection that was opened just now; `unit` is a random number from 0 to 1.
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
            strange_rooms: HashMap::new(),
            inbox_caught_up: false,
            groups_told: false,
            strangers: BTreeMap::new(),
            listed_for_strangers: false,
            listed_from: 0,
            verified: Verified::default(),
            verify_from: 0,
            failures: 0,
            silent_since: None,
        }
    }

    /// Sends a request whose answer is `asked` for.
    pub(super) async fn request(
        &mut self,
        request: Request,
        asked: Asked,
        timing: &Timing,
    ) -> Result<u64, DisconnectReason> {
        let request_id = self.next_request_id;
        self.next_request_id += 1;
        let now = Instant::now();
        let expires = now + timing.answer_timeout;
        self.open.insert(request_id, Open { asked, expires });
        self.silent_since.get_or_insert(now);
        let frame = InputFrame { request_id, request }.encode(self.encoding);
        match timeout(timing.answer_timeout, self.socket.send(Frame::text(frame))).await {
            Ok(Ok(())) => Ok(request_id),
            Ok(Err(error)) => Err(DisconnectReason::Lost(error.to_string())),
            Err(_) => Err(DisconnectReason::Silent),
        }
    }

    /// The id that the next request gets.
    pub(super) fn upcoming_request_id(&self) -> u64 {
        self.next_request_id
    }

    /// What the request with this id was for. A transmission stays open, for its answer may come late and still count.
    pub(super) fn take(&mut self, request_id: u64) -> Option<Asked> {
        self.open.remove(&request_id).map(|open| open.asked)
    }

    /// Whether it is not known yet which room the device is in.
    pub(super) fn is_entering(&self) -> bool {
        let is_entry = |open: &Open| matches!(open.asked, Asked::Room { .. } | Asked::App(_, Some(_)));
        self.open.values().any(is_entry)
    }

    /// Forgets the transmissions of a message that is settled.
    pub(super) fn forget_transmissions(&mut self) {
        self.open.retain(|_, open| !matches!(open.asked, Asked::Message(_)));
    }

    /// Something arrived.
    pub(super) fn heard(&mut self) {
        self.silent_since = None;
    }

    /// Whether requests are open and nothing has arrived for too long.
    pub(super) fn is_silent(&self, now: Instant, timing: &Timing) -> bool {
        self.silent_since.is_some_and(|since| now >= since + timing.silence)
    }

    /// Gives up questions that waited too long.
    pub(super) fn expire(&mut self, now: Instant) {
        let late: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, open)| open.expires <= now && !matches!(open.asked, Asked::Message(_)))
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            if let Some(Asked::App(answer, entering)) = self.take(id) {
                self.enter_again_after(entering);
                // The app may have stopped waiting.
                let _ = answer.send(Err(RequestError::TimedOut));
            }
        }
    }

    /// Fails every question of the app: the connection or the server failed, and nobody knows for which.
    pub(super) fn interrupt_app(&mut self, why: &str) {
        let asked: Vec<Open> = self
            .open
            .extract_if(|_, open| matches!(open.asked, Asked::App(..)))
            .map(|(_, open)| open)
            .collect();
        for open in asked {
            if let Asked::App(answer, entering) = open.asked {
                self.enter_again_after(entering);
                let _ = answer.send(Err(RequestError::Interrupted(why.to_owned())));
            }
        }
    }

    /// The app did not come to enter a room. The server may have let it out of the one that it is in all the same: that is entered again.
    pub(super) fn enter_again_after(&mut self, entering: Option<u64>) {
        if entering.is_some() {
            self.room_at = Some(Instant::now());
        }
    }

    /// When the next thing is due.
    pub(super) fn next_due(&self, timing: &Timing, may_sync: bool) -> Instant {
        let questions = self
            .open
            .values()
            .filter(|open| !matches!(open.asked, Asked::Message(_)))
            .map(|open| open.expires);
        let silence = self.silent_since.map(|since| since + timing.silence);
        let asking = [self.sync_at, self.gap_at].map(|at| at.filter(|_| may_sync));
        [self.message_at, self.room_at, silence]
            .into_iter()
            .chain(asking)
            .flatten()
            .chain(questions)
            .fold(self.planned_at.min(self.heartbeat_at), Instant::min)
    }

    /// Plans a SYNC, unless an earlier one is planned.
    pub(super) fn sync_by(&mut self, at: Instant) {
        self.sync_at = Some(self.sync_at.map_or(at, |due| due.min(at)));
    }

    /// Says goodbye, without waiting long for the other side to say so too.
    pub(super) async fn close(mut self, timing: &Timing) {
        // Whatever fails here, the socket is closed when it is dropped.
        let _ = timeout(timing.answer_timeout.min(timing.close_timeout), self.socket.close(None)).await;
    }
}
