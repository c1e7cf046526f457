//! Clients of the SDK on a cluster, and the events that they give an app.

use crate::{Account, Cluster};
use anyhow::{Context as _, Result, bail};
use std::time::Duration;
use wigwag_client::{ConnectOptions, Event, Events, TokenSource};

/// How long a client waits for an event before the story fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// A text message that a client received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Seq in the inbox; for a super group, in the conversation.
    pub seq: u64,
    /// The user who sent it.
    pub sender_id: u64,
    /// Its content.
    pub text: String,
}

impl Cluster {
    /// Options of a client that signs in as this account.
    pub fn connect_options(&self, account: &Account) -> Result<ConnectOptions> {
        Ok(ConnectOptions::new(
            self.stack.websocket_url.parse()?,
            account.user_id,
            TokenSource::fixed(&account.token),
        ))
    }
}

async fn next(events: &mut Events) -> Result<Event> {
    let event = tokio::time::timeout(PATIENCE, events.next()).await;
    match event.context("wait for an event")?.context("the events ended")? {
        Event::Stopped(reason) => bail!("the client stopped: {reason}"),
        event => Ok(event),
    }
}

/// The messages that a client receives, until there are so many.
pub async fn received(events: &mut Events, count: usize) -> Result<Vec<Received>> {
    let mut got = Vec::new();
    while got.len() < count {
        if let Event::Message(message) = next(events).await? {
            got.push(Received {
                seq: message.seq,
                sender_id: message.sender_id,
                text: String::from_utf8_lossy(&message.content).into_owned(),
            });
        }
    }
    Ok(got)
}

/// The texts of a super group that a client receives, until there are so many. `cursor` follows the
/// events, as an app keeps it.
pub async fn received_in_super_group(
    events: &mut Events,
    count: usize,
    cursor: &mut Option<u64>,
) -> Result<Vec<Received>> {
    let mut got = Vec::new();
    while got.len() < count {
        match next(events).await? {
            Event::GroupMessage(message) => {
                *cursor = Some(message.conversation_seq);
                if message.group_change.is_none() {
                    got.push(Received {
                        seq: message.conversation_seq,
                        sender_id: message.sender_id,
                        text: String::from_utf8_lossy(&message.content).into_owned(),
                    });
                }
            }
            Event::GroupCursor { cursor: to, .. } => *cursor = Some(to),
            _ => {}
        }
    }
    Ok(got)
}

/// The conversation seqs of a super group until it has ended for this client, and the last cursor.
pub async fn until_the_group_ended(events: &mut Events) -> Result<(Vec<u64>, u64)> {
    let mut seqs = Vec::new();
    loop {
        match next(events).await? {
            Event::GroupMessage(message) => seqs.push(message.conversation_seq),
            Event::GroupEnded { cursor, .. } => return Ok((seqs, cursor)),
            _ => {}
        }
    }
}

/// The texts of one sender, in the order in which they were received.
pub fn texts_from(sender_id: u64, got: &[Received]) -> Vec<&str> {
    got.iter()
        .filter(|message| message.sender_id == sender_id)
        .map(|message| message.text.as_str())
        .collect()
}
