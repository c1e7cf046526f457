//! `wigwag tail`: messages as they come. Left with Ctrl-C.

use crate::Context;
use crate::args::Tail;
use crate::exit::Failure;
use crate::link::{self, Purpose};
use crate::peer::Names;
use crate::profile::Held;
use crate::shown::{self, Here};
use crate::signals;
use wigwag_client::{Event, Events};

pub(crate) async fn run(context: &mut Context, args: Tail) -> Result<(), Failure> {
    let (held, api, ws_url) = tokio::select! {
        ready = super::signed_in(context) => ready?,
        () = signals::interrupted() => return Ok(()),
    };
    let cursor = args.from.unwrap_or(held.cursor());
    let (client, mut events) = link::connect(context, &held, &ws_url, Purpose::Both(cursor)).await?;
    let mut names = Names::new(api);
    let outcome = tokio::select! {
        outcome = follow(context, &held, &mut names, &mut events) => outcome,
        () = signals::interrupted() => Ok(()),
    };
    client.close().await;
    outcome
}

async fn follow(context: &mut Context, held: &Held, names: &mut Names, events: &mut Events) -> Result<(), Failure> {
    while let Some(event) = events.next().await {
        receive(context, held, names, event).await?;
    }
    Ok(())
}

/// Deals with an event: a message is printed, then the cursor moves.
pub(super) async fn receive(
    context: &mut Context,
    held: &Held,
    names: &mut Names,
    event: Event,
) -> Result<(), Failure> {
    match event {
        Event::Message(message) => {
            shown::message(&mut context.printer, names, held.user_id(), Here::Nowhere, &message).await?;
            held.advance(message.seq)
        }
        Event::GroupMessage(message) => {
            shown::message(&mut context.printer, names, held.user_id(), Here::Nowhere, &message).await?;
            held.advance_group(message.receiver_id, message.conversation_seq)
        }
        Event::GroupCursor { group_id, cursor } => held.advance_group(group_id, cursor),
        Event::GroupEnded { group_id, cursor } => held.end_group(group_id, cursor),
        Event::Signal(signal) => shown::signal(&mut context.printer, names, &signal).await,
        Event::CaughtUp { cursor } => {
            // Not only forwards: a cursor beyond this was of an inbox that is no more.
            held.set_cursor(cursor)?;
            link::tell(context, Event::CaughtUp { cursor })
        }
        event => link::tell(context, event),
    }
}
