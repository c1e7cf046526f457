//! `wigwag room`: who is in a room right now.

use crate::Context;
use crate::args::RoomCommand;
use crate::exit::Failure;
use crate::output::printable;
use crate::peer::Names;
use serde_json::json;

pub(crate) async fn run(context: &mut Context, command: RoomCommand) -> Result<(), Failure> {
    let RoomCommand::Users { room } = command;
    let api = super::api(context).await?;
    let mut names = Names::new(api.clone());
    let mut after: Option<String> = None;
    loop {
        let page = api.room_users(room, after.as_deref()).await?;
        for user_id in page.user_ids {
            let name = names.of(user_id).await;
            let data = json!({ "room_id": room, "user_id": user_id, "name": names.plain(user_id).await });
            context.printer.print("room_user", &data, &printable(&name))?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
