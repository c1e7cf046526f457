//! `wigwag send`: one message, until it is durable.

use crate::Context;
use crate::args::{Kind, Send};
use crate::exit::Failure;
use crate::link::{self, Purpose};
use crate::output::plain;
use crate::peer::resolve;
use anyhow::Context as _;
use std::io::Read as _;
use std::time::Duration;
use tokio::time::timeout;
use wigwag_client::{Content, Conversation, Events, Receipt, SendError, Sending};

pub(crate) async fn run(context: &mut Context, args: Send) -> Result<(), Failure> {
    let what = read(&args)?;
    let to = match (&args.to, args.group) {
        (Some(who), _) => Conversation::Peer(resolve(&context.profiles, who)?),
        (None, Some(group_id)) => Conversation::Group(group_id),
        (None, None) => return Err(Failure::usage("to whom? --to or --group")),
    };
    let (held, _, ws_url) = super::signed_in(context).await?;
    let (client, mut events) = link::connect(context, &held, &ws_url, Purpose::SendOnly)
        .await
        .map_err(not_sent)?;
    let mut sending = client.enqueue(to, what).await?;
    let waiting = outcome(context, &mut events, &mut sending);
    let in_time = timeout(Duration::from_secs(args.timeout), waiting).await;
    client.close().await;
    let receipt = match in_time {
        Ok(outcome) => outcome?,
        Err(_) => sending
            .await
            .map_err(|error| late(plain(&ws_url), args.timeout, error))?,
    };
    let line = format!("sent (seq {} of the conversation)", receipt.conversation_seq);
    context.printer.print("sent", &receipt, &line)
}

/// Waits for the answer, and meanwhile tells how the connection fares.
async fn outcome(context: &mut Context, events: &mut Events, sending: &mut Sending) -> Result<Receipt, Failure> {
    loop {
        tokio::select! {
            biased;
            receipt = &mut *sending => return match receipt {
                // Why it stopped comes as an event, and says more.
                Err(SendError::Stopped { .. }) => Err(why_stopped(context, events).await),
                receipt => Ok(receipt?),
            },
            Some(event) = events.next() => link::tell(context, event)?,
        }
    }
}

async fn why_stopped(context: &mut Context, events: &mut Events) -> Failure {
    while let Some(event) = events.next().await {
        if let Err(failure) = link::tell(context, event) {
            return failure;
        }
    }
    Failure::Other(anyhow::anyhow!("the connection has stopped"))
}

/// No connection, and so nothing that could be kept for the next command.
fn not_sent(failure: Failure) -> Failure {
    match failure {
        Failure::Unreachable(message) => Failure::Unreachable(format!("{message}\nthe message was not sent")),
        other => other,
    }
}

/// Not answered in time.
fn late(ws_url: &str, seconds: u64, error: SendError) -> Failure {
    let fate = match error {
        SendError::Stopped { transmitted: true } => "it is kept, and repeated by the next command that sends",
        SendError::Stopped { transmitted: false } => "it was not sent",
        other => return other.into(),
    };
    Failure::Unreachable(format!(
        "{ws_url} has not acknowledged the message in {seconds} s; {fate}"
    ))
}

fn read(args: &Send) -> Result<Content, Failure> {
    let bytes = if args.content == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .context("cannot read standard input")?;
        bytes
    } else {
        args.content.clone().into_bytes()
    };
    if args.kind == Kind::Text && std::str::from_utf8(&bytes).is_err() {
        return Err(Failure::usage("the text is not UTF-8; other content has a --type"));
    }
    Ok(Content::new(args.kind.into(), bytes))
}
