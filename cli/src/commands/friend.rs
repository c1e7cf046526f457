//! `wigwag friend`: adding, removing and listing friends.

use crate::Context;
use crate::command_error::CommandError;
use crate::names::Names;
use crate::users::{UserArgs, resolve};
use clap::Subcommand;
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(crate) enum FriendCommand {
    /// Add a user to your friends; this does not add you to theirs
    Add(UserArgs),
    /// Remove a user from your friends
    Remove(UserArgs),
    /// List friends
    List,
}

pub(crate) async fn run(context: &mut Context, command: FriendCommand) -> Result<(), CommandError> {
    match command {
        FriendCommand::Add(user) => add(context, user).await,
        FriendCommand::Remove(user) => remove(context, user).await,
        FriendCommand::List => list(context).await,
    }
}

async fn add(context: &mut Context, args: UserArgs) -> Result<(), CommandError> {
    let user_id = resolve(&context.profiles, &args.who)?;
    let api = super::api(context).await?;
    api.friend_add(user_id).await?;
    let line = format!("{} is now a friend", args.who);
    context
        .printer
        .print("friend_added", &json!({ "user_id": user_id }), &line)
}

async fn remove(context: &mut Context, args: UserArgs) -> Result<(), CommandError> {
    let user_id = resolve(&context.profiles, &args.who)?;
    let api = super::api(context).await?;
    api.friend_remove(user_id).await?;
    let line = format!("{} is no longer a friend", args.who);
    context
        .printer
        .print("friend_removed", &json!({ "user_id": user_id }), &line)
}

async fn list(context: &mut Context) -> Result<(), CommandError> {
    let api = super::api(context).await?;
    let mut names = Names::new(api.clone());
    let mut after = Some(0);
    while let Some(from) = after {
        let page = api.friend_list(from).await?;
        for user_id in page.friend_ids {
            let name = names.for_user(user_id).await;
            let data = json!({ "user_id": user_id, "name": name });
            context.printer.print("friend", &data, &name)?;
        }
        after = page.next;
    }
    Ok(())
}
