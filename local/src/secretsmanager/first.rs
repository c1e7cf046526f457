//! The first value of a secret, as a template says it.

use serde_json::{Map, Value};

use super::password::Recipe;

/// What a secret begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstValue {
    /// Nothing: it has no version.
    None,
    /// `SecretString`.
    Given(String),
    /// `GenerateSecretString`: a password.
    Password(Recipe),
    /// `GenerateSecretString` with `SecretStringTemplate` and `GenerateStringKey`: this object, with a password under this key.
    Object(Recipe, Map<String, Value>, String),
}

impl FirstValue {
    /// The value, made up anew each time; or why there can be none.
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
