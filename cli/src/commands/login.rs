//! `wigwag login`: gets a new token for a profile, which is created if it does not exist.

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
A profile is one device. --device-of creates another device for the account of an existing local
profile, and uses its password if it is kept there.

Examples:
  wigwag login --as carol --phone-number +15550001234
  wigwag login --as carol-phone --device-of carol")]
pub(crate) struct LoginArgs {
    /// The number that the account was registered with [default: the profile's]
    #[arg(long)]
    pub(crate) phone_number: Option<String>,
    /// The local profile whose account to log in to
    #[arg(long, value_name = "NAME", conflicts_with = "phone_number")]
    pub(crate) device_of: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// Keeps the device id, the cursor and the numbering of a profile of the same account.
pub(crate) async fn run(context: &mut Context, args: LoginArgs) -> Result<(), CommandError> {
    let name = context.global.profile.clone();
    let claim = context.profiles.claim(&name)?;
    let known = context.profiles.read(&name)?;
    let other = args
        .device_of
        .as_deref()
        .map(|other| context.profiles.existing(other))
        .transpose()?;
    let account = known.as_ref().or(other.as_ref());
    let (url, ws_url) = account::urls(&context.global, account)?;
    let given = args
        .phone_number
        .as_ref()
        .or(other.as_ref().map(|other| &other.phone_number));
    let phone_number = phone_number(&name, given, known.as_ref())?;
    let device_id = known
        .as_ref()
        .map_or_else(new_device_id, |profile| profile.device_id.clone());
    let kept = account.and_then(|profile| profile.password.clone());
    let password = match kept.clone().filter(|_| args.password.password.is_none()) {
        Some(password) => password,
        None => args.password.get()?,
    };
    let credentials = Credentials {
        phone_number,
        password,
        device_id,
    };
    let api = Api::new(url.clone());
    let logged_in = log_in(&api, &credentials).await?;
    let me = api.with_token(&logged_in.token).me().await?;
    let keep = args.password.save_password || kept.is_some();
    let blank = Profile {
        url,
        ws_url: ws_url.clone(),
        user_id: logged_in.user_id,
        nickname: String::new(),
        phone_number: credentials.phone_number,
        password: None,
        generated: false,
        device_id: credentials.device_id,
        token: String::new(),
        expires_at_ms: 0,
        cursor: 0,
        super_groups: BTreeMap::new(),
        ended_groups: BTreeMap::new(),
        session: None,
    };
    let data = json!({ "user_id": logged_in.user_id, "profile": name, "expires_at_ms": logged_in.expires_at_ms });
    let line = format!(
        "logged in as {} (user {}), profile {name}",
        me.nickname, logged_in.user_id
    );
    claim.hold(known.unwrap_or(blank)).update(|profile| {
        profile.ws_url = ws_url;
        profile.nickname = me.nickname;
        profile.password = keep.then_some(credentials.password);
        profile.take_over(logged_in);
    })?;
    context.printer.print("logged_in", &data, &line)
}

/// Returns the given number or the profile's. They must be the same.
fn phone_number(name: &str, given: Option<&String>, known: Option<&Profile>) -> Result<String, CommandError> {
    match (given, known) {
        (Some(given), Some(profile))
            if given.trim_start_matches('+') != profile.phone_number.trim_start_matches('+') =>
        {
            Err(CommandError::usage(format!(
                "the profile {name} belongs to another account (user {}); choose another name with --as",
                profile.user_id
            )))
        }
        (Some(given), _) => Ok(given.clone()),
        (None, Some(profile)) => Ok(profile.phone_number.clone()),
        (None, None) => Err(CommandError::usage(format!(
            "there is no profile {name} yet; give the account with --phone-number, or with --device-of and another profile"
        ))),
    }
}
