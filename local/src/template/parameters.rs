//! `Parameters`: their values, given or default, checked against their declarations.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::Problems;
use super::secrets::Secrets;
use super::text;

/// The value of each parameter: a string, or a list of strings for `CommaDelimitedList`.
pub(super) type Values = BTreeMap<String, Value>;

/// Gives every declared parameter its value. A parameter with a problem is left out.
pub(super) fn values(
    declared: &Map<String, Value>,
    given: &BTreeMap<String, String>,
    secrets: &Secrets,
    problems: &Problems,
) -> Values {
    for name in given.keys().filter(|name| !declared.contains_key(*name)) {
        let known: Vec<&str> = declared.keys().map(String::as_str).collect();
        problems.report(
            &format!("parameter {name}"),
            format!("the template has no such parameter; it has {}", text::listed(&known)),
        );
    }
    let value = |(name, declaration): (&String, &Value)| {
        let place = format!("parameter {name}");
        let value = problems.report_error(&place, value(name, declaration, given.get(name), secrets))?;
        Some((name.clone(), value))
    };
    declared.iter().filter_map(value).collect()
}

fn value(name: &str, declaration: &Value, given: Option<&String>, secrets: &Secrets) -> Result<Value, String> {
    let kind = declaration["Type"].as_str().ok_or("Type is missing")?;
    let value = match (given, text::scalar(&declaration["Default"])) {
        (Some(given), _) => given.clone(),
        (None, Some(default)) => default,
        (None, None) if text::flag(&declaration["NoEcho"]) => secrets
            .value(name)
            .map_err(|error| format!("cannot save the generated value: {error}"))?,
        (None, None) => return Err(format!("it has no default; give it with --parameter {name}=VALUE")),
    };
    match kind {
        "String" => check_text(declaration, &value).map(|()| Value::String(value)),
        "Number" => check_number(declaration, &value).map(|()| Value::String(value)),
        "CommaDelimitedList" | "List<Number>" => list(kind, declaration, &value),
        _ => Err(format!(
            "the type {kind} is not supported; String, Number, CommaDelimitedList and List<Number> are"
        )),
    }
}

fn list(kind: &str, declaration: &Value, value: &str) -> Result<Value, String> {
    let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| {
            let check = if kind == "List<Number>" {
                check_number
            } else {
                check_text
            };
            check(declaration, item).map(|()| Value::String(item.to_owned()))
        })
        .collect::<Result<_, _>>()
        .map(Value::Array)
}

fn check_text(declaration: &Value, value: &str) -> Result<(), String> {
    check_allowed(declaration, value)?;
    let length = value.chars().count();
    if let Some(min) = limit(declaration, "MinLength").filter(|min| text::to_f64(length) < *min) {
        return Err(format!(
            "{} has {length} characters, fewer than MinLength {min}",
            shown(declaration, value)
        ));
    }
    if let Some(max) = limit(declaration, "MaxLength").filter(|max| text::to_f64(length) > *max) {
        return Err(format!(
            "{} has {length} characters, more than MaxLength {max}",
            shown(declaration, value)
        ));
    }
    let Some(pattern) = declaration["AllowedPattern"].as_str() else {
        return Ok(());
    };
    let whole = regex_lite::Regex::new(&format!("^(?:{pattern})$"))
        .map_err(|error| format!("AllowedPattern {pattern} cannot be read: {error}"))?;
    if whole.is_match(value) {
        return Ok(());
    }
    Err(format!(
        "{} does not match AllowedPattern {pattern}",
        shown(declaration, value)
    ))
}

fn check_number(declaration: &Value, value: &str) -> Result<(), String> {
    check_allowed(declaration, value)?;
    let number: f64 = value
        .parse()
        .map_err(|_| format!("{} is not a number", shown(declaration, value)))?;
    if let Some(min) = limit(declaration, "MinValue").filter(|min| number < *min) {
        return Err(format!("{} is below MinValue {min}", shown(declaration, value)));
    }
    if let Some(max) = limit(declaration, "MaxValue").filter(|max| number > *max) {
        return Err(format!("{} is above MaxValue {max}", shown(declaration, value)));
    }
    Ok(())
}

fn check_allowed(declaration: &Value, value: &str) -> Result<(), String> {
    let Some(allowed) = declaration["AllowedValues"].as_array() else {
        return Ok(());
    };
    let allowed: Vec<String> = allowed.iter().filter_map(text::scalar).collect();
    if allowed.iter().any(|candidate| candidate == value) {
        return Ok(());
    }
    Err(format!(
        "{} is not one of the AllowedValues {}",
        shown(declaration, value),
        text::listed(&allowed)
    ))
}

fn limit(declaration: &Value, name: &str) -> Option<f64> {
    text::scalar(&declaration[name])?.parse().ok()
}

/// Errors do not repeat a secret.
fn shown(declaration: &Value, value: &str) -> String {
    if text::flag(&declaration["NoEcho"]) {
        "the value".to_owned()
    } else {
        format!("{value:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(declaration: &Value, given: Option<&str>) -> Result<Value, String> {
        value(
            "P",
            declaration,
            given.map(str::to_owned).as_ref(),
            &Secrets::in_memory(),
        )
    }

    #[test]
    fn a_given_value_wins_over_the_default() {
        let declaration = json!({"Type": "String", "Default": "a"});
        assert_eq!(checked(&declaration, Some("b")), Ok(json!("b")));
        assert_eq!(checked(&declaration, None), Ok(json!("a")));
    }

    #[test]
    fn a_list_is_split_at_commas() {
        let declaration = json!({"Type": "CommaDelimitedList", "Default": "a, b"});
        assert_eq!(checked(&declaration, None), Ok(json!(["a", "b"])));
    }

    #[test]
    fn a_secret_without_a_value_is_made_up() {
        let made_up = checked(&json!({"Type": "String", "NoEcho": true, "MinLength": 32}), None).unwrap();
        assert_eq!(made_up.as_str().map(str::len), Some(64));
    }

    #[test]
    fn each_rule_of_a_declaration_is_checked() {
        let cases = [
            (
                json!({"Type": "String"}),
                None,
                "it has no default; give it with --parameter P=VALUE",
            ),
            (json!({}), Some("a"), "Type is missing"),
            (
                json!({"Type": "AWS::EC2::Image::Id"}),
                Some("a"),
                "the type AWS::EC2::Image::Id is not supported; String, Number, CommaDelimitedList and List<Number> are",
            ),
            (
                json!({"Type": "String", "AllowedValues": ["a", "b"]}),
                Some("c"),
                r#""c" is not one of the AllowedValues a, b"#,
            ),
            (
                json!({"Type": "String", "AllowedPattern": "[a-z]{1,3}"}),
                Some("abcd"),
                r#""abcd" does not match AllowedPattern [a-z]{1,3}"#,
            ),
            (
                json!({"Type": "String", "MinLength": 3}),
                Some("ab"),
                r#""ab" has 2 characters, fewer than MinLength 3"#,
            ),
            (
                json!({"Type": "String", "MaxLength": "1"}),
                Some("ab"),
                r#""ab" has 2 characters, more than MaxLength 1"#,
            ),
            (json!({"Type": "Number"}), Some("many"), r#""many" is not a number"#),
            (
                json!({"Type": "Number", "MinValue": 60}),
                Some("59"),
                r#""59" is below MinValue 60"#,
            ),
            (
                json!({"Type": "Number", "MaxValue": 60}),
                Some("61"),
                r#""61" is above MaxValue 60"#,
            ),
            (
                json!({"Type": "String", "NoEcho": true, "MinLength": 32}),
                Some("hunter2"),
                "the value has 7 characters, fewer than MinLength 32",
            ),
        ];
        for (declaration, given, message) in cases {
            assert_eq!(checked(&declaration, given), Err(message.to_owned()), "{declaration}");
        }
    }
}
