//! A running chat: sends lines, prints messages, and reports the result of each line.

use super::stdin_lines::{self, Input};
use super::target::Target;
use crate::command_error::CommandError;
use crate::names::Names;
use crate::profile::LockedProfile;
use crate::{Context, connection, rendering, signals};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use serde_json::json;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use wigwag_client::{Client, Conversation, Event, Events, Message, Receipt, RequestError, SendError, Session};

/// Maximum number of unanswered lines. It is below the capacity of the client's queue, so that
/// queueing never waits.
const MOST_UNANSWERED: usize = 200;

/// Missed messages are printed before the first line is sent, unless that takes longer than this.
const CATCH_UP_FIRST: Duration = Duration::from_secs(2);

/// A line and its result.
type SettledLine = (String, LineOutcome);

/// The result of a line.
enum LineOutcome {
    /// Sent as a stored message.
    Sent(Result<Receipt, SendError>),
    /// Relayed to the users in a room.
    Relayed(Result<(), RequestError>),
}

/// A connected chat.
pub(super) struct LiveChat {
    held: Arc<LockedProfile>,
    client: Client,
    events: Events,
    names: Names,
    target: Target,
    own: OwnMessages,
    unanswered: FuturesUnordered<BoxFuture<'static, SettledLine>>,
    /// The message that the last process left unanswered.
    pending: Option<Message>,
    /// Whether all missed messages were printed.
    caught_up: bool,
    input_ended: bool,
    /// The highest seq that a message of this process has in the user's own inbox.
    last_own_seq: u64,
    /// The same in the log of the super group.
    last_own_in_group: u64,
    /// Number of messages reported as not sent.
    failed: u64,
}

impl LiveChat {
    pub(super) fn new(
        held: Arc<LockedProfile>,
        client: Client,
        events: Events,
        names: Names,
        target: Target,
        begun: Option<Session>,
    ) -> Self {
        let session = begun.clone().unwrap_or_else(|| client.session());
        Self {
            held,
            client,
            events,
            names,
            target,
            own: OwnMessages::since(&session),
            unanswered: FuturesUnordered::new(),
            pending: begun.and_then(|session| session.pending),
            caught_up: false,
            input_ended: false,
            last_own_seq: 0,
            last_own_in_group: 0,
            failed: 0,
        }
    }

    /// Whether `chat` generated the account, and may do so again.
    pub(super) fn is_made_up(&self) -> bool {
        self.held.get().generated
    }

    /// Runs until interrupted, or until the input has ended and everything is answered. With
    /// `stay`, runs until interrupted.
    pub(super) async fn run(mut self, context: &mut Context, stay: bool) -> Result<(), CommandError> {
        let outcome = tokio::select! {
            outcome = self.exchange(context, stay) => outcome,
            () = signals::interrupted() => Ok(()),
        };
        let client = self.client.clone();
        // Both at once, because closing answers what `settle` reads.
        let ((), settled) = tokio::join!(client.close(), self.settle(context));
        outcome.and(settled)?;
        match self.failed {
            0 => Ok(()),
            failed => Err(anyhow::anyhow!("{failed} of the messages could not be sent").into()),
        }
    }

    async fn exchange(&mut self, context: &mut Context, stay: bool) -> Result<(), CommandError> {
        let mut lines = stdin_lines::read();
        let mut patience = pin!(sleep(CATCH_UP_FIRST));
        let mut patient = true;
        loop {
            if self.is_done() && !stay {
                return Ok(());
            }
            let waits = patient && !self.caught_up;
            let may_read = !waits && !self.input_ended && self.unanswered.len() < self.most_unanswered();
            tokio::select! {
                Some(fate) = self.unanswered.next() => self.report(context, fate)?,
                event = self.events.next() => match event {
                    Some(event) => self.event(context, event).await?,
                    None => return Ok(()),
                },
                input = lines.recv(), if may_read => self.input(context, input).await?,
                () = &mut patience, if waits => patient = false,
            }
        }
    }

    /// Whether the input has ended, all of it is settled, and the cursor has passed the sent
    /// messages. Otherwise the next chat would print them again.
    fn is_done(&self) -> bool {
        let in_group = match self.target {
            Target::Group { group_id, .. } => self.held.group_cursor(group_id).unwrap_or(u64::MAX),
            Target::With(_) | Target::Room(_) => u64::MAX,
        };
        let is_printed = self.held.cursor() >= self.last_own_seq && in_group >= self.last_own_in_group;
        self.input_ended && self.unanswered.is_empty() && self.caught_up && is_printed
    }

    /// Room messages are not numbered, so only sending one after the other keeps their order.
    fn most_unanswered(&self) -> usize {
        match self.target {
            Target::Room(_) => 1,
            Target::With(_) | Target::Group { .. } => MOST_UNANSWERED,
        }
    }

    async fn input(&mut self, context: &mut Context, input: Option<Input>) -> Result<(), CommandError> {
        match input {
            Some(Input::Line(line)) if line.trim().is_empty() => Ok(()),
            Some(Input::Line(line)) => self.send(context, line).await,
            Some(Input::Broken(error)) => {
                self.input_ended = true;
                let line = format!("(cannot read more input: {error})");
                context.printer.note("input_failed", &json!({ "error": error }), &line)
            }
            None => {
                self.input_ended = true;
                Ok(())
            }
        }
    }

    async fn send(&mut self, context: &mut Context, line: String) -> Result<(), CommandError> {
        context.printer.typed(&line)?;
        let to = match self.target {
            Target::With(ref partner) => Conversation::Peer(partner.user_id),
            Target::Group { group_id, .. } => Conversation::Group(group_id),
            Target::Room(room_id) => {
                let client = self.client.clone();
                self.unanswered.push(Box::pin(async move {
                    let outcome = client.send_to_room(room_id, line.as_str()).await;
                    (line, LineOutcome::Relayed(outcome))
                }));
                return Ok(());
            }
        };
        match self.client.enqueue(to, line.as_str()).await {
            Ok(sending) => self
                .unanswered
                .push(Box::pin(async move { (line, LineOutcome::Sent(sending.await)) })),
            Err(error) => self.report(context, (line, LineOutcome::Sent(Err(error))))?,
        }
        Ok(())
    }

    /// Reports the result of a line. Every line is reported.
    fn report(&mut self, context: &mut Context, (text, outcome): SettledLine) -> Result<(), CommandError> {
        let error = match outcome {
            LineOutcome::Sent(Ok(receipt)) if receipt.seq == 0 => {
                self.last_own_in_group = self.last_own_in_group.max(receipt.conversation_seq);
                return context.printer.sent(&text, &receipt);
            }
            LineOutcome::Sent(Ok(receipt)) => {
                self.last_own_seq = self.last_own_seq.max(receipt.seq);
                return context.printer.sent(&text, &receipt);
            }
            LineOutcome::Relayed(Ok(())) => return context.printer.sent(&text, &json!({ "relayed": true })),
            LineOutcome::Sent(Err(error)) => error,
            LineOutcome::Relayed(Err(error)) => {
                self.failed += 1;
                let data = json!({ "text": text, "error": error.to_string(), "kept": false });
                let line = format!("(not sent: {text}: {error})");
                return context.printer.note("failed", &data, &line);
            }
        };
        self.failed += 1;
        let kept = matches!(error, SendError::Stopped { transmitted: true });
        let code = error.code().map(wigwag_client::Code::name);
        let data = json!({ "text": text, "error": error.to_string(), "code": code, "kept": kept });
        let line = if kept {
            format!("(not answered yet; the next command repeats it: {text})")
        } else {
            format!("(not sent: {text}: {error})")
        };
        context.printer.note("failed", &data, &line)
    }

    async fn event(&mut self, context: &mut Context, event: Event) -> Result<(), CommandError> {
        self.own.note(&self.client.session());
        match event {
            Event::Message(message) => {
                self.message(context, &message).await?;
                self.held.advance(message.seq)
            }
            Event::CaughtUp { cursor } => {
                self.held.advance(cursor)?;
                connection::report_event(context, Event::CaughtUp { cursor })
            }
            Event::GroupMessage(message) => {
                self.message(context, &message).await?;
                self.held.advance_group(message.receiver_id, message.conversation_seq)
            }
            Event::GroupCursor { group_id, cursor } => self.held.advance_group(group_id, cursor),
            Event::GroupEnded { group_id, cursor } => self.held.end_group(group_id, cursor),
            Event::GroupsCaughtUp => {
                self.caught_up = true;
                connection::report_event(context, Event::GroupsCaughtUp)
            }
            Event::RoomMessage(message) => self.message(context, &message).await,
            Event::Signal(signal) => rendering::signal(&mut context.printer, &mut self.names, &signal).await,
            Event::PendingSettled(result) => {
                let text = self
                    .pending
                    .take()
                    .map(|message| String::from_utf8_lossy(&message.content).into_owned());
                self.report(context, (text.unwrap_or_default(), LineOutcome::Sent(result)))
            }
            event => connection::report_event(context, event),
        }
    }

    /// Prints a message, except for lines of this process, which were printed when they were
    /// acknowledged.
    async fn message(&mut self, context: &mut Context, message: &Message) -> Result<(), CommandError> {
        let me = self.held.user_id();
        if message.sender_id == me && self.own.contains(message) {
            return Ok(());
        }
        let here = self.target.here();
        rendering::message(&mut context.printer, &mut self.names, me, here, message).await
    }

    /// After the end, reports lines as they are settled and prints the remaining messages.
    async fn settle(&mut self, context: &mut Context) -> Result<(), CommandError> {
        while let Some(fate) = self.unanswered.next().await {
            self.report(context, fate)?;
        }
        while let Some(event) = self.events.next().await {
            if !matches!(event, Event::Stopped(_)) {
                self.event(context, event).await?;
            }
        }
        Ok(())
    }
}

/// Recognises messages that this process sent and has already printed.
#[derive(Debug)]
struct OwnMessages {
    /// The session and first number that this process started with.
    begun: (u64, u64),
    /// The current session.
    current: u64,
}

impl OwnMessages {
    fn since(session: &Session) -> Self {
        Self {
            begun: (session.id, session.next_client_id),
            current: session.id,
        }
    }

    fn note(&mut self, session: &Session) {
        self.current = session.id;
    }

    fn contains(&self, message: &Message) -> bool {
        let (id, first) = self.begun;
        if message.session == id {
            return message.client_id >= first;
        }
        message.session == self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_this_process_count_as_printed() {
        let session = |id, next_client_id| Session {
            id,
            next_client_id,
            pending: None,
        };
        let message = |session, client_id| Message {
            session,
            client_id,
            ..Message::default()
        };
        let mut own = OwnMessages::since(&session(10, 5));
        assert!(own.contains(&message(10, 5)) && own.contains(&message(10, 6)));
        assert!(!own.contains(&message(10, 4)), "of an earlier process");
        assert!(!own.contains(&message(11, 9)), "of another device");
        own.note(&session(20, 1));
        assert!(own.contains(&message(20, 1)) && own.contains(&message(10, 7)));
    }
}
