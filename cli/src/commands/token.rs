//! `wigwag token`: prints an access token, for use with other clients.

use crate::Context;
use crate::command_error::CommandError;
use serde_json::json;

/// Text after the help of the command.
pub(crate) const HELP: &str = "\
The token is valid for at most a day. If it is about to expire and the profile keeps the password, it is
renewed first.

Examples:
  wscat -c \"ws://127.0.0.1:3001/prod?token=$(wigwag token --as alice)\"
  curl -H \"Authorization: Bearer $(wigwag token --as alice)\" http://127.0.0.1:3000/me";

/// Renews the token first if it is about to expire.
pub(crate) async fn run(context: &mut Context) -> Result<(), CommandError> {
    super::api(context).await?;
    let profile = context.profiles.existing(&context.global.profile)?;
    let data = json!({ "user_id": profile.user_id, "token": profile.token, "expires_at_ms": profile.expires_at_ms });
    context.printer.print("token", &data, &profile.token)
}
