//! The account to chat with: the profile's, or a generated one.

use crate::Context;
use crate::account::{Credentials, log_in, new_device_id, random_phone_number, random_text, register, urls};
use crate::command_error::CommandError;
use crate::profile::{LockedProfile, Profile};
use anyhow::Context as _;
use serde_json::json;
use std::collections::BTreeMap;
use wigwag_client::http::LoggedIn;
use wigwag_client::{Api, ApiError, Code, Url};

/// How many phone numbers to try.
const TRIES: u32 = 5;

/// Returns a profile whose token the server accepts. If `may_make`, an account is created for a
/// profile that does not exist.
pub(super) async fn prepare(
    context: &mut Context,
    name: &str,
    nickname: &str,
    may_make: bool,
) -> Result<(LockedProfile, Url), CommandError> {
    let claim = context.profiles.claim(name)?;
    let known = match context.profiles.read(name)? {
        None if !may_make => Some(context.profiles.existing(name)?),
        known => known,
    };
    let (url, ws_url) = urls(&context.global, known.as_ref())?;
    let api = Api::new(url.clone());
    let Some(profile) = known else {
        let held = claim.hold(blank(url, ws_url.clone(), nickname));
        register_generated(context, &api, &held, name).await?;
        return Ok((held, ws_url));
    };
    let held = claim.hold(profile);
    if let SignIn::Refused(error) = sign_in(&api, &held).await? {
        let generated = held.get().generated;
        match error.code() {
            Some(Code::WRONG_CREDENTIALS) if generated => register_again(context, &api, &held, name).await?,
            _ => return Err(error.into()),
        }
    }
    Ok((held, ws_url))
}

/// How signing in ended.
enum SignIn {
    /// The server accepts the token of the profile.
    Done,
    /// The server refused.
    Refused(ApiError),
}

/// Makes sure that the server accepts the profile's token.
async fn sign_in(api: &Api, held: &LockedProfile) -> Result<SignIn, CommandError> {
    let profile = held.get();
    let refused = match api.with_token(&profile.token).me().await {
        Ok(_) => return Ok(SignIn::Done),
        Err(error) if is_about_the_token(&error) => error,
        Err(error) => return Ok(SignIn::Refused(error)),
    };
    let Some(credentials) = profile.credentials() else {
        return Ok(SignIn::Refused(refused));
    };
    match log_in(api, &credentials).await {
        Ok(logged_in) => held
            .update(|profile| profile.take_over(logged_in))
            .map(|()| SignIn::Done),
        Err(error) => Ok(SignIn::Refused(error)),
    }
}

/// Whether a new token could help. `USER_NOT_FOUND` means that the token outlived a server that
/// keeps accounts in memory.
fn is_about_the_token(error: &ApiError) -> bool {
    matches!(
        error.code(),
        Some(
            Code::TOKEN_INVALID
                | Code::TOKEN_EXPIRED
                | Code::TOKEN_ELSEWHERE
                | Code::NOT_SIGNED_IN
                | Code::USER_NOT_FOUND
        )
    )
}

/// The server no longer knows the generated account: it keeps its data in memory and was restarted.
async fn register_again(
    context: &mut Context,
    api: &Api,
    held: &LockedProfile,
    name: &str,
) -> Result<(), CommandError> {
    let before = held.get();
    let lost = before.session.is_some_and(|session| session.pending.is_some());
    let data = json!({ "profile": name, "unanswered_message_lost": lost });
    let line = format!("(the server no longer knows {name}, so it has lost its data; registering again)");
    context.printer.note("account_lost", &data, &line)?;
    if lost {
        context.printer.note(
            "failed",
            &json!({}),
            "(the unanswered message of the old account is lost)",
        )?;
    }
    register_generated(context, api, held, name).await
}

/// Registers the profile's generated account, with another number if this one is taken.
async fn register_generated(
    context: &mut Context,
    api: &Api,
    held: &LockedProfile,
    name: &str,
) -> Result<(), CommandError> {
    let nickname = held.get().nickname;
    let mut credentials = held.get().credentials().context("the profile has no password")?;
    for _ in 0..TRIES {
        match register_and_log_in(api, &credentials, &nickname).await {
            Ok(logged_in) => {
                let user_id = logged_in.user_id;
                held.update(|profile| {
                    profile.phone_number = credentials.phone_number;
                    // The new account has an empty inbox and no numbering.
                    profile.forget_reading();
                    profile.session = None;
                    profile.take_over(logged_in);
                })?;
                let data = json!({ "profile": name, "user_id": user_id });
                let line = format!("(registered {name} as user {user_id})");
                return context.printer.note("registered", &data, &line);
            }
            Err(error) if error.code() == Some(Code::PHONE_NUMBER_TAKEN) => {
                credentials.phone_number = random_phone_number();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(anyhow::anyhow!("found no free phone number").into())
}

async fn register_and_log_in(api: &Api, credentials: &Credentials, nickname: &str) -> Result<LoggedIn, ApiError> {
    register(api, credentials, nickname).await?;
    log_in(api, credentials).await
}

fn blank(url: Url, ws_url: Url, nickname: &str) -> Profile {
    Profile {
        url,
        ws_url,
        user_id: 0,
        nickname: nickname.to_owned(),
        phone_number: random_phone_number(),
        password: Some(random_text(24)),
        generated: true,
        device_id: new_device_id(),
        token: String::new(),
        expires_at_ms: 0,
        cursor: 0,
        super_groups: BTreeMap::new(),
        ended_groups: BTreeMap::new(),
        session: None,
    }
}
