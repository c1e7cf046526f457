//! One secret: its versions, and the labels that move between them.
//!
//! Invariants:
//! - A label is on at most one version.
//! - When `AWSCURRENT` moves, `AWSPREVIOUS` moves to the version that had it.
//! - The value of a version never changes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::error::{SecretsError, SecretsErrorCode};

/// The label of the version that is in use.
pub const CURRENT: &str = "AWSCURRENT";

/// The label of the version that was in use before.
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// How many versions without a label are kept.
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html>
const VERSIONS_LIMIT: usize = 100;

/// A secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredSecret {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) created_at_ms: u64,
    pub(super) changed_at_ms: u64,
    /// By id.
    pub(super) versions: BTreeMap<String, Version>,
}

/// A version of a secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) value: SecretValue,
    pub(super) created_at_ms: u64,
    pub(super) labels: BTreeSet<String>,
}

/// The value of a version.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum SecretValue {
    /// `SecretString`.
    Text(String),
    /// `SecretBinary`, in base64.
    Binary(String),
}

/// Hides the value.
impl std::fmt::Debug for SecretValue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl StoredSecret {
    /// Creates a secret without a version.
    pub(super) fn new(arn: String, name: String, description: Option<String>, now_ms: u64) -> Self {
        Self {
            arn,
            name,
            description,
            created_at_ms: now_ms,
            changed_at_ms: now_ms,
            versions: BTreeMap::new(),
        }
    }

    /// The version with this id, with this label, or with both; the current one if neither is
    /// given.
    pub(super) fn version(&self, id: Option<&str>, label: Option<&str>) -> Result<(&String, &Version), SecretsError> {
        let Some(id) = id else {
            let label = label.unwrap_or(CURRENT);
            let found = self.holder(label).and_then(|id| self.versions.get_key_value(id));
            return found.ok_or_else(|| SecretsError::no_version(&format!("staging label: {label}")));
        };
        let found = self.versions.get_key_value(id);
        let (id, version) = found.ok_or_else(|| SecretsError::no_version(&format!("VersionId: {id}")))?;
        if label.is_some_and(|label| !version.labels.contains(label)) {
            return Err(SecretsError::new(
                SecretsErrorCode::InvalidRequest,
                "You provided a VersionStage that is not associated to the provided VersionId.",
            ));
        }
        Ok((id, version))
    }

    /// Adds a version and moves these labels to it. Adding the same version again changes nothing.
    pub(super) fn put(
        &mut self,
        id: &str,
        value: SecretValue,
        labels: &[String],
        now_ms: u64,
    ) -> Result<(), SecretsError> {
        if let Some(version) = self.versions.get(id) {
            if version.value == value {
                return Ok(());
            }
            return Err(SecretsError::new(
                SecretsErrorCode::ResourceExists,
                format!(
                    "You can't use ClientRequestToken {id} because that value is already in use for a version of secret {}.",
                    self.arn
                ),
            ));
        }
        let version = Version {
            value,
            created_at_ms: now_ms,
            labels: BTreeSet::new(),
        };
        self.versions.insert(id.to_owned(), version);
        for label in labels {
            self.give(label, id);
        }
        self.changed_at_ms = now_ms;
        self.forget_unlabelled();
        Ok(())
    }

    /// Moves a label to another version, or removes it.
    pub(super) fn move_label(
        &mut self,
        label: &str,
        from: Option<&str>,
        to: Option<&str>,
        now_ms: u64,
    ) -> Result<(), SecretsError> {
        for id in [from, to].into_iter().flatten() {
            self.version(Some(id), None)?;
        }
        let holder = self.holder(label).cloned();
        if to.is_some() && holder.as_deref() == to {
            return Ok(());
        }
        match (from, &holder) {
            (None, Some(holder)) => {
                return Err(SecretsError::invalid(format!(
                    "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
                )));
            }
            (Some(from), holder) if holder.as_deref() != Some(from) => {
                return Err(SecretsError::invalid(format!(
                    "You can't remove staging label {label} from version {from} because it isn't currently attached to that version."
                )));
            }
            _ => {}
        }
        match to {
            Some(to) => self.give(label, to),
            None if label == CURRENT => {
                return Err(SecretsError::invalid(format!(
                    "You can only move staging label {CURRENT} to a different secret version. It can't be completely removed."
                )));
            }
            None => drop(self.take(label)),
        }
        self.changed_at_ms = now_ms;
        Ok(())
    }

    fn give(&mut self, label: &str, id: &str) {
        let before = self.take(label);
        if let Some(version) = self.versions.get_mut(id) {
            version.labels.insert(label.to_owned());
        }
        if let Some(before) = before.filter(|before| label == CURRENT && before != id) {
            self.give(PREVIOUS, &before);
        }
    }

    /// Removes a label from its version.
    fn take(&mut self, label: &str) -> Option<String> {
        let holder = self.holder(label)?.clone();
        if let Some(version) = self.versions.get_mut(&holder) {
            version.labels.remove(label);
        }
        Some(holder)
    }

    /// Id of the version with this label.
    fn holder(&self, label: &str) -> Option<&String> {
        let mut versions = self.versions.iter();
        versions
            .find(|(_, version)| version.labels.contains(label))
            .map(|(id, _)| id)
    }

    fn forget_unlabelled(&mut self) {
        while self.versions.len() > VERSIONS_LIMIT {
            let unlabelled = self.versions.iter().filter(|(_, version)| version.labels.is_empty());
            let Some((oldest, _)) = unlabelled.min_by_key(|(_, version)| version.created_at_ms) else {
                return;
            };
            let oldest = oldest.clone();
            self.versions.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> SecretValue {
        SecretValue::Text(value.to_owned())
    }

    fn current() -> Vec<String> {
        vec![CURRENT.to_owned()]
    }

    fn secret(ids: &[&str]) -> StoredSecret {
        let mut secret = StoredSecret::new("arn".to_owned(), "name".to_owned(), None, 0);
        for (now_ms, id) in (1..).zip(ids) {
            secret.put(id, text(id), &current(), now_ms).unwrap();
        }
        secret
    }

    /// The value of the version with this label, or the error.
    fn with(secret: &StoredSecret, label: &str) -> String {
        let found = secret.version(None, Some(label));
        found.map_or_else(|error| error.message, |(id, _)| id.clone())
    }

    #[test]
    fn a_new_version_becomes_current_and_the_one_before_previous() {
        assert_eq!(
            with(&secret(&[]), CURRENT),
            "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"
        );
        let one = secret(&["a"]);
        assert_eq!(with(&one, CURRENT), "a");
        assert!(with(&one, PREVIOUS).ends_with("staging label: AWSPREVIOUS"));
        let three = secret(&["a", "b", "c"]);
        assert_eq!(
            (with(&three, CURRENT), with(&three, PREVIOUS)),
            ("c".into(), "b".into())
        );
        assert!(three.versions["a"].labels.is_empty());
    }

    #[test]
    fn a_version_with_other_labels_does_not_become_current() {
        let mut secret = secret(&["a"]);
        secret.put("b", text("b"), &["AWSPENDING".to_owned()], 2).unwrap();
        assert_eq!(
            (with(&secret, CURRENT), with(&secret, "AWSPENDING")),
            ("a".into(), "b".into())
        );
    }

    #[test]
    fn the_same_put_again_changes_nothing_and_another_value_is_refused() {
        let mut secret = secret(&["a", "b"]);
        secret.put("a", text("a"), &current(), 9).unwrap();
        assert_eq!((with(&secret, CURRENT), secret.changed_at_ms), ("b".into(), 2));
        let refused = secret.put("a", text("other"), &current(), 9).unwrap_err();
        assert_eq!(refused.code, SecretsErrorCode::ResourceExists);
        assert_eq!(secret.versions["a"].value, text("a"));
    }

    #[test]
    fn a_version_is_found_by_id_and_label_if_they_match() {
        let secret = secret(&["a", "b"]);
        assert_eq!(secret.version(Some("a"), Some(PREVIOUS)).unwrap().0, "a");
        assert_eq!(
            secret.version(Some("a"), Some(CURRENT)).unwrap_err().code,
            SecretsErrorCode::InvalidRequest
        );
        assert_eq!(
            secret.version(Some("x"), None).unwrap_err().message,
            "Secrets Manager can't find the specified secret value for VersionId: x"
        );
    }

    #[test]
    fn a_label_moves_away_from_the_version_that_has_it() {
        let mut secret = secret(&["a", "b"]);
        let refused = secret.move_label(CURRENT, None, Some("a"), 9).unwrap_err();
        assert!(
            refused
                .message
                .starts_with("The parameter RemoveFromVersionId can't be empty.")
        );
        assert!(
            secret.move_label(CURRENT, Some("a"), Some("b"), 9).is_ok(),
            "the label is already there"
        );
        assert!(secret.move_label(PREVIOUS, Some("b"), None, 9).is_err());
        assert!(secret.move_label(CURRENT, Some("b"), None, 9).is_err());
        assert!(secret.move_label(CURRENT, Some("b"), Some("x"), 9).is_err());
        secret.move_label(CURRENT, Some("b"), Some("a"), 9).unwrap();
        assert_eq!(
            (with(&secret, CURRENT), with(&secret, PREVIOUS)),
            ("a".into(), "b".into())
        );
        secret.move_label(PREVIOUS, Some("b"), None, 9).unwrap();
        assert!(with(&secret, PREVIOUS).contains("can't find"));
    }

    #[test]
    fn the_oldest_versions_without_a_label_are_removed() {
        let ids: Vec<String> = (0..103).map(|number| format!("{number:03}")).collect();
        let secret = secret(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(secret.versions.len(), VERSIONS_LIMIT);
        assert!(!secret.versions.contains_key("002") && secret.versions.contains_key("003"));
    }
}
