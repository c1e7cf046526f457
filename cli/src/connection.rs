//! Connecting as a profile.

use crate::Context;
use crate::account::token_source;
use crate::command_error::CommandError;
use crate::output::plain;
use crate::profile::LockedProfile;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use wigwag_client::{Client, ConnectOptions, Event, Events, SessionStore, Start, Url};

/// How many times to try to enter a room.
const ROOM_TRIES: u32 = 4;
const ROOM_PAUSE: Duration = Duration::from_millis(500);

/// The purpose of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Sending, and receiving after this seq.
    Both(u64),
    /// Only sending: the inbox and the profile's cursor stay as they are.
    SendOnly,
}

/// Connects as a profile. Continues its numbering, including a message that an earlier process left
/// unanswered.
pub(crate) async fn connect(
    context: &Context,
    held: &Arc<LockedProfile>,
    ws_url: &Url,
    purpose: Purpose,
) -> Result<(Client, Events), CommandError> {
    let profile = held.get();
    let mut options = ConnectOptions::new(ws_url.clone(), profile.user_id, token_source(held));
    options.encoding = context.global.frames.into();
    options.session = profile.session;
    options.session_store = Some(Arc::clone(held) as Arc<dyn SessionStore>);
    options.super_groups = profile.super_groups;
    options.ended_groups = profile.ended_groups;
    options.http_url = Some(profile.url);
    options.receive = matches!(purpose, Purpose::Both(_));
    options.start = Start::After(match purpose {
        Purpose::Both(cursor) => cursor,
        Purpose::SendOnly => profile.cursor,
    });
    Client::connect(options)
        .await
        .map_err(|error| CommandError::connecting(plain(ws_url), error))
}

/// Enters a room. Retries a few times, because the connection is new and the server may be
/// starting.
pub(crate) async fn enter_room(client: &Client, room_id: u64) -> Result<(), CommandError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match client.enter_room(room_id).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_retryable() && tries < ROOM_TRIES => sleep(ROOM_PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Prints an event of the connection if it matters to the user. Returns an error if the client has
/// stopped.
pub(crate) fn report_event(context: &mut Context, event: Event) -> Result<(), CommandError> {
    let printer = &mut context.printer;
    match event {
        Event::Connected if printer.is_json() => printer.note("connected", &json!({}), ""),
        Event::Disconnected { reason, retry_in } => {
            let data = json!({ "reason": reason.to_string(), "retry_in_ms": retry_in.as_millis() });
            let line = format!("({reason}; trying again in {:.1} s)", retry_in.as_secs_f64());
            printer.note("disconnected", &data, &line)
        }
        Event::PendingSettled(Ok(receipt)) => {
            let line = "(the message that was left unanswered last time is sent)";
            printer.note("sent", &receipt, line)
        }
        Event::PendingSettled(Err(error)) => {
            let data = json!({ "error": error.to_string() });
            let line = format!("(the message that was left unanswered last time failed: {error})");
            printer.note("failed", &data, &line)
        }
        Event::CaughtUp { cursor } if printer.is_json() => printer.note("caught_up", &json!({ "cursor": cursor }), ""),
        Event::GroupsCaughtUp if printer.is_json() => printer.note("groups_caught_up", &json!({}), ""),
        Event::RoomEntered { room_id } => {
            let line = format!("(in room {room_id} again; messages sent in between are lost)");
            printer.note("room_entered", &json!({ "room_id": room_id }), &line)
        }
        Event::RoomLost { room_id, reason } => Err(CommandError::refused(
            None,
            format!("the server did not let this device back into room {room_id}: {reason}"),
        )),
        Event::Kicked { reason } => {
            let data = json!({ "reason": reason.as_str_name() });
            printer.note("kicked", &data, "(another connection of this device took over)")
        }
        Event::Stopped(reason) => Err(reason.into()),
        _ => Ok(()),
    }
}
