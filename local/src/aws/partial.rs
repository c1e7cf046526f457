//! Batches with entries that fail on purpose: these are removed from the request and added to the
//! answer in the form of AWS.
//!
//! | request | how the answer shows failed entries |
//! |---|---|
//! | `BatchExecuteStatement` | an `Error` instead of a response |
//! | `BatchGetItem`, `BatchWriteItem` | in `UnprocessedKeys`, `UnprocessedItems` |
//! | `SendMessageBatch` and the other batches of SQS | in `Failed` |

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::faults::Service;

/// DynamoDB's message when it throttles.
pub(super) const THROTTLED: &str = "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table or index so please try again shortly.";

/// The entries that fail.
#[derive(Debug, PartialEq)]
pub(super) enum Partial {
    /// Indexes of statements.
    Statements(Vec<usize>),
    /// Keys or requests by table, with the name that they have in the answer.
    Keys {
        name: &'static str,
        unprocessed: Map<String, Value>,
    },
    /// Ids of entries.
    Entries(Vec<Value>),
}

/// Splits a request into the rest (`None` if nothing is left) and the entries that fail. Entries
/// are numbered from 0. Returns `None` if no entry fails.
pub(super) fn split(
    service: Service,
    operation: &str,
    body: &[u8],
    mut fails: impl FnMut(usize) -> bool,
) -> Option<(Option<Bytes>, Partial)> {
    if !operation.contains("Batch") {
        return None;
    }
    let mut request: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let (is_empty, partial) = match (service, operation) {
        (Service::DynamoDb, "BatchExecuteStatement") => {
            let statements = request.get_mut("Statements")?.as_array_mut()?;
            let failing: Vec<usize> = (0..statements.len()).filter(|index| fails(*index)).collect();
            remove(statements, &failing);
            (statements.is_empty(), Partial::Statements(failing))
        }
        (Service::DynamoDb, "BatchGetItem" | "BatchWriteItem") => {
            let tables = request.get_mut("RequestItems")?.as_object_mut()?;
            let unprocessed = unprocessed(tables, &mut fails)?;
            let name = if operation == "BatchGetItem" {
                "UnprocessedKeys"
            } else {
                "UnprocessedItems"
            };
            (tables.is_empty(), Partial::Keys { name, unprocessed })
        }
        (Service::Sqs, _) => {
            let entries = request.get_mut("Entries")?.as_array_mut()?;
            let failing: Vec<usize> = (0..entries.len()).filter(|index| fails(*index)).collect();
            let removed = remove(entries, &failing);
            let ids = removed.iter().map(|entry| entry["Id"].clone()).collect();
            (entries.is_empty(), Partial::Entries(ids))
        }
        _ => return None,
    };
    if partial.is_empty() {
        return None;
    }
    let rest = (!is_empty).then(|| Bytes::from(Value::Object(request).to_string()));
    Some((rest, partial))
}

/// Removes the entries that fail, and tables that have no entries left.
fn unprocessed(tables: &mut Map<String, Value>, fails: &mut impl FnMut(usize) -> bool) -> Option<Map<String, Value>> {
    let mut unprocessed = Map::new();
    let mut number = 0;
    for (table, asked) in tables.iter_mut() {
        // For reads, the keys are a member of an object with other members; for writes, the list is
        // the value itself.
        let mut failed = asked.clone();
        let entries = match asked {
            Value::Object(asked) => asked.get_mut("Keys")?.as_array_mut()?,
            other => other.as_array_mut()?,
        };
        let failing: Vec<usize> = (0..entries.len()).filter(|index| fails(number + index)).collect();
        number += entries.len();
        let removed = remove(entries, &failing);
        if removed.is_empty() {
            continue;
        }
        match &mut failed {
            Value::Object(failed) => drop(failed.insert("Keys".to_owned(), Value::Array(removed))),
            other => *other = Value::Array(removed),
        }
        unprocessed.insert(table.clone(), failed);
    }
    tables.retain(|_, asked| {
        let entries = asked.get("Keys").unwrap_or(asked);
        entries.as_array().is_some_and(|entries| !entries.is_empty())
    });
    Some(unprocessed)
}

/// Removes the elements with these indexes and returns them.
fn remove(elements: &mut Vec<Value>, indexes: &[usize]) -> Vec<Value> {
    let all = std::mem::take(elements);
    let (mut removed, mut index) = (Vec::new(), 0);
    for element in all {
        let to = if indexes.contains(&index) {
            &mut removed
        } else {
            &mut *elements
        };
        to.push(element);
        index += 1;
    }
    removed
}

impl Partial {
    fn is_empty(&self) -> bool {
        match self {
            Self::Statements(indexes) => indexes.is_empty(),
            Self::Keys { unprocessed, .. } => unprocessed.is_empty(),
            Self::Entries(ids) => ids.is_empty(),
        }
    }

    /// Adds the failed entries to the answer for the rest of the request.
    pub(super) fn merge(self, answer: &[u8]) -> Bytes {
        let mut answer: Map<String, Value> = serde_json::from_slice(answer).unwrap_or_default();
        match self {
            Self::Statements(indexes) => {
                let responses = list(&mut answer, "Responses");
                for index in indexes {
                    let error = json!({"Error": {"Code": "ThrottlingError", "Message": THROTTLED}});
                    responses.insert(index.min(responses.len()), error);
                }
            }
            Self::Keys { name, unprocessed } => {
                let known = answer.entry(name).or_insert_with(|| json!({}));
                for (table, failed) in unprocessed {
                    add(&mut known[table.as_str()], failed);
                }
            }
            Self::Entries(ids) => {
                list(&mut answer, "Successful");
                list(&mut answer, "Failed").extend(ids.into_iter().map(|id| {
                    let message = "We encountered an internal error. Please try again.";
                    json!({"Id": id, "SenderFault": false, "Code": "InternalError", "Message": message})
                }));
            }
        }
        Bytes::from(Value::Object(answer).to_string())
    }
}

/// The list with this name; an empty one is added if it is missing.
fn list<'a>(answer: &'a mut Map<String, Value>, name: &str) -> &'a mut Vec<Value> {
    let value = answer.entry(name).or_insert_with(|| json!([]));
    if !value.is_array() {
        *value = json!([]);
    }
    value.as_array_mut().expect("it is an array by now")
}

/// Adds keys or requests to those that the engine itself did not process.
fn add(known: &mut Value, failed: Value) {
    let more = match &failed {
        Value::Object(failed) => failed.get("Keys").cloned(),
        other => Some(other.clone()),
    };
    let entries = if known.is_object() {
        &mut known["Keys"]
    } else {
        &mut *known
    };
    match (entries, more) {
        (Value::Array(entries), Some(Value::Array(more))) => entries.extend(more),
        _ => *known = failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_json(service: Service, operation: &str, request: &Value, failing: &[usize]) -> Option<(Value, Partial)> {
        let body = request.to_string();
        let (rest, partial) = split(service, operation, body.as_bytes(), |entry| failing.contains(&entry))?;
        let rest = rest.map_or(Value::Null, |rest| serde_json::from_slice(&rest).unwrap());
        Some((rest, partial))
    }

    fn merged(partial: Partial, answer: &Value) -> Value {
        serde_json::from_slice(&partial.merge(answer.to_string().as_bytes())).unwrap()
    }

    #[test]
    fn a_failing_statement_has_an_error_at_its_index() {
        let request = json!({"Statements": [{"Statement": "a"}, {"Statement": "b"}, {"Statement": "c"}]});
        let (rest, partial) = split_json(Service::DynamoDb, "BatchExecuteStatement", &request, &[0, 2]).unwrap();
        assert_eq!(rest, json!({"Statements": [{"Statement": "b"}]}));
        let answer = merged(partial, &json!({"Responses": [{"TableName": "b"}]}));
        let codes: Vec<_> = answer["Responses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["Error"]["Code"].clone())
            .collect();
        assert_eq!(codes, [json!("ThrottlingError"), Value::Null, json!("ThrottlingError")]);
        assert_eq!(answer["Responses"][1]["TableName"], "b");
    }

    #[test]
    fn failing_keys_are_unprocessed_and_keep_the_other_members() {
        let request = json!({"RequestItems": {
            "a": {"Keys": [{"k": {"S": "1"}}, {"k": {"S": "2"}}], "ConsistentRead": true},
            "b": {"Keys": [{"k": {"S": "3"}}]},
        }});
        let (rest, partial) = split_json(Service::DynamoDb, "BatchGetItem", &request, &[1, 2]).unwrap();
        assert_eq!(
            rest,
            json!({"RequestItems": {"a": {"Keys": [{"k": {"S": "1"}}], "ConsistentRead": true}}})
        );
        let engine = json!({"Responses": {}, "UnprocessedKeys": {"b": {"Keys": [{"k": {"S": "4"}}]}}});
        assert_eq!(
            merged(partial, &engine)["UnprocessedKeys"],
            json!({
                "b": {"Keys": [{"k": {"S": "4"}}, {"k": {"S": "3"}}]},
                "a": {"Keys": [{"k": {"S": "2"}}], "ConsistentRead": true},
            })
        );
    }

    #[test]
    fn failing_writes_are_unprocessed() {
        let put = |key: &str| json!({"PutRequest": {"Item": {"k": {"S": key}}}});
        let request = json!({"RequestItems": {"a": [put("1"), put("2")]}});
        let (rest, partial) = split_json(Service::DynamoDb, "BatchWriteItem", &request, &[0]).unwrap();
        assert_eq!(rest, json!({"RequestItems": {"a": [put("2")]}}));
        assert_eq!(
            merged(partial, &json!({"UnprocessedItems": {}})),
            json!({"UnprocessedItems": {"a": [put("1")]}})
        );
    }

    #[test]
    fn failing_messages_are_listed_and_the_others_are_sent() {
        let request = json!({"QueueUrl": "q", "Entries": [{"Id": "x"}, {"Id": "y"}]});
        let (rest, partial) = split_json(Service::Sqs, "SendMessageBatch", &request, &[1]).unwrap();
        assert_eq!(rest, json!({"QueueUrl": "q", "Entries": [{"Id": "x"}]}));
        let answer = merged(partial, &json!({"Successful": [{"Id": "x"}]}));
        assert_eq!(answer["Successful"], json!([{"Id": "x"}]));
        assert_eq!(
            (&answer["Failed"][0]["Id"], &answer["Failed"][0]["SenderFault"]),
            (&json!("y"), &json!(false))
        );
    }

    #[test]
    fn nothing_is_left_of_a_batch_that_fails_as_a_whole() {
        let request = json!({"Entries": [{"Id": "x"}]});
        let (rest, partial) = split_json(Service::Sqs, "SendMessageBatch", &request, &[0]).unwrap();
        assert_eq!(rest, Value::Null);
        assert_eq!(merged(partial, &json!({}))["Successful"], json!([]));
        let request = json!({"RequestItems": {"a": {"Keys": [{}]}}});
        assert_eq!(
            split_json(Service::DynamoDb, "BatchGetItem", &request, &[0]).unwrap().0,
            Value::Null
        );
    }

    #[test]
    fn batches_without_failures_and_other_requests_stay_unchanged() {
        let request = json!({"Entries": [{"Id": "x"}]});
        assert_eq!(split_json(Service::Sqs, "SendMessageBatch", &request, &[]), None);
        assert_eq!(split_json(Service::Sqs, "SendMessage", &request, &[0]), None);
        assert_eq!(split(Service::Sqs, "SendMessageBatch", b"no JSON", |_| true), None);
    }
}
