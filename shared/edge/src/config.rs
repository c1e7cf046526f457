//! Settings from the environment. A missing one stops the function with its name. None has a
//! default in the code, because `template.yaml` is the place for defaults.

use std::fmt;
use std::str::FromStr;
use wigwag_domain::relation::MessagesFrom;
use wigwag_messaging::connect::ConnectionPolicy;

/// A setting that is missing or cannot be read.
#[derive(thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not set.
    #[error("the environment variable {0} is missing")]
    Missing(&'static str),
    /// Set to a value that cannot be read.
    #[error("the environment variable {name} must be {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// The values that it takes.
        expected: &'static str,
    },
}

/// The same text as `Display`, because `main` prints the error that ends it with `Debug`.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The value of a variable.
pub fn required(name: &'static str) -> Result<String, ConfigError> {
    std::env::var(name).map_err(|_| ConfigError::Missing(name))
}

/// The value of a variable, read as `T`; `expected` names the values that it takes.
pub fn parsed<T: FromStr>(name: &'static str, expected: &'static str) -> Result<T, ConfigError> {
    required(name)?
        .parse()
        .map_err(|_| ConfigError::Invalid { name, expected })
}

/// `ALLOW_LOGIN_FRAME`: whether a connection may open without a token and sign in with a LOGIN
/// frame.
pub fn allow_login_frame() -> Result<bool, ConfigError> {
    parsed("ALLOW_LOGIN_FRAME", "true or false")
}

/// `CONNECTION_POLICY`: which older connections a new one replaces.
pub fn connection_policy() -> Result<ConnectionPolicy, ConfigError> {
    let name = "CONNECTION_POLICY";
    match required(name)?.as_str() {
        "device" => Ok(ConnectionPolicy::Device),
        "platform" => Ok(ConnectionPolicy::Platform),
        _ => Err(ConfigError::Invalid {
            name,
            expected: "device or platform",
        }),
    }
}

/// `MESSAGES_FROM`: who may write to a user.
pub fn messages_from() -> Result<MessagesFrom, ConfigError> {
    let name = "MESSAGES_FROM";
    match required(name)?.as_str() {
        "anyone" => Ok(MessagesFrom::Anyone),
        "friends" => Ok(MessagesFrom::Friends),
        _ => Err(ConfigError::Invalid {
            name,
            expected: "anyone or friends",
        }),
    }
}
