//! Accounts: creating one, logging in, and renewing the login.

use crate::command_error::CommandError;
use crate::global::GlobalOptions;
use crate::output::plain;
use crate::profile::{LockedProfile, Profile};
use rand::distr::{Alphanumeric, SampleString as _};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use wigwag_client::http::{LoggedIn, Login, Register};
use wigwag_client::{Api, ApiError, Code, TokenRequest, TokenSource, Url};

/// This platform in the protocol.
const PLATFORM: u8 = wigwag_client::http::PLATFORM_LINUX;

/// A token that expires sooner than this is renewed before use.
const RENEW_BEFORE_MS: i64 = 60_000;

const DEFAULT_URL: &str = "http://127.0.0.1:3000";
const DEFAULT_WS_URL: &str = "ws://127.0.0.1:3001/prod";

/// The login of an account, and the id of this device.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) phone_number: String,
    pub(crate) password: String,
    pub(crate) device_id: String,
}

impl Credentials {
    /// Random credentials for a new account.
    pub(crate) fn made_up() -> Self {
        Self {
            phone_number: random_phone_number(),
            password: random_text(24),
            device_id: new_device_id(),
        }
    }
}

/// The URLs of the server: from the command line, else from the profile, else on this machine.
pub(crate) fn urls(args: &GlobalOptions, profile: Option<&Profile>) -> Result<(Url, Url), CommandError> {
    if let (Some(given), Some(profile)) = (&args.url, profile)
        && plain(given) != plain(&profile.url)
    {
        return Err(CommandError::usage(format!(
            "the account of profile {} is on {}, not on {}; choose another profile with --as",
            args.profile,
            plain(&profile.url),
            plain(given)
        )));
    }
    let default = |text: &str| {
        text.parse()
            .map_err(|_| CommandError::usage(format!("{text} is not a URL")))
    };
    let url = match args.url.as_ref().or(profile.map(|profile| &profile.url)) {
        Some(url) => url.clone(),
        None => default(DEFAULT_URL)?,
    };
    let ws_url = match args.ws_url.as_ref().or(profile.map(|profile| &profile.ws_url)) {
        Some(url) => url.clone(),
        None => default(DEFAULT_WS_URL)?,
    };
    Ok((url, ws_url))
}

/// Creates the id of a new device.
pub(crate) fn new_device_id() -> String {
    random_text(16)
}

/// Random letters and digits; 24 of them hold more than 140 bits.
pub(crate) fn random_text(chars: usize) -> String {
    Alphanumeric.sample_string(&mut rand::rng(), chars)
}

/// A random number from the range reserved for fiction in North America, with more digits than a
/// real number has.
pub(crate) fn random_phone_number() -> String {
    format!("+1555{:010}", rand::random_range(0..10_000_000_000_u64))
}

/// Creates an account.
pub(crate) async fn register(api: &Api, credentials: &Credentials, nickname: &str) -> Result<u64, ApiError> {
    let register = Register {
        phone_number: credentials.phone_number.clone(),
        nickname: nickname.to_owned(),
        password: credentials.password.clone(),
    };
    Ok(api.register(&register).await?.user_id)
}

/// Gets a token.
pub(crate) async fn log_in(api: &Api, credentials: &Credentials) -> Result<LoggedIn, ApiError> {
    api.login(&Login {
        phone_number: credentials.phone_number.clone(),
        password: credentials.password.clone(),
        platform: PLATFORM,
        device_id: credentials.device_id.clone(),
    })
    .await
}

impl Profile {
    /// The credentials, if the profile keeps the password.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        Some(Credentials {
            phone_number: self.phone_number.clone(),
            password: self.password.clone()?,
            device_id: self.device_id.clone(),
        })
    }

    /// Stores a login. If it is for another account than before, the profile starts with an empty
    /// inbox and a new numbering.
    pub(crate) fn take_over(&mut self, logged_in: LoggedIn) {
        if self.user_id != logged_in.user_id {
            self.forget_reading();
            self.session = None;
        }
        self.user_id = logged_in.user_id;
        self.token = logged_in.token;
        self.expires_at_ms = logged_in.expires_at_ms;
    }

    /// Resets all read positions.
    pub(crate) fn forget_reading(&mut self) {
        self.cursor = 0;
        self.super_groups.clear();
        self.ended_groups.clear();
    }

    pub(crate) fn is_about_to_expire(&self, now_ms: i64) -> bool {
        self.expires_at_ms < now_ms + RENEW_BEFORE_MS
    }
}

/// The API on behalf of the profile. Logs in again if the token is about to expire.
pub(crate) async fn signed_in(held: &LockedProfile) -> Result<Api, CommandError> {
    let profile = held.get();
    let api = Api::new(profile.url.clone());
    if !profile.is_about_to_expire(now_ms()) {
        return Ok(api.with_token(profile.token));
    }
    let Some(credentials) = profile.credentials() else {
        let message = "the login has expired and the profile does not keep the password";
        return Err(CommandError::refused(Some(Code::TOKEN_EXPIRED), message));
    };
    let logged_in = log_in(&api, &credentials).await?;
    held.update(|profile| profile.take_over(logged_in))?;
    Ok(api.with_token(held.get().token))
}

/// Tokens for the connection: the profile's token, renewed if the profile keeps the password.
pub(crate) fn token_source(held: &Arc<LockedProfile>) -> TokenSource {
    let held = Arc::clone(held);
    TokenSource::provider(move |request| {
        let held = Arc::clone(&held);
        async move {
            let profile = held.get();
            let renew = request == TokenRequest::Fresh || profile.is_about_to_expire(now_ms());
            let Some(credentials) = profile.credentials().filter(|_| renew) else {
                return Ok(profile.token);
            };
            let logged_in = log_in(&Api::new(profile.url.clone()), &credentials).await?;
            let token = logged_in.token.clone();
            if logged_in.user_id == profile.user_id
                && let Err(failure) = held.update(|profile| profile.take_over(logged_in))
            {
                // The token is valid all the same.
                eprintln!("wigwag: {failure}");
            }
            Ok(token)
        }
    })
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::global::FrameEncoding;
    use crate::profile::tests::profile;
    use wigwag_client::Session;

    fn args(url: Option<&str>) -> GlobalOptions {
        GlobalOptions {
            url: url.map(|url| url.parse().unwrap()),
            ws_url: None,
            json: false,
            profile_dir: None,
            profile: "alice".to_owned(),
            frames: FrameEncoding::Protobuf,
        }
    }

    #[test]
    fn a_profile_is_used_only_with_its_own_server() {
        let profile = profile();
        let (url, _) = urls(&args(None), Some(&profile)).unwrap();
        assert_eq!(url, profile.url);
        assert!(urls(&args(Some("http://127.0.0.1:3000")), Some(&profile)).is_ok());
        assert!(urls(&args(Some("http://example.org")), Some(&profile)).is_err());
        assert_eq!(plain(&urls(&args(None), None).unwrap().0), DEFAULT_URL);
    }

    #[test]
    fn another_account_starts_with_an_empty_inbox() {
        let mut profile = profile();
        profile.super_groups.insert(12, 3);
        profile.session = Some(Session {
            id: 1,
            next_client_id: 5,
            pending: None,
        });
        let logged_in = |user_id| LoggedIn {
            user_id,
            token: "new".to_owned(),
            expires_at_ms: 9,
        };
        profile.take_over(logged_in(profile.user_id));
        assert_eq!((profile.cursor, profile.session.is_some()), (5, true));
        profile.take_over(logged_in(8));
        assert_eq!(
            (profile.cursor, profile.session.is_some(), profile.user_id),
            (0, false, 8)
        );
        assert!(profile.super_groups.is_empty());
    }

    #[test]
    fn a_token_is_renewed_before_it_expires() {
        let mut profile = profile();
        profile.expires_at_ms = 100_000;
        assert!(!profile.is_about_to_expire(30_000));
        assert!(profile.is_about_to_expire(50_000));
    }

    #[test]
    fn a_random_phone_number_is_valid() {
        let number = random_phone_number();
        let digits = number.strip_prefix("+1555").unwrap();
        assert!(
            digits.len() == 10 && digits.chars().all(|c| c.is_ascii_digit()),
            "{number}"
        );
    }
}
