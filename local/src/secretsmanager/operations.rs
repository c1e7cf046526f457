//! The operations of the API, from JSON to JSON:
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};

use super::error::{SecretsError, SecretsErrorCode};
use super::password::Recipe;
use super::secret::{CURRENT, SecretValue, StoredSecret};
use super::{SecretsManager, request_id};

/// Largest value of a version, in bytes.
const VALUE_LIMIT_BYTES: usize = 65_536;

/// Most labels of a version.
const LABELS_LIMIT: usize = 20;

/// The operations that the stack has.
pub(crate) const OPERATIONS: [&str; 6] = [
    "DescribeSecret",
    "GetRandomPassword",
    "GetSecretValue",
    "ListSecrets",
    "PutSecretValue",
    "UpdateSecretVersionStage",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutSecretValue {
    secret_id: String,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    version_stages: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeSecret {
    secret_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateSecretVersionStage {
    secret_id: String,
    version_stage: String,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
}

/// Whether the stack has this operation.
pub(crate) fn is_known(operation: &str) -> bool {
    OPERATIONS.contains(&operation)
}

impl SecretsManager {
    /// Answers one call of the API.
    ///
    /// # Errors
    /// The errors of the API.
    pub fn call(&self, operation: &str, body: &[u8]) -> Result<Json, SecretsError> {
        match operation {
            "GetSecretValue" => self.get_secret_value(&parse(body)?),
            "PutSecretValue" => self.put_secret_value(parse(body)?),
            "DescribeSecret" => self.with(&parse::<DescribeSecret>(body)?.secret_id, |secret| {
                Ok(described(secret))
            }),
            "UpdateSecretVersionStage" => self.update_secret_version_stage(&parse(body)?),
            "ListSecrets" => self.list_secrets(body),
            "GetRandomPassword" => {
                let password = parse::<Recipe>(body)?.password().map_err(SecretsError::invalid)?;
                Ok(json!({"RandomPassword": password}))
            }
            other => Err(SecretsError::new(
                SecretsErrorCode::UnknownOperation,
                format!(
                    "the local stack does not have the operation {other}; it has {}",
                    OPERATIONS.join(", ")
                ),
            )),
        }
    }

    fn get_secret_value(&self, request: &GetSecretValue) -> Result<Json, SecretsError> {
        self.with(&request.secret_id, |secret| {
            let (id, version) = secret.version(request.version_id.as_deref(), request.version_stage.as_deref())?;
            let (member, value) = match &version.value {
                SecretValue::Text(text) => ("SecretString", text),
                SecretValue::Binary(base64) => ("SecretBinary", base64),
            };
            Ok(json!({
                "ARN": secret.arn,
                "CreatedDate": seconds(version.created_at_ms),
                "Name": secret.name,
                member: value,
                "VersionId": id,
                "VersionStages": version.labels,
            }))
        })
    }

    fn put_secret_value(&self, request: PutSecretValue) -> Result<Json, SecretsError> {
        let value = value(request.secret_string, request.secret_binary)?;
        let id = request.client_request_token.unwrap_or_else(request_id);
        if !(32..=64).contains(&id.len()) {
            return Err(SecretsError::invalid(
                "ClientRequestToken must be 32-64 characters long.",
            ));
        }
        let labels = request.version_stages.unwrap_or_else(|| vec![CURRENT.to_owned()]);
        if !(1..=LABELS_LIMIT).contains(&labels.len()) {
            return Err(SecretsError::invalid(format!(
                "VersionStages must have 1 to {LABELS_LIMIT} labels."
            )));
        }
        self.change(&request.secret_id, |secret, now_ms| {
            secret.put(&id, value, &labels, now_ms)?;
            let (_, version) = secret.version(Some(&id), None)?;
            Ok(json!({"ARN": secret.arn, "Name": secret.name, "VersionId": id, "VersionStages": version.labels}))
        })
    }

    fn update_secret_version_stage(&self, request: &UpdateSecretVersionStage) -> Result<Json, SecretsError> {
        let (from, to) = (&request.remove_from_version_id, &request.move_to_version_id);
        if from.is_none() && to.is_none() {
            return Err(SecretsError::invalid(
                "You must specify RemoveFromVersionId, MoveToVersionId, or both.",
            ));
        }
        self.change(&request.secret_id, |secret, now_ms| {
            secret.move_label(&request.version_stage, from.as_deref(), to.as_deref(), now_ms)?;
            Ok(json!({"ARN": secret.arn, "Name": secret.name}))
        })
    }

    /// All secrets on one page: a template has few.
    fn list_secrets(&self, body: &[u8]) -> Result<Json, SecretsError> {
        let request: Map<String, Json> = parse(body)?;
        if request.get("Filters").is_some_and(|filters| *filters != json!([])) {
            return Err(SecretsError::invalid(
                "The local stack does not support Filters; leave it out to list all secrets.",
            ));
        }
        let listed = |secret: &StoredSecret| {
            let mut listed = described(secret);
            if let Some(members) = listed.as_object_mut()
                && let Some(versions) = members.remove("VersionIdsToStages")
            {
                members.insert("SecretVersionsToStages".to_owned(), versions);
            }
            listed
        };
        let secrets: Vec<Json> = self.secrets().values().map(listed).collect();
        Ok(json!({"SecretList": secrets}))
    }
}

/// A value of the right size, as text or as bytes.
fn value(text: Option<String>, binary: Option<String>) -> Result<SecretValue, SecretsError> {
    let (value, bytes) = match (text, binary) {
        (Some(text), None) => {
            let bytes = text.len();
            (SecretValue::Text(text), bytes)
        }
        (None, Some(binary)) => {
            let bytes = STANDARD.decode(&binary).map_err(|error| {
                SecretsError::new(
                    SecretsErrorCode::Serialization,
                    format!("SecretBinary is not base64: {error}"),
                )
            })?;
            (SecretValue::Binary(binary), bytes.len())
        }
        (None, None) => {
            return Err(SecretsError::new(
                SecretsErrorCode::InvalidRequest,
                "You must provide either SecretString or SecretBinary.",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(SecretsError::new(
                SecretsErrorCode::InvalidRequest,
                "You can't provide both SecretString and SecretBinary.",
            ));
        }
    };
    if !(1..=VALUE_LIMIT_BYTES).contains(&bytes) {
        return Err(SecretsError::invalid(format!(
            "A secret value has 1 to {VALUE_LIMIT_BYTES} bytes."
        )));
    }
    Ok(value)
}

/// The members of `DescribeSecret`, which leaves out versions without a label.
fn described(secret: &StoredSecret) -> Json {
    let labelled = secret.versions.iter().filter(|(_, version)| !version.labels.is_empty());
    let stages: Map<String, Json> = labelled
        .map(|(id, version)| (id.clone(), json!(version.labels)))
        .collect();
    let mut described = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "CreatedDate": seconds(secret.created_at_ms),
        "LastChangedDate": seconds(secret.changed_at_ms),
        "VersionIdsToStages": stages,
    });
    if let Some(description) = &secret.description {
        described["Description"] = json!(description);
    }
    described
}

/// Times are seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 ms")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, SecretsError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| SecretsError::new(SecretsErrorCode::Serialization, error.to_string()))
}
