//! `wigwag me`: shows the profile's account as the server has it.

use crate::Context;
use crate::command_error::CommandError;

pub(crate) async fn run(context: &mut Context) -> Result<(), CommandError> {
    let api = super::api(context).await?;
    let me = api.me().await?;
    let line = format!("{} (user {}), {}", me.nickname, me.user_id, me.phone_number);
    context.printer.print("me", &me, &line)
}
