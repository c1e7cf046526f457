//! One file per command, with its arguments, help and `run`.

pub(crate) mod block;
pub(crate) mod chat;
pub(crate) mod friend;
pub(crate) mod group;
pub(crate) mod history;
pub(crate) mod login;
pub(crate) mod me;
pub(crate) mod profiles;
pub(crate) mod redrive;
pub(crate) mod register;
pub(crate) mod room;
pub(crate) mod send;
pub(crate) mod signal;
pub(crate) mod smoke;
pub(crate) mod sync;
pub(crate) mod tail;
pub(crate) mod token;

use crate::command_error::CommandError;
use crate::profile::LockedProfile;
use crate::{Context, account};
use std::sync::Arc;
use wigwag_client::{Api, Url};

/// The API on behalf of the profile, without locking it. So these commands also work while a chat
/// uses the profile.
async fn api(context: &Context) -> Result<Api, CommandError> {
    let profile = context.profiles.existing(&context.global.profile)?;
    if profile.is_about_to_expire(account::now_ms()) {
        // The renewed token must be stored.
        return signed_in(context).await.map(|(_, api, _)| api);
    }
    account::urls(&context.global, Some(&profile))?;
    Ok(Api::new(profile.url).with_token(profile.token))
}

/// Locks the profile and returns the API on its behalf.
async fn signed_in(context: &Context) -> Result<(Arc<LockedProfile>, Api, Url), CommandError> {
    let held = Arc::new(context.profiles.take(&context.global.profile)?);
    let (_, ws_url) = account::urls(&context.global, Some(&held.get()))?;
    let api = account::signed_in(&held).await?;
    Ok((held, api, ws_url))
}
