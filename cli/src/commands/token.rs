//! `wigwag token`: an access token, for clients that have none of their own.

use crate::Context;
use crate::exit::Failure;
use serde_json::json;

/// Renews the token first where it is about to end.
pub(crate) async fn run(context: &mut Context) -> Result<(), Failure> {
    super::api(context).await?;
    let profile = context.profiles.existing(&context.args.profile)?;
    let data = json!({ "user_id": profile.user_id, "token": profile.token, "expires_at_ms": profile.expires_at_ms });
    context.printer.print("token", &data, &profile.token)
}
