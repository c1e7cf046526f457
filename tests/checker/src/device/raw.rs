//! A device on a bare socket. It shows what is really pushed, and how a repeat is really answered.
//!
//! It keeps the rules of `docs/user/protocol.md`: one message in flight, with the same number and
//! content until it is answered. It also does what clients seldom do: it sends the same message
//! twice at once, and repeats one that was answered.

use super::connection::Connection;
use super::{Endpoints, Participant, Recipient};
use anyhow::{Context as _, Result, bail};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{sleep, timeout};
use wigwag_client::Range;
use wigwag_invariants::{Answer, Channel, Event, Observed, Token};
use wigwag_protocol::pb::{AckMsg, AckType, Message, MessageType, PullInputMsg, SyncInputMsg, UpMsg};
use wigwag_protocol::{Code, OutputFrame, Payload, Request};

/// The pause before another try.
const PAUSE: Duration = Duration::from_millis(200);

/// How a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendManner {
    /// Once, and again if no answer comes.
    Patient,
    /// Twice at once.
    TwiceAtOnce,
    /// On a connection that is cut after this time, unless the answer has come by then.
    CutOff(Duration),
}

/// What an answer means for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswerVerdict {
    Accepted(Answer),
    Refused(Code),
    /// The number belongs to another message.
    NumberTaken,
    /// The server does not continue the session.
    SessionLost(Code),
    /// No answer came, or one that asks to try again.
    TryAgain,
    /// The same, but on another connection.
    Reconnect,
}

/// The device.
#[derive(Debug)]
pub(crate) struct Raw {
    endpoints: Endpoints,
    participant: Participant,
    connection: Option<Connection>,
    /// Whether it is started. It may be between two connections.
    is_on: bool,
    session: u64,
    next: u64,
    /// The last accepted message, as it was sent.
    last: Option<(Token, UpMsg)>,
    cursor: u64,
}

impl Raw {
    /// A new device, not started.
    pub(crate) fn new(endpoints: &Endpoints, participant: Participant) -> Self {
        participant.note(Event::Installed);
        Self {
            endpoints: endpoints.clone(),
            participant,
            connection: None,
            is_on: false,
            session: now_ms(),
            next: 1,
            last: None,
            cursor: 0,
        }
    }

    /// Identifies it.
    pub(crate) fn participant(&self) -> &Participant {
        &self.participant
    }

    /// Connects it, with as many tries as that takes.
    pub(crate) async fn connect(&mut self) {
        if !std::mem::replace(&mut self.is_on, true) {
            self.participant.note(Event::Started);
        }
        while !self.connection.as_ref().is_some_and(Connection::is_open) {
            self.connection = None;
            match Connection::open(&self.endpoints, &self.participant).await {
                Ok(connection) => self.connection = Some(connection),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Connects again while the older connection is still open, like a device that moves to another
    /// network. The server closes the older one.
    pub(crate) async fn move_over(&mut self) {
        let older = self.connection.take();
        self.connect().await;
        drop(older);
    }

    /// Closes the connection.
    pub(crate) async fn leave(&mut self) {
        self.is_on = false;
        self.participant.note(Event::Left);
        if let Some(connection) = self.connection.take() {
            connection.leave().await;
        }
    }

    /// Cuts the connection without a close frame.
    pub(crate) fn crash(&mut self) {
        self.is_on = false;
        self.participant.note(Event::Crashed);
        self.connection = None;
    }

    /// Sends a message until it is answered.
    pub(crate) async fn send(&mut self, to: Recipient, message: Token, mut manner: SendManner) {
        self.participant.note(Event::Send {
            message,
            to: to.conversation(self.participant.user()),
        });
        let mut up = self.up(to, message);
        loop {
            let manner = std::mem::replace(&mut manner, SendManner::Patient);
            match self.transmit(message, &up, manner).await {
                AnswerVerdict::Accepted(answer) => {
                    self.participant.note(Event::Acknowledged { message, answer });
                    self.next = up.client_id + 1;
                    self.last = Some((message, up));
                    return;
                }
                AnswerVerdict::Refused(code) => {
                    let code = number(code);
                    return self.participant.note(Event::Refused { message, code });
                }
                AnswerVerdict::NumberTaken => {
                    self.next += 1;
                    up.client_id = self.next;
                }
                AnswerVerdict::SessionLost(code) => {
                    let reason = format!("the session was lost: {code}");
                    self.participant.note(Event::GivenUp { message, reason });
                    (self.session, self.next, self.last) = (now_ms().max(self.session + 1), 1, None);
                    return;
                }
                AnswerVerdict::TryAgain => sleep(PAUSE).await,
                AnswerVerdict::Reconnect => {
                    self.connection = None;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn up(&self, to: Recipient, message: Token) -> UpMsg {
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

    /// Transmits a message once or twice.
    async fn transmit(&mut self, message: Token, up: &UpMsg, manner: SendManner) -> AnswerVerdict {
        self.connect().await;
        let Some(connection) = &self.connection else {
            return AnswerVerdict::TryAgain;
        };
        let ask = async || verdict(connection.ask(Request::Message(up.clone())).await, up);
        match manner {
            SendManner::Patient => ask().await,
            SendManner::TwiceAtOnce => {
                let both = <[AnswerVerdict; 2]>::from(tokio::join!(ask(), ask()));
                // If a membership changes meanwhile, one may be refused and the other accepted.
                let mut accepted = both
                    .into_iter()
                    .filter(|verdict| matches!(verdict, AnswerVerdict::Accepted(_)));
                let first = accepted.next().unwrap_or(both[0]);
                if let Some(AnswerVerdict::Accepted(answer)) = accepted.next() {
                    self.participant.note(Event::Acknowledged { message, answer });
                }
                first
            }
            SendManner::CutOff(after) => {
                let answer = timeout(after, ask()).await;
                answer.unwrap_or_else(|_| {
                    self.crash();
                    AnswerVerdict::TryAgain
                })
            }
        }
    }

    /// Repeats the last accepted message.
    pub(crate) async fn repeat(&mut self) {
        let Some((message, up)) = self.last.clone() else {
            return;
        };
        match self.transmit(message, &up, SendManner::Patient).await {
            AnswerVerdict::Accepted(answer) => self.participant.note(Event::Acknowledged { message, answer }),
            AnswerVerdict::Refused(code) | AnswerVerdict::SessionLost(code) => {
                let code = number(code);
                self.participant.note(Event::Refused { message, code });
            }
            AnswerVerdict::NumberTaken => {
                let code = number(Code::CLIENT_ID_REUSED);
                self.participant.note(Event::Refused { message, code });
            }
            AnswerVerdict::TryAgain | AnswerVerdict::Reconnect => {}
        }
    }

    /// Reads the inbox from its cursor as far as possible. Returns how many reserved seqs are left.
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
                self.came(Channel::Sync, message);
            }
            self.participant.note(Event::Cursor { seq: page.cursor });
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
    pub(crate) async fn pull(&mut self, with: Recipient, range: Range) -> Result<()> {
        self.connect().await;
        if let Recipient::Group(group) = with {
            self.participant.note(Event::Asked { group });
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
                page.messages
                    .iter()
                    .for_each(|message| self.came(Channel::Pull, message));
                Ok(())
            }
            (
                OutputFrame {
                    code, retryable: false, ..
                },
                Recipient::Group(group),
            ) if code > 0 => {
                let code = u32::try_from(code)?;
                self.participant.note(Event::Denied { group, code });
                Ok(())
            }
            (other, _) => bail!("no page of a conversation: {} {}", other.code, other.code_msg),
        }
    }

    /// Whether there is a connection, as far as the device knows.
    pub(crate) fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_open)
    }

    async fn ask(&self, request: Request) -> Result<OutputFrame> {
        let connection = self.connection.as_ref().context("there is no connection")?;
        connection.ask(request).await?.context("the request was interrupted")
    }

    fn came(&self, by: Channel, message: &Message) {
        let observed = Observed::from_message(message);
        self.participant.note(Event::Came { by, observed });
    }
}

/// Interprets an answer.
fn verdict(answer: Result<Option<OutputFrame>>, up: &UpMsg) -> AnswerVerdict {
    let output = match answer {
        Ok(Some(output)) => output,
        Ok(None) => return AnswerVerdict::TryAgain,
        Err(_) => return AnswerVerdict::Reconnect,
    };
    match (Code::from_number(output.code), output.payload) {
        (Some(Code::OK), Payload::Ack(ack)) if ack.r#type() == AckType::Up && ack.client_id == up.client_id => {
            AnswerVerdict::Accepted(answer_of(&ack, up))
        }
        (Some(Code::NOT_SIGNED_IN), _) => AnswerVerdict::Reconnect,
        (Some(Code::CLIENT_ID_REUSED), _) => AnswerVerdict::NumberTaken,
        (Some(code @ (Code::CLIENT_ID_AHEAD | Code::CLIENT_ID_PASSED | Code::SESSION_PASSED)), _) => {
            AnswerVerdict::SessionLost(code)
        }
        (Some(code), _) if code != Code::OK && !output.retryable => AnswerVerdict::Refused(code),
        _ => AnswerVerdict::TryAgain,
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
