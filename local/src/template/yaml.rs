//! Converts YAML to a JSON value. Short tags (`!Ref`, `!Sub`, …) become their long forms (`Ref`,
//! `Fn::Sub`, …).

use saphyr::{LoadableYamlNode, Scalar, Tag, Yaml};
use serde_json::{Map, Value};

/// Reads exactly one document.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| error.to_string())?;
    match documents.as_slice() {
        [document] => convert(document),
        [] => Err("the file is empty".to_owned()),
        _ => Err("the file holds more than one YAML document".to_owned()),
    }
}

fn convert(node: &Yaml<'_>) -> Result<Value, String> {
    match node {
        Yaml::Value(scalar) => Ok(convert_scalar(scalar)),
        Yaml::Representation(text, ..) => Ok(Value::String(text.to_string())),
        Yaml::Sequence(items) => items.iter().map(convert).collect::<Result<_, _>>().map(Value::Array),
        Yaml::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| Ok((convert_key(key)?, convert(value)?)))
            .collect::<Result<Map<_, _>, String>>()
            .map(Value::Object),
        Yaml::Tagged(tag, inner) => convert_tagged(tag, inner),
        Yaml::Alias(_) | Yaml::BadValue => Err("it has a value that YAML cannot read".to_owned()),
    }
}

fn convert_scalar(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Bool(*value),
        Scalar::Integer(value) => Value::from(*value),
        Scalar::FloatingPoint(value) => {
            serde_json::Number::from_f64(value.0).map_or_else(|| Value::String(value.to_string()), Value::Number)
        }
        Scalar::String(value) => Value::String(value.to_string()),
    }
}

fn convert_key(key: &Yaml<'_>) -> Result<String, String> {
    match convert(key)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        _ => Err("it has a key that is not a plain word".to_owned()),
    }
}

fn convert_tagged(tag: &Tag, inner: &Yaml<'_>) -> Result<Value, String> {
    let argument = convert(inner)?;
    if tag.handle != "!" {
        return Ok(argument);
    }
    let (name, argument) = match tag.suffix.as_str() {
        "Ref" | "Condition" => (tag.suffix.clone(), argument),
        "GetAtt" => ("Fn::GetAtt".to_owned(), split_attribute(argument)),
        "And" | "Base64" | "Cidr" | "Equals" | "FindInMap" | "GetAZs" | "If" | "ImportValue" | "Join" | "Length"
        | "Not" | "Or" | "Select" | "Split" | "Sub" | "ToJsonString" | "Transform" => {
            (format!("Fn::{}", tag.suffix), argument)
        }
        unknown => return Err(format!("there is no intrinsic function !{unknown}")),
    };
    Ok(Value::Object(Map::from_iter([(name, argument)])))
}

/// Splits `A.B.C` into the resource `A` and its attribute `B.C`.
fn split_attribute(argument: Value) -> Value {
    match argument.as_str().and_then(|text| text.split_once('.')) {
        Some((resource, attribute)) => Value::from(vec![resource, attribute]),
        None => argument,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn short_tags_become_long_forms() {
        let value = parse("a: !Ref X\nb: !Sub '${X}'\nc: !GetAtt X.Arn\nd: !If [C, !Ref A, 1]\ne: !Condition C\n");
        assert_eq!(
            value,
            Ok(json!({
                "a": {"Ref": "X"}, "b": {"Fn::Sub": "${X}"}, "c": {"Fn::GetAtt": ["X", "Arn"]},
                "d": {"Fn::If": ["C", {"Ref": "A"}, 1]}, "e": {"Condition": "C"},
            }))
        );
    }

    #[test]
    fn scalars_keep_their_types() {
        assert_eq!(
            parse("[1, 1.5, true, ~, 'yes', 2012-10-17]"),
            Ok(json!([1, 1.5, true, null, "yes", "2012-10-17"]))
        );
    }

    #[test]
    fn an_unknown_tag_is_an_error() {
        assert_eq!(
            parse("a: !Rfe X"),
            Err("there is no intrinsic function !Rfe".to_owned())
        );
    }

    #[test]
    fn a_key_given_twice_is_an_error() {
        assert!(parse("a: 1\na: 2\n").is_err_and(|message| message.contains("duplicated key")));
    }

    #[test]
    fn json_is_yaml() {
        assert_eq!(
            parse(r#"{"a": {"Fn::Join": ["", ["b"]]}}"#),
            Ok(json!({"a": {"Fn::Join": ["", ["b"]]}}))
        );
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,120}|[\\[\\]{}:!&*|>#'\"a \n-]{0,80}") {
            let _ = parse(&text);
        }
    }
}
