//! The first value of a secret, as defined by a template.

use serde_json::{Map, Value};

use super::password::Recipe;

/// The first value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstValue {
    /// None: the secret has no version.
    None,
    /// `SecretString`.
    Given(String),
    /// `GenerateSecretString`: a password.
    Password(Recipe),
    /// `GenerateSecretString` with `SecretStringTemplate` and `GenerateStringKey`: this object,
    /// with a password at this key.
    Object(Recipe, Map<String, Value>, String),
}

impl FirstValue {
    /// Creates the value, with a new password on each call.
    pub(super) fn make(&self) -> Result<Option<String>, &'static str> {
        Ok(match self {
            Self::None => None,
            Self::Given(text) => Some(text.clone()),
            Self::Password(recipe) => Some(recipe.password()?),
            Self::Object(recipe, object, key) => {
                let mut object = object.clone();
                object.insert(key.clone(), Value::String(recipe.password()?));
                Some(Value::Object(object).to_string())
            }
        })
    }
}
