//! The keys of the deployment that sign tokens: a secret of AWS Secrets Manager, read when needed,
//! and again now and then.
//!
//! ```text
//! put-secret-value ─► AWSCURRENT   signs, and is accepted
//! AWSPREVIOUS  is accepted: Secrets Manager moves the label when there is a new current one
//! ```
//!
//! A process reads the current key at its start, and again after [`REFRESH_MS`]. A token that names
//! an unknown key makes it look at both: so a process that read the old key accepts a token of the
//! new key at once.
//!
//! - a token is accepted only if its key was the current or the previous one when last read
//! - tokens cannot cause a call for each request: looks are [`LOOK_EVERY_MS`] apart
//! - if a key would have to be read and cannot be, the answer is an error, never a refusal: clients
//!   take a refusal as an order to log in again

use crate::token::{self, Claims, TokenError, TokenKeys};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The age in ms at which the current key is read again, at the next token. Until then a process
/// signs with the key that it has: two rotations must be this long apart, besides the life of a
/// token. A shorter time would cost calls; a longer one would keep an old key in use.
pub const REFRESH_MS: i64 = 5 * 60 * 1000;

/// How long a key that cannot be read again is still trusted, in ms: an outage of Secrets Manager
/// is not to become ours.
pub const TRUST_MS: i64 = 60 * 60 * 1000;

/// The time between two looks for unknown key ids, in ms.
pub const LOOK_EVERY_MS: i64 = 5 * 1000;

/// How long a key id that was not found is refused without another look, in ms.
pub const REFUSE_FOR_MS: i64 = 60 * 1000;

/// How many of those are remembered.
const REFUSED: usize = 16;

/// Longest wait for one attempt of one call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest wait for all attempts of one call.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest wait for all calls that a token takes: within the functions' own timeout (5 s), with
/// time to answer.
const PATIENCE: Duration = Duration::from_millis(3500);

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// Why a token can be neither signed nor checked now. Trying again can help.
#[derive(thiserror::Error)]
pub enum KeyError {
    /// Secrets Manager did not return the key.
    #[error("the secret of the token keys cannot be read ({stage})")]
    Unreadable {
        /// The staging label.
        stage: &'static str,
        /// The error of the SDK.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It returned something that is no key.
    #[error(
        "the secret of the token keys ({stage}) is not a text of at least {} characters: put one that is",
        token::KEY_BYTES
    )]
    Malformed {
        /// The staging label.
        stage: &'static str,
    },
    /// The token names an unknown key, and it is too early to look again.
    #[error("a token names a key that is not known yet")]
    NotYet,
}

impl KeyError {
    /// Logs the error. An unknown key is a matter of seconds, the others are not.
    pub fn log(&self) {
        let error = self as &dyn Error;
        if matches!(self, Self::NotYet) {
            tracing::warn!(error, "could not check a token yet");
        } else {
            tracing::error!(error, "could not check or sign a token");
        }
    }
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is not valid, or no longer.
    #[error(transparent)]
    Refused(#[from] TokenError),
    /// Nobody can say now.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// The same text as `Display`: the runtime logs the error of a function with `Debug`, and the SDK
/// would show the whole answer, with the key in it.
impl fmt::Debug for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The keys that are known. Checks tokens, and signs them.
pub struct Keys {
    /// The secret; `None` if the keys were given.
    secret: Option<Secret>,
    /// Locked during a call to Secrets Manager as well: later tokens wait for the same answer.
    known: Mutex<Known>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}

/// A secret in Secrets Manager.
#[derive(Debug)]
struct Secret {
    client: Client,
    arn: String,
}

/// One version of it.
struct Version {
    id: String,
    key: String,
}

impl Keys {
    /// The keys in this secret, with the endpoint and credentials of `config`. Nothing is read yet.
    pub fn new(config: Builder, arn: impl Into<String>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let config = config
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(timeouts);
        Self {
            secret: Some(Secret {
                client: Client::from_conf(config.build()),
                arn: arn.into(),
            }),
            known: Mutex::default(),
        }
    }

    /// Fixed keys: for tests and fuzzers, which have no Secrets Manager.
    pub fn given(keys: TokenKeys) -> Self {
        let known = Known {
            keys: Some(keys),
            ..Known::default()
        };
        Self {
            secret: None,
            known: Mutex::new(known),
        }
    }

    /// Reads the current key, so that the first event need not wait for it. If that fails, the
    /// first event tries again: a function that ended here would be started over and over.
    pub async fn warm(&self, now_ms: i64) {
        if let Err(error) = self.refresh(&mut *self.known.lock().await, now_ms, by()).await {
            let error = &error as &dyn Error;
            tracing::warn!(error, "started without the key of the tokens");
        }
    }

    /// Signs a token with the current key.
    pub async fn issue(&self, claims: &Claims, now_ms: i64) -> Result<String, VerifyError> {
        let mut known = self.known.lock().await;
        let keys = self.refresh(&mut known, now_ms, by()).await?;
        Ok(keys.issue(claims, now_ms / 1000)?)
    }

    /// Checks a token.
    pub async fn verify(&self, token: &str, now_ms: i64) -> Result<Claims, VerifyError> {
        let Some(key_id) = token::key_id(token) else {
            return Err(TokenError::Invalid.into());
        };
        let mut known = self.known.lock().await;
        let keys = self.search(&mut known, &key_id, now_ms).await?;
        Ok(keys.verify(token, now_ms / 1000)?)
    }

    /// The keys, with the current one read within [`REFRESH_MS`] if possible.
    async fn refresh<'a>(&self, known: &'a mut Known, now_ms: i64, by: Instant) -> Result<&'a TokenKeys, KeyError> {
        if let Some(secret) = self.secret.as_ref().filter(|_| !known.is_fresh(now_ms))
            && let Err(error) = in_time(by, secret.read_again(known, now_ms)).await
        {
            if !known.is_trusted(now_ms) {
                return Err(error);
            }
            let error = &error as &dyn Error;
            tracing::warn!(error, "goes on with the keys of the tokens that it has");
            known.asked_at_ms = now_ms;
        }
        known.keys.as_ref().ok_or(KeyError::NotYet)
    }

    /// The keys, among which is the one with this id, if there is such a key.
    async fn search<'a>(&self, known: &'a mut Known, key_id: &str, now_ms: i64) -> Result<&'a TokenKeys, KeyError> {
        let by = by();
        self.refresh(known, now_ms, by).await?;
        match (&self.secret, known.search(key_id, now_ms)) {
            (None, _) | (_, Search::Known | Search::Refused) => {}
            (_, Search::TooEarly) => return Err(KeyError::NotYet),
            (Some(secret), Search::Look) => {
                known.looked_at_ms = Some(now_ms);
                in_time(by, secret.read_both(known, now_ms)).await?;
                known.note_look_for(key_id, now_ms);
            }
        }
        known.keys.as_ref().ok_or(KeyError::NotYet)
    }
}

impl Secret {
    /// Reads the current key, and the previous one if the current one has changed.
    async fn read_again(&self, known: &mut Known, now_ms: i64) -> Result<(), KeyError> {
        let current = self.current().await?;
        if known.version == current.id {
            known.confirm(now_ms);
            return Ok(());
        }
        let previous = if known.keys.is_some() {
            self.version(PREVIOUS).await?
        } else {
            None
        };
        known.learn(&current, previous.as_ref(), now_ms)
    }

    async fn read_both(&self, known: &mut Known, now_ms: i64) -> Result<(), KeyError> {
        let current = self.current().await?;
        let previous = self.version(PREVIOUS).await?;
        if previous.as_ref().is_some_and(|previous| previous.id == current.id) {
            // The label moved between the two calls: the current key has not been seen.
            return Err(KeyError::NotYet);
        }
        known.learn(&current, previous.as_ref(), now_ms)
    }

    async fn current(&self) -> Result<Version, KeyError> {
        let stage = CURRENT;
        self.version(stage).await?.ok_or(KeyError::Malformed { stage })
    }

    /// The version with this label; `None` if there is no previous one.
    async fn version(&self, stage: &'static str) -> Result<Option<Version>, KeyError> {
        let request = self.client.get_secret_value().secret_id(&self.arn).version_stage(stage);
        match request.send().await {
            Ok(output) => Ok(Some(Version {
                id: output.version_id.unwrap_or_default(),
                key: output.secret_string.unwrap_or_default(),
            })),
            Err(error) => match error.as_service_error() {
                Some(GetSecretValueError::ResourceNotFoundException(_)) if stage == PREVIOUS => Ok(None),
                _ => Err(KeyError::Unreadable {
                    stage,
                    source: error.into(),
                }),
            },
        }
    }
}

/// When all calls that begin now must have ended.
fn by() -> Instant {
    Instant::now() + PATIENCE
}

/// The result of calls, or an error if they take too long.
async fn in_time<T>(by: Instant, calls: impl Future<Output = Result<T, KeyError>>) -> Result<T, KeyError> {
    tokio::time::timeout_at(by, calls).await.unwrap_or_else(|elapsed| {
        Err(KeyError::Unreadable {
            stage: CURRENT,
            source: elapsed.into(),
        })
    })
}

/// The keys that a process knows, and since when.
#[derive(Default)]
struct Known {
    /// None before the first read.
    keys: Option<TokenKeys>,
    /// Id of the version that is the current key.
    version: String,
    /// When the current key was last read.
    confirmed_at_ms: i64,
    /// When it was last asked for, even in vain.
    asked_at_ms: i64,
    /// When an unknown key id was last looked for.
    looked_at_ms: Option<i64>,
    /// Key ids that were looked for in vain, and when.
    refused: VecDeque<(String, i64)>,
}

/// What to do about a key id.
#[derive(Debug, PartialEq, Eq)]
enum Search {
    /// Its key is there.
    Known,
    /// It was looked for just now, and not found.
    Refused,
    /// Another one was looked for just now: too early.
    TooEarly,
    /// It is to be looked for.
    Look,
}

impl Known {
    /// Whether the current key need not be read: it was read, or asked for in vain, just now.
    fn is_fresh(&self, now_ms: i64) -> bool {
        self.keys.is_some()
            && (is_within(REFRESH_MS, self.confirmed_at_ms, now_ms)
                || (is_within(LOOK_EVERY_MS, self.asked_at_ms, now_ms) && self.is_trusted(now_ms)))
    }

    fn is_trusted(&self, now_ms: i64) -> bool {
        self.keys.is_some() && is_within(TRUST_MS, self.confirmed_at_ms, now_ms)
    }

    fn confirm(&mut self, now_ms: i64) {
        (self.confirmed_at_ms, self.asked_at_ms) = (now_ms, now_ms);
    }

    /// Stores the keys that were read. A previous key that is too short never signed anything.
    fn learn(&mut self, current: &Version, previous: Option<&Version>, now_ms: i64) -> Result<(), KeyError> {
        let previous = previous.map_or("", |previous| previous.key.as_str());
        let keys = TokenKeys::new(&current.key, previous).or_else(|| TokenKeys::new(&current.key, ""));
        self.keys = Some(keys.ok_or(KeyError::Malformed { stage: CURRENT })?);
        self.version.clone_from(&current.id);
        self.confirm(now_ms);
        Ok(())
    }

    fn search(&self, key_id: &str, now_ms: i64) -> Search {
        if self.has(key_id) {
            return Search::Known;
        }
        let is_it = |(id, at_ms): &(String, i64)| id == key_id && is_within(REFUSE_FOR_MS, *at_ms, now_ms);
        if self.refused.iter().any(is_it) {
            return Search::Refused;
        }
        match self.looked_at_ms {
            Some(at_ms) if is_within(LOOK_EVERY_MS, at_ms, now_ms) => Search::TooEarly,
            _ => Search::Look,
        }
    }

    /// Remembers the look for this key id, which may have been in vain.
    fn note_look_for(&mut self, key_id: &str, now_ms: i64) {
        if self.has(key_id) {
            return;
        }
        self.refused.retain(|(id, _)| id != key_id);
        self.refused.push_back((key_id.to_owned(), now_ms));
        if self.refused.len() > REFUSED {
            self.refused.pop_front();
        }
    }

    fn has(&self, key_id: &str) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.has(key_id))
    }
}

/// Whether a time is less than this long ago. A time in the future, after the clock was set back,
/// is long ago.
fn is_within(span_ms: i64, then_ms: i64, now_ms: i64) -> bool {
    (0..span_ms).contains(&(now_ms - then_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_domain::{DeviceKey, UserId};

    const NOW_MS: i64 = 1_800_000_000_000;

    fn version(name: &str) -> Version {
        Version {
            id: name.to_owned(),
            key: name.repeat(token::KEY_BYTES),
        }
    }

    /// The id that tokens of this version's key name.
    fn key_id(name: &str) -> String {
        let claims = Claims {
            user: UserId(7),
            device: DeviceKey::derive(1, "phone"),
            platform: 1,
            expires_at_s: 100,
        };
        let keys = TokenKeys::new(&version(name).key, "").unwrap();
        token::key_id(&keys.issue(&claims, 0).unwrap()).unwrap()
    }

    fn known() -> Known {
        let mut known = Known::default();
        known.learn(&version("b"), Some(&version("a")), NOW_MS).unwrap();
        known
    }

    #[test]
    fn nothing_is_known_or_trusted_before_the_first_read() {
        let known = Known::default();
        assert!(!known.is_fresh(0) && !known.is_trusted(0));
        assert_eq!(known.search(&key_id("a"), NOW_MS), Search::Look);
    }

    #[test]
    fn the_current_key_is_read_again_after_some_minutes() {
        let known = known();
        assert!(known.is_fresh(NOW_MS + REFRESH_MS - 1));
        assert!(!known.is_fresh(NOW_MS + REFRESH_MS));
        assert!(!known.is_fresh(NOW_MS - 1), "the clock was set back");
    }

    #[test]
    fn keys_that_cannot_be_read_again_are_trusted_for_an_hour_and_retried() {
        let mut known = known();
        known.asked_at_ms = NOW_MS + REFRESH_MS;
        assert!(known.is_fresh(NOW_MS + REFRESH_MS + LOOK_EVERY_MS - 1));
        assert!(!known.is_fresh(NOW_MS + REFRESH_MS + LOOK_EVERY_MS));
        assert!(known.is_trusted(NOW_MS + TRUST_MS - 1));
        known.asked_at_ms = NOW_MS + TRUST_MS;
        assert!(!known.is_trusted(NOW_MS + TRUST_MS) && !known.is_fresh(NOW_MS + TRUST_MS));
    }

    #[test]
    fn both_keys_are_known_and_no_other() {
        let known = known();
        assert_eq!(known.search(&key_id("a"), NOW_MS), Search::Known);
        assert_eq!(known.search(&key_id("b"), NOW_MS), Search::Known);
        assert_eq!(known.search(&key_id("c"), NOW_MS), Search::Look);
    }

    #[test]
    fn invented_key_ids_do_not_cause_a_read_each() {
        let mut known = known();
        known.looked_at_ms = Some(NOW_MS);
        known.note_look_for(&key_id("c"), NOW_MS);
        assert_eq!(known.search(&key_id("d"), NOW_MS + LOOK_EVERY_MS - 1), Search::TooEarly);
        assert_eq!(known.search(&key_id("d"), NOW_MS + LOOK_EVERY_MS), Search::Look);
        assert_eq!(known.search(&key_id("c"), NOW_MS + REFUSE_FOR_MS - 1), Search::Refused);
        assert_eq!(known.search(&key_id("c"), NOW_MS + REFUSE_FOR_MS), Search::Look);
        for number in 0..100 {
            known.note_look_for(&format!("{number:08x}"), NOW_MS);
        }
        assert_eq!(known.refused.len(), REFUSED);
    }

    #[test]
    fn a_new_key_replaces_both() {
        let mut known = known();
        known.learn(&version("c"), Some(&version("b")), NOW_MS + 1).unwrap();
        assert_eq!(known.search(&key_id("c"), NOW_MS), Search::Known);
        assert_eq!(known.search(&key_id("b"), NOW_MS), Search::Known);
        assert_eq!(known.search(&key_id("a"), NOW_MS), Search::Look);
    }

    #[test]
    fn a_secret_that_is_too_short_is_refused_and_the_known_keys_stay() {
        let mut known = known();
        let short = |id: &str| Version {
            id: id.to_owned(),
            key: "short".to_owned(),
        };
        let refused = known.learn(&short("c"), Some(&version("b")), NOW_MS).unwrap_err();
        assert!(matches!(refused, KeyError::Malformed { stage: CURRENT }));
        assert_eq!(known.search(&key_id("a"), NOW_MS), Search::Known);
        known.learn(&version("d"), Some(&short("c")), NOW_MS).unwrap();
        assert_eq!(known.search(&key_id("d"), NOW_MS), Search::Known);
    }

    #[test]
    fn an_error_does_not_show_the_secret() {
        let error = KeyError::Unreadable {
            stage: CURRENT,
            source: "the whole answer".into(),
        };
        assert_eq!(
            format!("{error:?}"),
            "the secret of the token keys cannot be read (AWSCURRENT)"
        );
    }
}
