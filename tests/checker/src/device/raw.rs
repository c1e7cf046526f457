//! A device that speaks the protocol by hand: it shows what is really pushed, and what a repeat is really answered.
//!
//! It keeps the rules of `docs/protocol.md`: one message in flight, the same number and content until it is answered. Beyond them it does
//! what clients seldom do: it sends the same message twice at once, and repeats one that was answered.

use super::line::Line;
use super::{Place, Seat, To};
use crate::history::{Answer, Path, Said, Token, What};
use anyhow::{Context as _, Result, bail};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{sleep, timeout};
use wigwag_client::Range;
use wigwag_protocol::pb::{AckMsg, AckType, Message, MessageType, PullInputMsg, SyncInputMsg, UpMsg};
use wigwag_protocol::{Code, OutputFrame, Payload, Request};

/// Before something is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// How a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Once, and again when no answer comes.
    Patient,
    /// Twice at once.
    Hasty,
    /// On a connection that is cut so much later, unless the answer is there by then.
    CutOff(Duration),
}

/// What an answer means for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted(Answer),
    Refused(Code),
    /// The number holds another message.
    Taken,
    /// The numbering is not what it was.
    Lost(Code),
    /// None came, or one that tells to try again.
    Again,
    /// The same, on another connection.
    Elsewhere,
}

/// The device.
#[derive(Debug)]
pub(crate) struct Raw {
    place: Place,
    seat: Seat,
    line: Option<Line>,
    /// Whether it is started, with a connection or between two.
    is_on: bool,
    session: u64,
    next: u64,
    /// The last message that was accepted, as it was sent.
    last: Option<(Token, UpMsg)>,
    cursor: u64,
}

impl Raw {
    /// With nothing in it, and not started.
    pub(crate) fn new(place: &Place, seat: Seat) -> Self {
        seat.note(What::Installed);
        Self {
            place: place.clone(),
            seat,
            line: None,
            is_on: false,
            session: now_ms(),
            next: 1,
            last: None,
            cursor: 0,
        }
    }

    /// Who it is.
    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }

    /// Connects it, as often as that takes.
    pub(crate) async fn connect(&mut self) {
        if !std::mem::replace(&mut self.is_on, true) {
            self.seat.note(What::Started);
        }
        while !self.line.as_ref().is_some_and(Line::is_open) {
            self.line = None;
            match Line::open(&self.place, &self.seat).await {
                Ok(line) => self.line = Some(line),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Connects anew while the older connection is still open, as a device does that comes into another network. The server closes that one.
    pub(crate) async fn move_over(&mut self) {
        let older = self.line.take();
        self.connect().await;
        drop(older);
    }

    /// Closes the connection as a device does that leaves.
    pub(crate) async fn leave(&mut self) {
        self.is_on = false;
        self.seat.note(What::Left);
        if let Some(line) = self.line.take() {
            line.leave().await;
        }
    }

    /// Cuts the connection without a close frame.
    pub(crate) fn crash(&mut self) {
        self.is_on = false;
        self.seat.note(What::Crashed);
        self.line = None;
    }

    /// Sends a message until it is answered.
    pub(crate) async fn send(&mut self, to: To, message: Token, mut manner: Manner) {
        self.seat.note(What::Send {
            message,
            to: to.conversation(self.seat.user()),
        });
        let mut up = self.up(to, message);
        loop {
            let manner = std::mem::replace(&mut manner, Manner::Patient);
            match self.transmit(message, &up, manner).await {
                Verdict::Accepted(answer) => {
                    self.seat.note(What::Acknowledged { message, answer });
                    self.next = up.client_id + 1;
                    self.last = Some((message, up));
                    return;
                }
                Verdict::Refused(code) => {
                    let code = number(code);
                    return self.seat.note(What::Refused { message, code });
                }
                Verdict::Taken => {
                    self.next += 1;
                    up.client_id = self.next;
                }
                Verdict::Lost(code) => {
                    let reason = format!("the numbering was lost: {code}");
                    self.seat.note(What::GivenUp { message, reason });
                    (self.session, self.next, self.last) = (now_ms().max(self.session + 1), 1, None);
                    return;
                }
                Verdict::Again => sleep(PAUSE).await,
                Verdict::Elsewhere => {
                    self.line = None;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn up(&self, to: To, message: Token) -> UpMsg {
        let (session_type, receiver_id) = to.parts();
        let msg = Message {
            session_type: session_type.into(),
            receiver_id,
            message_type: MessageType::Text.into(),
            content: message.content().into_bytes(),
            ..Message::default()
        };
        UpMsg {
            msg: Some(msg),
            client_id: self.next,
            session: self.session,
        }
    }

    /// One transmission, or two.
    async fn transmit(&mut self, message: Token, up: &UpMsg, manner: Manner) -> Verdict {
        self.connect().await;
        let Some(line) = &self.line else {
            return Verdict::Again;
        };
        let ask = async || verdict(line.ask(Request::Message(up.clone())).await, up);
        match manner {
            Manner::Patient => ask().await,
            Manner::Hasty => {
                let both = <[Verdict; 2]>::from(tokio::join!(ask(), ask()));
                // Where a change of membership comes between, one of the two may be refused; the message is accepted all the same.
                let mut accepted = both
                    .into_iter()
                    .filter(|verdict| matches!(verdict, Verdict::Accepted(_)));
                let first = accepted.next().unwrap_or(both[0]);
                if let Some(Verdict::Accepted(answer)) = accepted.next() {
                    self.seat.note(What::Acknowledged { message, answer });
                }
                first
            }
            Manner::CutOff(after) => {
                let answer = timeout(after, ask()).await;
                answer.unwrap_or_else(|_| {
                    self.crash();
                    Verdict::Again
                })
            }
        }
    }

    /// Repeats the last message that was accepted.
    pub(crate) async fn repeat(&mut self) {
        let Some((message, up)) = self.last.clone() else {
            return;
        };
        match self.transmit(message, &up, Manner::Patient).await {
            Verdict::Accepted(answer) => self.seat.note(What::Acknowledged { message, answer }),
            Verdict::Refused(code) | Verdict::Lost(code) => {
                let code = number(code);
                self.seat.note(What::Refused { message, code });
            }
            Verdict::Taken => {
                let code = number(Code::CLIENT_ID_REUSED);
                self.seat.note(What::Refused { message, code });
            }
            Verdict::Again | Verdict::Elsewhere => {}
        }
    }

    /// Reads the inbox from where it has read to, as far as it goes; answers with how many seqs beyond that are reserved.
    ///
    /// # Errors
    /// No page comes.
    pub(crate) async fn sync(&mut self) -> Result<u64> {
        self.connect().await;
        loop {
            let request = Request::Sync(SyncInputMsg {
                seq: self.cursor,
                limit: 0,
            });
            let page = match self.ask(request).await? {
                OutputFrame {
                    code: 0,
                    payload: Payload::Sync(page),
                    ..
                } => page,
                other => bail!("no page of the inbox: {} {}", other.code, other.code_msg),
            };
            for message in &page.messages {
                self.came(Path::Sync, message);
            }
            self.seat.note(What::Cursor { seq: page.cursor });
            self.cursor = page.cursor;
            if !page.has_more {
                return Ok(page.max_seq.saturating_sub(page.cursor));
            }
        }
    }

    /// Reads a page of a conversation.
    ///
    /// # Errors
    /// Neither a page nor a refusal comes.
    pub(crate) async fn pull(&mut self, with: To, range: Range) -> Result<()> {
        self.connect().await;
        if let To::Group(group) = with {
            self.seat.note(What::Asked { group });
        }
        let (session_type, target_id) = with.parts();
        let request = Request::Pull(PullInputMsg {
            session_type: session_type.into(),
            target_id,
            begin_seq: range.begin_seq,
            end_seq: range.end_seq,
            limit: range.limit,
            descending: range.descending,
        });
        match (self.ask(request).await?, with) {
            (
                OutputFrame {
                    code: 0,
                    payload: Payload::Pull(page),
                    ..
                },
                _,
            ) => {
                page.messages.iter().for_each(|message| self.came(Path::Pull, message));
                Ok(())
            }
            (
                OutputFrame {
                    code, retryable: false, ..
                },
                To::Group(group),
            ) if code > 0 => {
                let code = u32::try_from(code)?;
                self.seat.note(What::Denied { group, code });
                Ok(())
            }
            (other, _) => bail!("no page of a conversation: {} {}", other.code, other.code_msg),
        }
    }

    /// Whether there is a connection, as far as is known here.
    pub(crate) fn is_connected(&self) -> bool {
        self.line.as_ref().is_some_and(Line::is_open)
    }

    async fn ask(&self, request: Request) -> Result<OutputFrame> {
        let line = self.line.as_ref().context("there is no connection")?;
        line.ask(request).await?.context("the request was interrupted")
    }

    fn came(&self, by: Path, message: &Message) {
        let said = Said::of(message);
        self.seat.note(What::Came { by, said });
    }
}

/// What an answer means.
fn verdict(answer: Result<Option<OutputFrame>>, up: &UpMsg) -> Verdict {
    let output = match answer {
        Ok(Some(output)) => output,
        Ok(None) => return Verdict::Again,
        Err(_) => return Verdict::Elsewhere,
    };
    match (Code::from_number(output.code), output.payload) {
        (Some(Code::OK), Payload::Ack(ack)) if ack.r#type() == AckType::Up && ack.client_id == up.client_id => {
            Verdict::Accepted(answer_of(&ack, up))
        }
        (Some(Code::NOT_SIGNED_IN), _) => Verdict::Elsewhere,
        (Some(Code::CLIENT_ID_REUSED), _) => Verdict::Taken,
        (Some(code @ (Code::CLIENT_ID_AHEAD | Code::CLIENT_ID_PASSED | Code::SESSION_PASSED)), _) => {
            Verdict::Lost(code)
        }
        (Some(code), _) if code != Code::OK && !output.retryable => Verdict::Refused(code),
        _ => Verdict::Again,
    }
}

fn answer_of(ack: &AckMsg, up: &UpMsg) -> Answer {
    Answer {
        session: up.session,
        client_id: ack.client_id,
        seq: ack.seq,
        conversation_seq: ack.conversation_seq,
        send_time_ms: ack.send_time,
    }
}

fn number(code: Code) -> u32 {
    u32::try_from(code.number()).unwrap_or_default()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
