//! `wigwag room`: lists the users in a room right now.

use crate::Context;
use crate::command_error::CommandError;
use crate::global::parse_id;
use crate::names::Names;
use crate::output::printable;
use clap::Subcommand;
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(crate) enum RoomCommand {
    /// List the users in a room right now, one line per device
    Users {
        /// The room's id
        #[arg(value_name = "ID", value_parser = parse_id)]
        room: u64,
    },
}

pub(crate) async fn run(context: &mut Context, command: RoomCommand) -> Result<(), CommandError> {
    let RoomCommand::Users { room } = command;
    let api = super::api(context).await?;
    let mut names = Names::new(api.clone());
    let mut after: Option<String> = None;
    loop {
        let page = api.room_users(room, after.as_deref()).await?;
        for user_id in page.user_ids {
            let name = names.for_user(user_id).await;
            let data = json!({ "room_id": room, "user_id": user_id, "name": names.plain(user_id).await });
            context.printer.print("room_user", &data, &printable(&name))?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
