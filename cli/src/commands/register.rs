//! `wigwag register`: creates an account, logs in, and stores both as a profile.

use crate::Context;
use crate::account::{self, Credentials, log_in, new_device_id};
use crate::command_error::CommandError;
use crate::password::PasswordArgs;
use crate::profile::Profile;
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use wigwag_client::Api;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  wigwag register --as carol --phone-number +15550001234 --nickname Carol")]
pub(crate) struct RegisterArgs {
    /// 7 to 15 digits, with or without a leading +
    #[arg(long)]
    pub(crate) phone_number: String,
    /// Name shown to others
    #[arg(long)]
    pub(crate) nickname: String,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// Refuses to overwrite a profile, because its account could be lost with it.
pub(crate) async fn run(context: &mut Context, args: RegisterArgs) -> Result<(), CommandError> {
    let name = context.global.profile.clone();
    let claim = context.profiles.claim(&name)?;
    if let Some(profile) = context.profiles.read(&name)? {
        return Err(CommandError::usage(format!(
            "the profile {name} already belongs to user {}; choose another name with --as",
            profile.user_id
        )));
    }
    let (url, ws_url) = account::urls(&context.global, None)?;
    let api = Api::new(url.clone());
    let credentials = Credentials {
        phone_number: args.phone_number,
        password: args.password.get()?,
        device_id: new_device_id(),
    };
    account::register(&api, &credentials, &args.nickname).await?;
    let logged_in = log_in(&api, &credentials).await?;
    let held = claim.hold(Profile {
        url,
        ws_url,
        user_id: logged_in.user_id,
        nickname: args.nickname,
        phone_number: credentials.phone_number,
        password: args.password.save_password.then_some(credentials.password),
        generated: false,
        device_id: credentials.device_id,
        token: String::new(),
        expires_at_ms: 0,
        cursor: 0,
        super_groups: BTreeMap::new(),
        ended_groups: BTreeMap::new(),
        session: None,
    });
    let data = json!({ "user_id": logged_in.user_id, "profile": name, "expires_at_ms": logged_in.expires_at_ms });
    let line = format!("registered as user {}, stored as profile {name}", logged_in.user_id);
    held.update(|profile| profile.take_over(logged_in))?;
    context.printer.print("registered", &data, &line)
}
