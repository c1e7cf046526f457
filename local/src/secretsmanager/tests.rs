use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use serde_json::{Value as Json, json};

const ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:local-Key-a1b2c3";

fn declared(value: FirstValue) -> model::Secret {
    model::Secret {
        logical_id: "Key".to_owned(),
        name: "local-Key".to_owned(),
        arn: ARN.to_owned(),
        description: Some("a key".to_owned()),
        value,
    }
}

fn clock() -> Clock {
    let now_ms = AtomicU64::new(1_700_000_000_000);
    Arc::new(move || now_ms.fetch_add(500, Ordering::Relaxed))
}

fn start(value: FirstValue) -> SecretsManager {
    SecretsManager::start(None, &[declared(value)], clock()).unwrap()
}

fn given() -> SecretsManager {
    start(FirstValue::Given("one".to_owned()))
}

fn token(digit: char) -> String {
    std::iter::repeat_n(digit, 32).collect()
}

fn call(secrets: &SecretsManager, operation: &str, request: &Json) -> Result<Json, SecretsError> {
    secrets.call(operation, request.to_string().as_bytes())
}

fn put(secrets: &SecretsManager, value: &str, digit: char) -> Json {
    let request = json!({"SecretId": ARN, "SecretString": value, "ClientRequestToken": token(digit)});
    call(secrets, "PutSecretValue", &request).unwrap()
}

fn get(secrets: &SecretsManager, stage: Option<&str>) -> Result<String, SecretsError> {
    let mut request = json!({"SecretId": "local-Key"});
    if let Some(stage) = stage {
        request["VersionStage"] = json!(stage);
    }
    let answer = call(secrets, "GetSecretValue", &request)?;
    Ok(answer["SecretString"].as_str().unwrap().to_owned())
}

#[test]
fn a_secret_is_read_by_its_name_its_arn_and_its_arn_without_the_six_characters() {
    let secrets = given();
    let answer = call(&secrets, "GetSecretValue", &json!({"SecretId": ARN})).unwrap();
    assert_eq!(
        (
            &answer["ARN"],
            &answer["Name"],
            &answer["SecretString"],
            &answer["VersionStages"]
        ),
        (&json!(ARN), &json!("local-Key"), &json!("one"), &json!(["AWSCURRENT"]))
    );
    assert_eq!(answer["CreatedDate"], json!(1_700_000_000.0));
    assert_eq!(answer["VersionId"].as_str().unwrap().len(), 36);
    for id in ["local-Key", ARN.strip_suffix("-a1b2c3").unwrap()] {
        assert_eq!(
            call(&secrets, "GetSecretValue", &json!({"SecretId": id})),
            Ok(answer.clone())
        );
    }
    for id in ["Key", "local-Key-a1b2c3", &ARN[..ARN.len() - 1], ""] {
        let refused = call(&secrets, "GetSecretValue", &json!({"SecretId": id})).unwrap_err();
        assert_eq!(refused, SecretsError::no_secret(), "{id}");
    }
}

#[test]
fn a_new_value_becomes_current_and_the_one_before_previous() {
    let secrets = given();
    assert_eq!(
        get(&secrets, Some(PREVIOUS)).unwrap_err().code,
        SecretsErrorCode::ResourceNotFound
    );
    let answer = put(&secrets, "two", '2');
    assert_eq!(
        answer,
        json!({"ARN": ARN, "Name": "local-Key", "VersionId": token('2'), "VersionStages": ["AWSCURRENT"]})
    );
    assert_eq!(
        (get(&secrets, None).unwrap(), get(&secrets, Some(PREVIOUS)).unwrap()),
        ("two".into(), "one".into())
    );
    put(&secrets, "three", '3');
    put(&secrets, "two", '2');
    assert_eq!(get(&secrets, None).unwrap(), "three", "repeating a put changes nothing");
    assert_eq!(get(&secrets, Some(PREVIOUS)).unwrap(), "two");
}

#[test]
fn an_invalid_put_is_refused_with_its_error_code() {
    let secrets = given();
    let refused = |request: Json| call(&secrets, "PutSecretValue", &request).unwrap_err().code;
    assert_eq!(refused(json!({"SecretId": ARN})), SecretsErrorCode::InvalidRequest);
    assert_eq!(
        refused(json!({"SecretId": ARN, "SecretString": "a", "SecretBinary": "YQ=="})),
        SecretsErrorCode::InvalidRequest
    );
    assert_eq!(
        refused(json!({"SecretId": ARN, "SecretString": "a", "ClientRequestToken": "short"})),
        SecretsErrorCode::InvalidParameter
    );
    assert_eq!(
        refused(json!({"SecretId": ARN, "SecretString": "a", "VersionStages": []})),
        SecretsErrorCode::InvalidParameter
    );
    assert_eq!(
        refused(json!({"SecretId": ARN, "SecretString": "x".repeat(65_537)})),
        SecretsErrorCode::InvalidParameter
    );
    assert_eq!(
        refused(json!({"SecretId": ARN, "SecretBinary": "?"})),
        SecretsErrorCode::Serialization
    );
    assert_eq!(
        refused(json!({"SecretId": "other", "SecretString": "a"})),
        SecretsErrorCode::ResourceNotFound
    );
    assert_eq!(refused(json!({})), SecretsErrorCode::Serialization);
    assert_eq!(get(&secrets, None).unwrap(), "one");
}

#[test]
fn binary_values_are_supported() {
    let secrets = given();
    let request = json!({"SecretId": ARN, "SecretBinary": "AP8="});
    call(&secrets, "PutSecretValue", &request).unwrap();
    let answer = call(&secrets, "GetSecretValue", &json!({"SecretId": ARN})).unwrap();
    assert_eq!(
        (&answer["SecretBinary"], &answer["SecretString"]),
        (&json!("AP8="), &Json::Null)
    );
}

#[test]
fn a_secret_is_described_and_listed_without_its_value() {
    let secrets = given();
    put(&secrets, "two", '2');
    put(&secrets, "three", '3');
    let described = call(&secrets, "DescribeSecret", &json!({"SecretId": ARN})).unwrap();
    assert_eq!(
        described["VersionIdsToStages"],
        json!({token('2'): ["AWSPREVIOUS"], token('3'): ["AWSCURRENT"]})
    );
    assert_eq!(described["Description"], "a key");
    let listed = call(&secrets, "ListSecrets", &json!({})).unwrap();
    assert_eq!(
        listed["SecretList"][0]["SecretVersionsToStages"],
        described["VersionIdsToStages"]
    );
    assert!(
        ![&described, &listed]
            .iter()
            .any(|answer| answer.to_string().contains("three"))
    );
}

#[test]
fn a_label_can_be_moved_back() {
    let secrets = given();
    put(&secrets, "two", '2');
    put(&secrets, "three", '3');
    let request = json!({
        "SecretId": ARN, "VersionStage": CURRENT, "RemoveFromVersionId": token('3'), "MoveToVersionId": token('2'),
    });
    call(&secrets, "UpdateSecretVersionStage", &request).unwrap();
    assert_eq!(
        (get(&secrets, None).unwrap(), get(&secrets, Some(PREVIOUS)).unwrap()),
        ("two".into(), "three".into())
    );
    let nothing = json!({"SecretId": ARN, "VersionStage": CURRENT});
    assert_eq!(
        call(&secrets, "UpdateSecretVersionStage", &nothing).unwrap_err().code,
        SecretsErrorCode::InvalidParameter
    );
}

#[test]
fn passwords_are_generated_and_unknown_operations_are_refused() {
    let secrets = given();
    let request = json!({"PasswordLength": 64, "ExcludePunctuation": true});
    let password = call(&secrets, "GetRandomPassword", &request).unwrap();
    let password = password["RandomPassword"].as_str().unwrap();
    assert!(password.len() == 64 && password.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!(
        call(&secrets, "CreateSecret", &json!({})).unwrap_err().code,
        SecretsErrorCode::UnknownOperation
    );
}

#[test]
fn a_first_value_is_given_generated_or_part_of_an_object() {
    let recipe = Recipe {
        exclude_punctuation: true,
        ..Recipe::default()
    };
    let password = get(&start(FirstValue::Password(recipe.clone())), None).unwrap();
    assert!(password.len() == 32 && password.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let object = json!({"user": "ada"}).as_object().unwrap().clone();
    let text = get(
        &start(FirstValue::Object(recipe.clone(), object, "password".to_owned())),
        None,
    )
    .unwrap();
    let object: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&object["user"], object["password"].as_str().unwrap().len()),
        (&json!("ada"), 32)
    );
    assert_eq!(
        get(&start(FirstValue::None), None).unwrap_err().code,
        SecretsErrorCode::ResourceNotFound
    );
    let impossible = FirstValue::Password(Recipe {
        password_length: 0,
        ..recipe
    });
    assert!(SecretsManager::start(None, &[declared(impossible)], clock()).is_err());
}

#[test]
fn values_survive_a_restart_and_are_not_generated_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secretsmanager.json");
    let start = || {
        let declared = [declared(FirstValue::Password(Recipe::default()))];
        SecretsManager::start(Some(&file), &declared, clock()).unwrap()
    };
    let first = get(&start(), None).unwrap();
    assert_eq!(get(&start(), None).unwrap(), first);
    put(&start(), "two", '2');
    assert_eq!(
        (get(&start(), None).unwrap(), get(&start(), Some(PREVIOUS)).unwrap()),
        ("two".into(), first)
    );
}

#[test]
fn a_change_that_cannot_be_written_has_no_effect() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secretsmanager.json");
    let secrets =
        SecretsManager::start(Some(&file), &[declared(FirstValue::Given("one".to_owned()))], clock()).unwrap();
    directory.close().unwrap();
    let request = json!({"SecretId": ARN, "SecretString": "two"});
    assert_eq!(
        call(&secrets, "PutSecretValue", &request).unwrap_err().code,
        SecretsErrorCode::InternalServiceError
    );
    assert_eq!(get(&secrets, None).unwrap(), "one");
}
