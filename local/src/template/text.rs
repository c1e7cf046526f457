//! Template values as text.

use serde_json::Value;

/// Strings, numbers and booleans as text, as `CloudFormation` converts them if a string is
/// expected.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether the value is `true`, or the string `true`.
pub(super) fn flag(value: &Value) -> bool {
    scalar(value).as_deref() == Some("true")
}

/// A list of strings, or a single string.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(scalar).collect(),
        single => scalar(single).into_iter().collect(),
    }
}

/// `a, b, c`, or `none`.
pub(super) fn listed(words: &[impl AsRef<str>]) -> String {
    if words.is_empty() {
        return "none".to_owned();
    }
    words.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

/// What kind of value it is, for an error message.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// A count as a number that can be compared with one of the template.
pub(super) fn to_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
