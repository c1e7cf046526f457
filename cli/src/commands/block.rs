//! `wigwag block`: refusing someone's messages, and taking them again.

use crate::Context;
use crate::args::Who;
use crate::exit::Failure;
use crate::peer::resolve;
use serde_json::json;

pub(crate) async fn set(context: &mut Context, args: Who, blocked: bool) -> Result<(), Failure> {
    let user_id = resolve(&context.profiles, &args.who)?;
    let api = super::api(context).await?;
    let (event, line) = if blocked {
        api.block_add(user_id).await?;
        ("blocked", format!("messages of {} are refused from now on", args.who))
    } else {
        api.block_remove(user_id).await?;
        ("unblocked", format!("messages of {} are taken again", args.who))
    };
    context.printer.print(event, &json!({ "user_id": user_id }), &line)
}
