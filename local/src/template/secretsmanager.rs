//! `AWS::SecretsManager::Secret`.

use serde_json::{Map, Value};

use super::error::Problems;
use super::model::Secret;
use super::properties::Properties;
use super::resource::Resource;
use super::scope::Scope;
use super::text;
use crate::secretsmanager::{FirstValue, Recipe};

/// Encryption, and copies in other regions.
const IGNORED: [&str; 3] = ["KmsKeyId", "ReplicaRegions", "Tags"];

const GENERATE: [&str; 10] = [
    "ExcludeCharacters",
    "ExcludeLowercase",
    "ExcludeNumbers",
    "ExcludePunctuation",
    "ExcludeUppercase",
    "GenerateStringKey",
    "IncludeSpace",
    "PasswordLength",
    "RequireEachIncludedType",
    "SecretStringTemplate",
];

/// Reads one secret.
pub(super) fn read(resource: &Resource, scope: &Scope, problems: &Problems) -> Option<Secret> {
    let properties = Properties::new(resource, scope, problems);
    properties.expect_only(
        &["Description", "GenerateSecretString", "Name", "SecretString"],
        &IGNORED,
    );
    let name = problems.report_error(&resource.id, scope.secret_name(resource))?;
    let arn = scope.secret_arn(resource, &name);
    Some(Secret {
        logical_id: resource.id.clone(),
        arn,
        name,
        description: properties.text("Description"),
        value: first_value(&properties)?,
    })
}

fn first_value(properties: &Properties) -> Option<FirstValue> {
    let given = properties.text("SecretString");
    let is_generated = properties.value("GenerateSecretString").is_some();
    match (given, is_generated) {
        (Some(_), true) => {
            properties.report(
                "GenerateSecretString",
                "there is a SecretString too; leave one of them out",
            );
            None
        }
        (Some(given), false) => Some(FirstValue::Given(given)),
        (None, true) => generated(&properties.below("GenerateSecretString")),
        (None, false) => Some(FirstValue::None),
    }
}

fn generated(properties: &Properties) -> Option<FirstValue> {
    properties.expect_only(&GENERATE, &[]);
    let flag = |name: &str, default: bool| properties.value(name).map_or(default, |value| text::flag(&value));
    let recipe = Recipe {
        password_length: properties.number("PasswordLength", 1..=4096).unwrap_or(32),
        exclude_characters: properties.text("ExcludeCharacters").unwrap_or_default(),
        exclude_numbers: flag("ExcludeNumbers", false),
        exclude_punctuation: flag("ExcludePunctuation", false),
        exclude_uppercase: flag("ExcludeUppercase", false),
        exclude_lowercase: flag("ExcludeLowercase", false),
        include_space: flag("IncludeSpace", false),
        require_each_included_type: flag("RequireEachIncludedType", true),
    };
    if let Err(reason) = recipe.password() {
        properties.report("PasswordLength", reason);
        return None;
    }
    match (
        properties.text("SecretStringTemplate"),
        properties.text("GenerateStringKey"),
    ) {
        (None, None) => Some(FirstValue::Password(recipe)),
        (Some(template), Some(key)) => match serde_json::from_str::<Map<String, Value>>(&template) {
            Ok(object) => Some(FirstValue::Object(recipe, object, key)),
            Err(error) => {
                properties.report("SecretStringTemplate", format!("it is not a JSON object: {error}"));
                None
            }
        },
        (Some(_), None) => {
            properties.report("GenerateStringKey", "is missing; SecretStringTemplate needs it");
            None
        }
        (None, Some(_)) => {
            properties.report("SecretStringTemplate", "is missing; GenerateStringKey needs it");
            None
        }
    }
}
