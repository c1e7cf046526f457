//! `wigwag tail`: prints messages as they arrive, until Ctrl-C.

use crate::command_error::CommandError;
use crate::connection::{self, Purpose};
use crate::names::Names;
use crate::profile::LockedProfile;
use crate::rendering::{self, Focus};
use crate::{Context, signals};
use clap::Args;
use wigwag_client::{Event, Events};

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// Start after this seq of the inbox; 0 prints everything
    #[arg(long, value_name = "SEQ")]
    pub(crate) from: Option<u64>,
}

pub(crate) async fn run(context: &mut Context, args: TailArgs) -> Result<(), CommandError> {
    let (held, api, ws_url) = tokio::select! {
        ready = super::signed_in(context) => ready?,
        () = signals::interrupted() => return Ok(()),
    };
    let cursor = args.from.unwrap_or(held.cursor());
    let (client, mut events) = connection::connect(context, &held, &ws_url, Purpose::Both(cursor)).await?;
    let mut names = Names::new(api);
    let outcome = tokio::select! {
        outcome = follow(context, &held, &mut names, &mut events) => outcome,
        () = signals::interrupted() => Ok(()),
    };
    client.close().await;
    outcome
}

async fn follow(
    context: &mut Context,
    held: &LockedProfile,
    names: &mut Names,
    events: &mut Events,
) -> Result<(), CommandError> {
    while let Some(event) = events.next().await {
        receive(context, held, names, event).await?;
    }
    Ok(())
}

/// Handles an event. A message is printed, then the cursor moves.
pub(super) async fn receive(
    context: &mut Context,
    held: &LockedProfile,
    names: &mut Names,
    event: Event,
) -> Result<(), CommandError> {
    match event {
        Event::Message(message) => {
            rendering::message(&mut context.printer, names, held.user_id(), Focus::None, &message).await?;
            held.advance(message.seq)
        }
        Event::GroupMessage(message) => {
            rendering::message(&mut context.printer, names, held.user_id(), Focus::None, &message).await?;
            held.advance_group(message.receiver_id, message.conversation_seq)
        }
        Event::GroupCursor { group_id, cursor } => held.advance_group(group_id, cursor),
        Event::GroupEnded { group_id, cursor } => held.end_group(group_id, cursor),
        Event::Signal(signal) => rendering::signal(&mut context.printer, names, &signal).await,
        Event::CaughtUp { cursor } => {
            // The cursor may also move backwards, if it belonged to an inbox that no longer exists.
            held.set_cursor(cursor)?;
            connection::report_event(context, Event::CaughtUp { cursor })
        }
        event => connection::report_event(context, event),
    }
}
