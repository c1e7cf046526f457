//! `wigwag signal`: something for whoever is online now, stored nowhere.

use crate::Context;
use crate::args::Signal;
use crate::exit::Failure;
use crate::link::{self, Purpose};
use crate::peer::resolve;
use serde_json::json;
use wigwag_client::{Client, SignalTo};

pub(crate) async fn run(context: &mut Context, args: Signal) -> Result<(), Failure> {
    let to = match (&args.to, args.room) {
        (Some(who), _) => SignalTo::User(resolve(&context.profiles, who)?),
        (None, Some(room)) => SignalTo::Room(room),
        (None, None) => return Err(Failure::usage("to whom? --to or --room")),
    };
    let (held, _, ws_url) = super::signed_in(context).await?;
    let (client, _events) = link::connect(context, &held, &ws_url, Purpose::SendOnly).await?;
    let outcome = signal(&client, to, args.text).await;
    client.close().await;
    outcome?;
    let data = match to {
        SignalTo::User(user_id) => json!({ "user_id": user_id }),
        SignalTo::Room(room_id) => json!({ "room_id": room_id }),
    };
    context
        .printer
        .print("signalled", &data, "relayed to whoever is online")
}

async fn signal(client: &Client, to: SignalTo, text: Option<String>) -> Result<(), Failure> {
    if let SignalTo::Room(room_id) = to {
        link::enter_room(client, room_id).await?;
    }
    match text {
        Some(text) => client.send_realtime(to, text).await?,
        None => client.send_typing(to).await?,
    }
    Ok(())
}
