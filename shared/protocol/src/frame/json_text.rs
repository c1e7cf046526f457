//! What both kinds of JSON frames share.

use serde::Serialize;
use serde_json::Value;

pub(super) fn to_text(data: &impl Serialize) -> String {
    serde_json::to_string(data).expect("our messages have string keys and finite numbers only")
}

/// `data` of a JSON frame: an object, or nothing, which means an empty one.
pub(super) fn object_or_empty(data: Value) -> Option<Value> {
    match data {
        Value::Null => Some(Value::Object(serde_json::Map::new())),
        Value::Object(_) => Some(data),
        _ => None,
    }
}
