//! Secrets.

use super::*;

#[test]
fn a_secret_has_a_name_an_arn_and_a_first_value() {
    let rest = "  Made:
    Type: AWS::SecretsManager::Secret
    Properties:
      Description: a key
      GenerateSecretString: { PasswordLength: '64', ExcludePunctuation: true }
      KmsKeyId: alias/aws/secretsmanager
      Tags: [{ Key: a, Value: b }]
  Given: { Type: AWS::SecretsManager::Secret, Properties: { Name: app/given, SecretString: !Ref Made } }
  Account:
    Type: AWS::SecretsManager::Secret
    Properties:
      GenerateSecretString: { SecretStringTemplate: '{\"user\": \"ada\"}', GenerateStringKey: password }
  Empty: { Type: AWS::SecretsManager::Secret }
Outputs:
  Made: { Value: !Ref Made }
  Same: { Value: !GetAtt Made.Id }
";
    let stack = read_text(&resources(rest)).unwrap();
    let [made, given, account, empty] = &stack.secrets[..] else {
        panic!("{:?}", stack.secrets)
    };
    let arn = &stack.outputs["Made"];
    assert_eq!((arn, &stack.outputs["Same"]), (&made.arn, &made.arn));
    let added = arn.strip_prefix("arn:aws:secretsmanager:us-east-1:000000000000:secret:local-Made-");
    assert_eq!(added.map(str::len), Some(6), "{arn}");
    assert_eq!(
        (made.name.as_str(), made.description.as_deref()),
        ("local-Made", Some("a key"))
    );
    let recipe = Recipe {
        password_length: 64,
        exclude_punctuation: true,
        ..Recipe::default()
    };
    assert_eq!(made.value, FirstValue::Password(recipe));
    assert_eq!(
        (given.name.as_str(), &given.value),
        ("app/given", &FirstValue::Given(arn.clone()))
    );
    let FirstValue::Object(_, object, key) = &account.value else {
        panic!("{:?}", account.value)
    };
    assert_eq!((&object["user"], key.as_str()), (&json!("ada"), "password"));
    assert_eq!(empty.value, FirstValue::None);
}

#[test]
fn each_bad_secret_has_its_message() {
    let secret = |properties: &str| {
        resources(&format!(
            "  S: {{ Type: AWS::SecretsManager::Secret, Properties: {properties} }}\n"
        ))
    };
    let generated = |properties: &str| secret(&format!("{{ GenerateSecretString: {properties} }}"));
    check_problems([
        (secret("{ Type: other }"), "S: Type: is not supported"),
        (
            secret("{ SecretString: a, GenerateSecretString: {} }"),
            "S: GenerateSecretString: there is a SecretString too; leave one of them out",
        ),
        (
            generated("{ Length: 5 }"),
            "S: GenerateSecretString.Length: is not supported",
        ),
        (
            generated("{ PasswordLength: 5000 }"),
            "S: GenerateSecretString.PasswordLength: 5000 is not a whole number from 1 to 4096",
        ),
        (
            generated("{ PasswordLength: 2 }"),
            "S: GenerateSecretString.PasswordLength: Password length is too short based on the required types.",
        ),
        (
            generated("{ SecretStringTemplate: '{}' }"),
            "S: GenerateSecretString.GenerateStringKey: is missing; SecretStringTemplate needs it",
        ),
        (
            generated("{ GenerateStringKey: a }"),
            "S: GenerateSecretString.SecretStringTemplate: is missing; GenerateStringKey needs it",
        ),
    ]);
    let problems = read_text(&generated("{ SecretStringTemplate: '[]', GenerateStringKey: a }")).unwrap_err();
    assert!(problems[0].starts_with("S: GenerateSecretString.SecretStringTemplate: it is not a JSON object: "));
}
