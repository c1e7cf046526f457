//! `wigwag chat`: lines typed are sent, messages that come are printed. Left with Ctrl-C or at the end of the input.
//!
//! Flow: an account, made where there is none → the other one, waited for where there is none, or the group → connect: what was missed
//! is printed → lines and messages until the end → what is unanswered is waited for, or reported.

mod account;
mod lines;
mod partner;
mod talk;

use crate::Context;
use crate::args::Chat;
use crate::exit::Failure;
use crate::link::{self, Purpose};
use crate::output::merge;
use crate::peer::Names;
use crate::signals;
use partner::Place;
use serde_json::json;
use std::sync::Arc;
use talk::Talk;
use wigwag_client::Code;

pub(crate) async fn run(context: &mut Context, args: Chat) -> Result<(), Failure> {
    let ready = tokio::select! {
        ready = prepare(context, &args) => ready?,
        () = signals::interrupted() => return Ok(()),
    };
    let generated = ready.is_made_up();
    let outcome = ready.run(context, args.stay).await;
    match outcome {
        Err(Failure::Refused { code, message }) if generated && code == Some(Code::TOKEN_INVALID) => {
            let advice = "if it was restarted without its data, start this chat again: it registers anew";
            Err(Failure::Refused {
                code,
                message: format!("{}\n{advice}", message.lines().next().unwrap_or_default()),
            })
        }
        outcome => outcome,
    }
}

/// Everything up to being connected.
async fn prepare(context: &mut Context, args: &Chat) -> Result<Talk, Failure> {
    let name = context.args.profile.clone();
    if args.with.as_ref() == Some(&name) {
        return Err(Failure::usage(
            "--as and --with name the same profile; chatting takes two",
        ));
    }
    let nickname = args.nickname.clone().unwrap_or_else(|| name.clone());
    // A new account is in no group.
    let may_make = args.group.is_none();
    let (held, ws_url) = account::prepare(context, &name, &nickname, may_make).await?;
    let held = Arc::new(held);
    let me = held.get();
    let api = wigwag_client::Api::new(me.url.clone()).with_token(&me.token);
    let place = Place::find(context, &api, &me, args).await?;
    let mut names = Names::new(api);
    if let Place::With(partner) = &place {
        names.call(partner.user_id, &partner.name);
    }
    let begun = held.get().session;
    let (client, events) = link::connect(context, &held, &ws_url, Purpose::Both(me.cursor)).await?;
    if let Place::Room(room_id) = place {
        link::enter_room(&client, room_id).await?;
    }
    let mut data = json!({ "user_id": me.user_id });
    merge(&mut data, &place.to_json());
    let line = format!("chatting {} as {name}; Ctrl-C ends", place.title());
    context.printer.note("ready", &data, &line)?;
    Ok(Talk::new(held, client, events, names, place, begun))
}
