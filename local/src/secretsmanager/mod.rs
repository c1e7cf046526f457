//! Secrets Manager: the secrets of a template in memory, kept on disk if there is a data directory.
//!
//! ```text
//! HTTP ─► operations ─► SecretsManager ─► StoredSecret     synchronous
//!                             └─► a file, rewritten before a call with changes is answered
//! ```
//!
//! Invariants:
//! - A secret that exists keeps its values, even if the template changes.
//! - No log and no error contains a value.

mod error;
mod first;
mod operations;
mod password;
mod secret;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use crate::json_file;
use crate::lambda::ids::request_id;
use crate::template::model;
use secret::{SecretValue, StoredSecret};

pub use error::{SecretsError, SecretsErrorCode};
pub use first::FirstValue;
pub use password::Recipe;
pub use secret::{CURRENT, PREVIOUS};

pub(crate) use operations::{OPERATIONS, is_known};

/// Tells the time in milliseconds since the epoch.
pub type Clock = crate::sqs::Clock;

/// Why the secrets could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretsStartError {
    /// The file of the secrets cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The first value of a secret cannot be generated.
    #[error("{secret}: GenerateSecretString: {reason}")]
    Generate {
        /// Logical id of the secret.
        secret: String,
        /// The cause.
        reason: &'static str,
    },
}

/// The secrets of a stack. Cheap to clone.
#[derive(Clone)]
pub struct SecretsManager {
    shared: Arc<SecretsInner>,
}

struct SecretsInner {
    secrets: Mutex<SecretsByName>,
    file: Option<PathBuf>,
    clock: Clock,
}

/// Secrets by name.
type SecretsByName = BTreeMap<String, StoredSecret>;

impl fmt::Debug for SecretsManager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SecretsManager").finish_non_exhaustive()
    }
}

impl SecretsManager {
    /// Restores the secrets from `file` if it exists, and creates missing ones of the template.
    ///
    /// # Errors
    /// If the file cannot be read or written, or a value cannot be generated.
    pub fn start(file: Option<&Path>, declared: &[model::Secret], clock: Clock) -> Result<Self, SecretsStartError> {
        let file_error = |source| SecretsStartError::File {
            path: file.map(Path::to_owned).unwrap_or_default(),
            source,
        };
        let mut secrets: SecretsByName = file
            .map(json_file::read)
            .transpose()
            .map_err(file_error)?
            .unwrap_or_default();
        for declared in declared {
            if !secrets.contains_key(&declared.name) {
                secrets.insert(declared.name.clone(), made(declared, clock())?);
            }
        }
        if let Some(file) = file {
            json_file::write(file, &secrets).map_err(file_error)?;
        }
        Ok(Self {
            shared: Arc::new(SecretsInner {
                secrets: Mutex::new(secrets),
                file: file.map(Path::to_owned),
                clock,
            }),
        })
    }

    /// Runs `act` on a secret, which `id` names by name, by ARN or by part of its ARN.
    fn with<T>(&self, id: &str, act: impl FnOnce(&StoredSecret) -> Result<T, SecretsError>) -> Result<T, SecretsError> {
        let secrets = self.secrets();
        act(&secrets[find(&secrets, id)?])
    }

    /// Changes a secret and writes the file. If that fails, nothing has changed.
    fn change<T>(
        &self,
        id: &str,
        act: impl FnOnce(&mut StoredSecret, u64) -> Result<T, SecretsError>,
    ) -> Result<T, SecretsError> {
        let mut secrets = self.secrets();
        let mut changed = secrets.clone();
        let name = find(&secrets, id)?.to_owned();
        let secret = changed.get_mut(&name).ok_or_else(SecretsError::no_secret)?;
        let result = act(secret, (self.shared.clock)())?;
        if let Some(file) = &self.shared.file {
            json_file::write(file, &changed).map_err(|error| {
                tracing::error!(%error, "could not write a secret to disk");
                SecretsError::new(
                    SecretsErrorCode::InternalServiceError,
                    "The request had no effect, because it could not be written to disk.",
                )
            })?;
        }
        *secrets = changed;
        Ok(result)
    }

    /// Changes are made on a copy, so a panic leaves a valid state.
    fn secrets(&self) -> MutexGuard<'_, SecretsByName> {
        self.shared.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A secret of the template, with its first value if it has one.
fn made(declared: &model::Secret, now_ms: u64) -> Result<StoredSecret, SecretsStartError> {
    let model::Secret {
        arn, name, description, ..
    } = declared.clone();
    let mut secret = StoredSecret::new(arn, name, description, now_ms);
    let value = declared.value.make().map_err(|reason| SecretsStartError::Generate {
        secret: declared.logical_id.clone(),
        reason,
    })?;
    if let Some(value) = value {
        // The secret has no versions yet, so this cannot fail.
        let _ = secret.put(&request_id(), SecretValue::Text(value), &[CURRENT.to_owned()], now_ms);
    }
    Ok(secret)
}

/// The name of the secret that `id` names.
fn find<'a>(secrets: &'a SecretsByName, id: &str) -> Result<&'a str, SecretsError> {
    let by_name = secrets.get_key_value(id).map(|(name, _)| name.as_str());
    let by_arn = || secrets.values().find(|secret| secret.arn == id);
    // The ARN without the hyphen and the six characters that Secrets Manager adds.
    let by_part = || {
        let mut parts = secrets.values().filter(|secret| {
            let part = secret.arn.rsplit_once('-').map(|(part, _)| part);
            part == Some(id)
        });
        parts.next().filter(|_| parts.next().is_none())
    };
    let found = by_name.or_else(|| by_arn().or_else(by_part).map(|secret| secret.name.as_str()));
    found.ok_or_else(SecretsError::no_secret)
}

#[cfg(test)]
mod tests;
