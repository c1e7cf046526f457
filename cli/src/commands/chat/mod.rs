//! `wigwag chat`: sends typed lines and prints incoming messages, until Ctrl-C or the end of the
//! input.
//!
//! It prepares the account, finds the target (waiting for a partner's profile if necessary),
//! connects and prints missed messages. Then it handles lines and messages until the end, and waits
//! for open answers.

mod account;
mod live_chat;
mod stdin_lines;
mod target;

use crate::command_error::CommandError;
use crate::connection::{self, Purpose};
use crate::global::parse_id;
use crate::names::Names;
use crate::output::merge;
use crate::{Context, signals};
use clap::{ArgGroup, Args};
use live_chat::LiveChat;
use serde_json::json;
use std::sync::Arc;
use target::Target;
use wigwag_client::Code;

#[derive(Debug, Args)]
#[command(after_help = "\
Each line of standard input is sent as a message. Incoming messages are printed as `bob: text`. Your
own message is marked ✓ once it is stored durably. If the profile does not exist, an account with a
random phone number and password is created. The password is kept in the profile to renew the login.

In a group, changes are printed as `* alice added bob`. In a room, messages reach the users who are in
it now and are not stored; a ✓ means that the message was relayed. Messages from other conversations
are printed too, with the conversation that they belong to.

Examples:
  wigwag chat --as alice --with bob
  wigwag chat --as alice --with 1234567890
  wigwag chat --as alice --group 1234567890
  wigwag chat --as alice --room 42
  printf 'one\\ntwo\\n' | wigwag chat --as alice --with bob          sends two messages and ends
  wigwag chat --as alice --with bob --json --stay < lines           sends, then keeps receiving")]
#[command(group = ArgGroup::new("target").required(true).args(["with", "group", "room"]))]
pub(crate) struct ChatArgs {
    /// A user id or the name of a local profile; waits until the profile exists
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) with: Option<String>,
    /// A group or super group that the profile is a member of
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    pub(crate) group: Option<u64>,
    /// A room; every number is a room
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    pub(crate) room: Option<u64>,
    /// Name shown to others, for a new account [default: the profile's name]
    #[arg(long)]
    pub(crate) nickname: Option<String>,
    /// Keep receiving after the end of standard input
    #[arg(long)]
    pub(crate) stay: bool,
}

pub(crate) async fn run(context: &mut Context, args: ChatArgs) -> Result<(), CommandError> {
    let ready = tokio::select! {
        ready = prepare(context, &args) => ready?,
        () = signals::interrupted() => return Ok(()),
    };
    let generated = ready.is_made_up();
    let outcome = ready.run(context, args.stay).await;
    match outcome {
        Err(CommandError::Refused { code, message }) if generated && code == Some(Code::TOKEN_INVALID) => {
            let advice =
                "if the server was restarted without its data, start this chat again: it registers a new account";
            Err(CommandError::Refused {
                code,
                message: format!("{}\n{advice}", message.lines().next().unwrap_or_default()),
            })
        }
        outcome => outcome,
    }
}

/// Does everything up to and including the connection.
async fn prepare(context: &mut Context, args: &ChatArgs) -> Result<LiveChat, CommandError> {
    let name = context.global.profile.clone();
    if args.with.as_ref() == Some(&name) {
        return Err(CommandError::usage(
            "--as and --with name the same profile; choose two different profiles",
        ));
    }
    let nickname = args.nickname.clone().unwrap_or_else(|| name.clone());
    // A new account is not a member of any group.
    let may_make = args.group.is_none();
    let (held, ws_url) = account::prepare(context, &name, &nickname, may_make).await?;
    let held = Arc::new(held);
    let me = held.get();
    let api = wigwag_client::Api::new(me.url.clone()).with_token(&me.token);
    let target = Target::find(context, &api, &me, args).await?;
    let mut names = Names::new(api);
    if let Target::With(partner) = &target {
        names.call(partner.user_id, &partner.name);
    }
    let begun = held.get().session;
    let (client, events) = connection::connect(context, &held, &ws_url, Purpose::Both(me.cursor)).await?;
    if let Target::Room(room_id) = target {
        connection::enter_room(&client, room_id).await?;
    }
    let mut data = json!({ "user_id": me.user_id });
    merge(&mut data, &target.to_json());
    let line = format!("chatting {} as {name}; Ctrl-C ends", target.title());
    context.printer.note("ready", &data, &line)?;
    Ok(LiveChat::new(held, client, events, names, target, begun))
}
