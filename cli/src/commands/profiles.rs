//! `wigwag profiles`: lists the local profiles. Never shows tokens or passwords.

use crate::Context;
use crate::command_error::CommandError;
use crate::output::plain;
use serde_json::json;

pub(crate) fn run(context: &mut Context) -> Result<(), CommandError> {
    for (name, profile) in context.profiles.list()? {
        let pending = profile
            .session
            .as_ref()
            .is_some_and(|session| session.pending.is_some());
        let data = json!({
            "profile": name,
            "user_id": profile.user_id,
            "nickname": profile.nickname,
            "url": plain(&profile.url),
            "cursor": profile.cursor,
            "unanswered": pending,
        });
        let mark = if pending { ", one message unanswered" } else { "" };
        let line = format!("{name}: user {} on {}{mark}", profile.user_id, plain(&profile.url));
        context.printer.print("profile", &data, &line)?;
    }
    Ok(())
}
