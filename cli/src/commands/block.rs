//! `wigwag block`: blocking and unblocking a user's messages.

use crate::Context;
use crate::command_error::CommandError;
use crate::users::{UserArgs, resolve};
use clap::Subcommand;
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(crate) enum BlockCommand {
    /// Block messages from a user
    Add(UserArgs),
    /// Unblock messages from a user
    Remove(UserArgs),
}

pub(crate) async fn run(context: &mut Context, command: BlockCommand) -> Result<(), CommandError> {
    match command {
        BlockCommand::Add(user) => set_blocked(context, user, true).await,
        BlockCommand::Remove(user) => set_blocked(context, user, false).await,
    }
}

async fn set_blocked(context: &mut Context, args: UserArgs, blocked: bool) -> Result<(), CommandError> {
    let user_id = resolve(&context.profiles, &args.who)?;
    let api = super::api(context).await?;
    let (event, line) = if blocked {
        api.block_add(user_id).await?;
        ("blocked", format!("messages from {} are now blocked", args.who))
    } else {
        api.block_remove(user_id).await?;
        ("unblocked", format!("messages from {} are no longer blocked", args.who))
    };
    context.printer.print(event, &json!({ "user_id": user_id }), &line)
}
