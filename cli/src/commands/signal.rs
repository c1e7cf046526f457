//! `wigwag signal`: sends a signal to devices that are online now.

use crate::Context;
use crate::command_error::CommandError;
use crate::connection::{self, Purpose};
use crate::global::parse_id;
use crate::users::resolve;
use clap::{ArgGroup, Args};
use serde_json::json;
use wigwag_client::{Client, SignalTo};

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("target").required(true).args(["to", "room"]),
    group = ArgGroup::new("content").required(true).args(["typing", "text"]),
    after_help = "\
A signal reaches the devices that are online now. If none is online, nobody gets it: the answer
confirms only that the signal was relayed. For a room, this command enters it, signals and leaves.

Examples:
  wigwag signal --as alice --to bob --typing
  wigwag signal --as alice --room 42 --text 'x=1'"
)]
pub(crate) struct SignalArgs {
    /// A user id or the name of a local profile
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) to: Option<String>,
    /// A room
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    pub(crate) room: Option<u64>,
    /// Signal that the user is typing
    #[arg(long)]
    pub(crate) typing: bool,
    /// Signal this content, at most 16 KB; its meaning is up to the clients
    #[arg(long)]
    pub(crate) text: Option<String>,
}

pub(crate) async fn run(context: &mut Context, args: SignalArgs) -> Result<(), CommandError> {
    let to = match (&args.to, args.room) {
        (Some(who), _) => SignalTo::User(resolve(&context.profiles, who)?),
        (None, Some(room)) => SignalTo::Room(room),
        (None, None) => return Err(CommandError::usage("give --to or --room")),
    };
    let (held, _, ws_url) = super::signed_in(context).await?;
    let (client, _events) = connection::connect(context, &held, &ws_url, Purpose::SendOnly).await?;
    let outcome = signal(&client, to, args.text).await;
    client.close().await;
    outcome?;
    let data = match to {
        SignalTo::User(user_id) => json!({ "user_id": user_id }),
        SignalTo::Room(room_id) => json!({ "room_id": room_id }),
    };
    context
        .printer
        .print("signalled", &data, "relayed to the devices that are online")
}

async fn signal(client: &Client, to: SignalTo, text: Option<String>) -> Result<(), CommandError> {
    if let SignalTo::Room(room_id) = to {
        connection::enter_room(client, room_id).await?;
    }
    match text {
        Some(text) => client.send_realtime(to, text).await?,
        None => client.send_typing(to).await?,
    }
    Ok(())
}
