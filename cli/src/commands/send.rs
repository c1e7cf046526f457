//! `wigwag send`: sends one message and waits until it is durable.

use crate::Context;
use crate::command_error::CommandError;
use crate::connection::{self, Purpose};
use crate::global::parse_id;
use crate::output::plain;
use crate::users::resolve;
use anyhow::Context as _;
use clap::{ArgGroup, Args, ValueEnum};
use std::io::Read as _;
use std::time::Duration;
use tokio::time::timeout;
use wigwag_client::{Content, Conversation, Events, MessageType, Receipt, SendError, Sending};

#[derive(Debug, Args)]
#[command(after_help = "\
If a message was sent but not answered in time, it stays in the profile. The next command that sends
repeats it under the same number, so that it cannot arrive twice. Without a connection nothing is sent
and nothing is kept.

Examples:
  wigwag send --as alice --to bob 'hello'
  wigwag send --as alice --to 1234567890 --type picture - < cat.jpg
  wigwag send --as alice --group 1234567890 'hello all'")]
#[command(group = ArgGroup::new("target").required(true).args(["to", "group"]))]
pub(crate) struct SendArgs {
    /// A user id or the name of a local profile
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) to: Option<String>,
    /// A group or super group that the profile is a member of
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    pub(crate) group: Option<u64>,
    /// The content, at most 16 KB; - reads standard input
    #[arg(value_name = "TEXT")]
    pub(crate) content: String,
    /// The type of the content
    #[arg(long = "type", value_enum, default_value_t = ContentType::Text)]
    pub(crate) content_type: ContentType,
    /// How many seconds to wait for the acknowledgement
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub(crate) timeout: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ContentType {
    Text,
    Picture,
    Voice,
}

impl From<ContentType> for MessageType {
    fn from(content_type: ContentType) -> Self {
        match content_type {
            ContentType::Text => Self::Text,
            ContentType::Picture => Self::Picture,
            ContentType::Voice => Self::Voice,
        }
    }
}

pub(crate) async fn run(context: &mut Context, args: SendArgs) -> Result<(), CommandError> {
    let message = read_content(&args)?;
    let to = match (&args.to, args.group) {
        (Some(who), _) => Conversation::Peer(resolve(&context.profiles, who)?),
        (None, Some(group_id)) => Conversation::Group(group_id),
        (None, None) => return Err(CommandError::usage("give --to or --group")),
    };
    let (held, _, ws_url) = super::signed_in(context).await?;
    let (client, mut events) = connection::connect(context, &held, &ws_url, Purpose::SendOnly)
        .await
        .map_err(not_sent)?;
    let mut sending = client.enqueue(to, message).await?;
    let waiting = wait_for_receipt(context, &mut events, &mut sending);
    let in_time = timeout(Duration::from_secs(args.timeout), waiting).await;
    client.close().await;
    let receipt = match in_time {
        Ok(outcome) => outcome?,
        Err(_) => sending
            .await
            .map_err(|error| not_acknowledged(plain(&ws_url), args.timeout, error))?,
    };
    let line = format!("sent (seq {} of the conversation)", receipt.conversation_seq);
    context.printer.print("sent", &receipt, &line)
}

/// Waits for the answer and prints events of the connection meanwhile.
async fn wait_for_receipt(
    context: &mut Context,
    events: &mut Events,
    sending: &mut Sending,
) -> Result<Receipt, CommandError> {
    loop {
        tokio::select! {
            biased;
            receipt = &mut *sending => return match receipt {
                // An event gives the reason, with more detail.
                Err(SendError::Stopped { .. }) => Err(why_stopped(context, events).await),
                receipt => Ok(receipt?),
            },
            Some(event) = events.next() => connection::report_event(context, event)?,
        }
    }
}

async fn why_stopped(context: &mut Context, events: &mut Events) -> CommandError {
    while let Some(event) = events.next().await {
        if let Err(failure) = connection::report_event(context, event) {
            return failure;
        }
    }
    CommandError::Other(anyhow::anyhow!("the connection has stopped"))
}

/// Adds that nothing was sent: without a connection, nothing is kept for the next command.
fn not_sent(failure: CommandError) -> CommandError {
    match failure {
        CommandError::Unreachable(message) => CommandError::Unreachable(format!("{message}\nthe message was not sent")),
        other => other,
    }
}

/// The error for a message that was not answered in time.
fn not_acknowledged(ws_url: &str, seconds: u64, error: SendError) -> CommandError {
    let fate = match error {
        SendError::Stopped { transmitted: true } => "it is kept, and the next command that sends repeats it",
        SendError::Stopped { transmitted: false } => "it was not sent",
        other => return other.into(),
    };
    CommandError::Unreachable(format!(
        "{ws_url} has not acknowledged the message in {seconds} s; {fate}"
    ))
}

fn read_content(args: &SendArgs) -> Result<Content, CommandError> {
    let bytes = if args.content == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .context("cannot read standard input")?;
        bytes
    } else {
        args.content.clone().into_bytes()
    };
    if args.content_type == ContentType::Text && std::str::from_utf8(&bytes).is_err() {
        return Err(CommandError::usage(
            "the text is not UTF-8; for other content give a --type",
        ));
    }
    Ok(Content::new(args.content_type.into(), bytes))
}
