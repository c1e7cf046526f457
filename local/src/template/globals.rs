//! `Globals`: properties that a template gives to all resources of a kind.
//!
//! SAM's rules: maps are merged, lists are appended to the global one, and any other value of the
//! resource wins.
//! <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html>

use serde_json::{Map, Value};

use super::resource::ResourceKind;

/// Merges the `globals` for resources of this kind with the resource's own properties.
pub(super) fn merge(globals: &Value, kind: ResourceKind, own: Map<String, Value>) -> Map<String, Value> {
    let section = match kind {
        ResourceKind::Function => "Function",
        ResourceKind::HttpApi => "HttpApi",
        ResourceKind::SimpleTable => "SimpleTable",
        _ => return own,
    };
    match globals.get(section) {
        Some(Value::Object(global)) => merge_maps(global.clone(), own),
        _ => own,
    }
}

fn merge_maps(mut merged: Map<String, Value>, own: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in own {
        let value = match merged.remove(&key) {
            Some(global) => merge_values(global, value),
            None => value,
        };
        merged.insert(key, value);
    }
    merged
}

fn merge_values(global: Value, own: Value) -> Value {
    match (global, own) {
        (Value::Object(global), Value::Object(own)) if !is_function(&global) && !is_function(&own) => {
            Value::Object(merge_maps(global, own))
        }
        (Value::Array(mut global), Value::Array(own)) => {
            global.extend(own);
            Value::Array(global)
        }
        (_, own) => own,
    }
}

fn is_function(map: &Map<String, Value>) -> bool {
    map.keys().any(|key| key == "Ref" || key.starts_with("Fn::"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(global: &Value, own: &Value) -> Value {
        Value::Object(merge(
            &json!({"Function": global}),
            ResourceKind::Function,
            own.as_object().cloned().unwrap(),
        ))
    }

    #[test]
    fn maps_merge_lists_append_and_the_rest_is_overridden() {
        let global = json!({"Timeout": 10, "Layers": ["a"], "Environment": {"Variables": {"A": 1, "B": 2}}});
        let own = json!({"Timeout": 20, "Layers": ["b"], "Environment": {"Variables": {"B": 3}}});
        assert_eq!(
            merged(&global, &own),
            json!({"Timeout": 20, "Layers": ["a", "b"], "Environment": {"Variables": {"A": 1, "B": 3}}})
        );
    }

    #[test]
    fn a_function_call_is_replaced_as_a_whole() {
        let global = json!({"MemorySize": {"Ref": "Small"}});
        assert_eq!(
            merged(&global, &json!({"MemorySize": {"Fn::If": ["C", 1, 2]}})),
            json!({"MemorySize": {"Fn::If": ["C", 1, 2]}})
        );
    }

    #[test]
    fn resources_of_other_kinds_are_left_alone() {
        let own = Map::from_iter([("A".to_owned(), json!(1))]);
        assert_eq!(
            merge(&json!({"Function": {"B": 2}}), ResourceKind::Table, own.clone()),
            own
        );
    }
}
