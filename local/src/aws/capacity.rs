//! Measures what AWS would bill for each DynamoDB call, without the caller noticing.
//!
//! [`prepare`] asks the engine for capacity figures if the caller did not; [`settle`] reads them
//! and removes them from the answer. Some failed calls have no figures, on AWS neither, and are
//! billed all the same. Their rules are in `local/docs/metering.md`.

use std::collections::BTreeSet;

use bytes::Bytes;
use dynoxide::types::{Item, item_size, write_capacity_units};
use serde_json::{Map, Value, json};

use super::permissions;
use crate::meter::Permission;

/// A request in the form in which it goes to the engine.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The body to forward.
    pub(super) body: Bytes,
    operation: String,
    /// The caller's request, if it is a JSON object.
    request: Option<Map<String, Value>>,
    /// Whether we added the request for capacity figures.
    capacity_added: bool,
    /// Whether we added the request for the existing item.
    item_added: bool,
}

/// What a call costs, and the body that the caller gets.
#[derive(Debug, PartialEq)]
pub(super) struct Settled {
    /// The body of the answer, if it was changed.
    pub(super) body: Option<Bytes>,
    /// Read units.
    pub(super) read_units: f64,
    /// Write units.
    pub(super) write_units: f64,
}

impl Prepared {
    /// The IAM permissions that a role needs for this request.
    pub(super) fn permissions(&self) -> BTreeSet<Permission> {
        let request = self.request.as_ref();
        request.map_or_else(BTreeSet::new, |request| {
            permissions::for_dynamodb(&self.operation, request)
        })
    }
}

/// Adds the request for capacity figures.
pub(super) fn prepare(operation: &str, body: Bytes) -> Prepared {
    let request = serde_json::from_slice::<Map<String, Value>>(&body)
        .ok()
        .filter(|_| reports_capacity(operation));
    let mut prepared = Prepared {
        body,
        operation: operation.to_owned(),
        request,
        capacity_added: false,
        item_added: false,
    };
    let Some(request) = &prepared.request else {
        return prepared;
    };
    let unasked = |name: &str| request.get(name).is_none_or(|value| value == "NONE");
    prepared.capacity_added = unasked("ReturnConsumedCapacity");
    prepared.item_added = is_single_write(operation)
        && request.contains_key("ConditionExpression")
        && unasked("ReturnValuesOnConditionCheckFailure");
    if prepared.capacity_added || prepared.item_added {
        let mut asking = request.clone();
        if prepared.capacity_added {
            asking.insert("ReturnConsumedCapacity".to_owned(), json!("TOTAL"));
        }
        if prepared.item_added {
            asking.insert("ReturnValuesOnConditionCheckFailure".to_owned(), json!("ALL_OLD"));
        }
        prepared.body = Bytes::from(Value::Object(asking).to_string());
    }
    prepared
}

/// Reads the figures, and removes those that the caller did not ask for.
pub(super) fn settle(prepared: &Prepared, succeeded: bool, body: &[u8]) -> Settled {
    let mut settled = Settled {
        body: None,
        read_units: 0.0,
        write_units: 0.0,
    };
    let Some(request) = &prepared.request else {
        return settled;
    };
    let Ok(mut answer) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return settled;
    };
    if !succeeded {
        settled.write_units = failed_write_units(&prepared.operation, request, &answer);
        if prepared.item_added && answer.remove("Item").is_some() {
            settled.body = Some(Bytes::from(Value::Object(answer).to_string()));
        }
        return settled;
    }
    let (read_units, write_units) = consumed(&prepared.operation, request, &answer);
    (settled.read_units, settled.write_units) = (read_units, write_units);
    if prepared.capacity_added && answer.remove("ConsumedCapacity").is_some() {
        settled.body = Some(Bytes::from(Value::Object(answer).to_string()));
    }
    settled
}

/// Read and write units of an answer, which has figures for each table.
fn consumed(operation: &str, request: &Map<String, Value>, answer: &Map<String, Value>) -> (f64, f64) {
    let figures = match answer.get("ConsumedCapacity") {
        Some(Value::Array(tables)) => tables.as_slice(),
        Some(single) => std::slice::from_ref(single),
        None => &[],
    };
    let writes = is_write(operation, request);
    if figures.is_empty() && operation == "BatchExecuteStatement" && writes {
        return (0.0, failed_statements(answer));
    }
    figures.iter().fold((0.0, 0.0), |(read, write), figure| {
        let units = |name: &str| figure[name].as_f64();
        match (
            units("ReadCapacityUnits"),
            units("WriteCapacityUnits"),
            units("CapacityUnits").unwrap_or_default(),
        ) {
            (None, None, total) if writes => (read, write + total),
            (None, None, total) => (read + total, write),
            (reads, writes, _) => (read + reads.unwrap_or_default(), write + writes.unwrap_or_default()),
        }
    })
}

fn failed_write_units(operation: &str, request: &Map<String, Value>, answer: &Map<String, Value>) -> f64 {
    let error = answer.get("__type").and_then(Value::as_str).unwrap_or_default();
    let error = error.rsplit('#').next().unwrap_or_default();
    match (operation, error) {
        ("PutItem" | "UpdateItem" | "DeleteItem", "ConditionalCheckFailedException") => {
            let existing = answer.get("Item").map_or(0, size);
            let replacement = request.get("Item").map_or(0, size);
            write_capacity_units(existing.max(replacement))
        }
        ("ExecuteStatement", "ConditionalCheckFailedException" | "DuplicateItemException") => 1.0,
        ("TransactWriteItems" | "ExecuteTransaction", "TransactionCanceledException") => {
            let reasons = answer
                .get("CancellationReasons")
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            let condition = |reason: &&Value| {
                matches!(
                    reason["Code"].as_str(),
                    Some("ConditionalCheckFailed" | "DuplicateItem")
                )
            };
            if reasons.iter().any(|reason| condition(&reason)) {
                2.0 * count(reasons.len())
            } else {
                0.0
            }
        }
        _ => 0.0,
    }
}

/// One unit for each statement of a batch whose condition failed.
fn failed_statements(answer: &Map<String, Value>) -> f64 {
    let responses = answer
        .get("Responses")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let failed = |response: &&Value| {
        matches!(
            response["Error"]["Code"].as_str(),
            Some("ConditionalCheckFailed" | "DuplicateItem")
        )
    };
    count(responses.iter().filter(failed).count())
}

fn is_write(operation: &str, request: &Map<String, Value>) -> bool {
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems" => true,
        "ExecuteStatement" => !is_select(request.get("Statement")),
        "BatchExecuteStatement" => !is_select(first_statement(request, "Statements")),
        "ExecuteTransaction" => !is_select(first_statement(request, "TransactStatements")),
        _ => false,
    }
}

/// The first statement of a request. Either all of them read, or all of them write.
fn first_statement<'a>(request: &'a Map<String, Value>, list: &str) -> Option<&'a Value> {
    request.get(list)?.get(0)?.get("Statement")
}

fn is_select(statement: Option<&Value>) -> bool {
    let word = statement
        .and_then(Value::as_str)
        .and_then(|text| text.split_whitespace().next());
    word.is_some_and(|word| word.eq_ignore_ascii_case("select"))
}

fn is_single_write(operation: &str) -> bool {
    matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem")
}

fn reports_capacity(operation: &str) -> bool {
    matches!(
        operation,
        "BatchExecuteStatement"
            | "BatchGetItem"
            | "BatchWriteItem"
            | "DeleteItem"
            | "ExecuteStatement"
            | "ExecuteTransaction"
            | "GetItem"
            | "PutItem"
            | "Query"
            | "Scan"
            | "TransactGetItems"
            | "TransactWriteItems"
            | "UpdateItem"
    )
}

fn size(item: &Value) -> usize {
    serde_json::from_value::<Item>(item.clone()).map_or(0, |item| item_size(&item))
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(operation: &str, request: &Value) -> Prepared {
        prepare(operation, Bytes::from(request.to_string()))
    }

    fn sent(prepared: &Prepared) -> Value {
        serde_json::from_slice(&prepared.body).unwrap()
    }

    fn units(operation: &str, request: &Value, succeeded: bool, answer: &Value) -> (f64, f64) {
        let settled = settle(&prepared(operation, request), succeeded, answer.to_string().as_bytes());
        (settled.read_units, settled.write_units)
    }

    #[test]
    fn figures_that_the_caller_did_not_ask_for_are_removed() {
        let prepared = prepared("GetItem", &json!({"TableName": "t"}));
        assert_eq!(
            sent(&prepared),
            json!({"TableName": "t", "ReturnConsumedCapacity": "TOTAL"})
        );
        let answer = json!({"Item": {"a": {"S": "1"}}, "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 0.5}});
        let settled = settle(&prepared, true, answer.to_string().as_bytes());
        assert_eq!(settled.body, Some(Bytes::from(r#"{"Item":{"a":{"S":"1"}}}"#)));
        assert_eq!((settled.read_units, settled.write_units), (0.5, 0.0));
    }

    #[test]
    fn figures_that_the_caller_asked_for_stay() {
        let request = json!({"TableName": "t", "ReturnConsumedCapacity": "INDEXES"});
        let prepared = prepared("Query", &request);
        assert_eq!(sent(&prepared), request);
        let answer = json!({"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 3.0}});
        let settled = settle(&prepared, true, answer.to_string().as_bytes());
        assert_eq!(
            settled,
            Settled {
                body: None,
                read_units: 3.0,
                write_units: 0.0
            }
        );
    }

    #[test]
    fn a_body_that_is_not_an_object_is_forwarded_unchanged() {
        let prepared = prepare("GetItem", Bytes::from_static(b"[not json"));
        assert_eq!(prepared.body, "[not json");
    }

    #[test]
    fn requests_without_figures_are_forwarded_unchanged() {
        let body = Bytes::from_static(b"{ \"Limit\" : 1 }");
        assert_eq!(prepare("ListTables", body.clone()).body, body);
    }

    #[test]
    fn all_forms_of_figures_are_read() {
        let list = json!({"ConsumedCapacity": [{"CapacityUnits": 2.0}, {"CapacityUnits": 1.5}]});
        assert_eq!(units("BatchGetItem", &json!({}), true, &list), (3.5, 0.0));
        assert_eq!(units("BatchWriteItem", &json!({}), true, &list), (0.0, 3.5));
        let transaction = json!({"ConsumedCapacity": [{"CapacityUnits": 4.0, "WriteCapacityUnits": 4.0}]});
        assert_eq!(units("TransactWriteItems", &json!({}), true, &transaction), (0.0, 4.0));
        let replay = json!({"ConsumedCapacity": [{"CapacityUnits": 2.0, "ReadCapacityUnits": 2.0}]});
        assert_eq!(units("TransactWriteItems", &json!({}), true, &replay), (2.0, 0.0));
        let select = json!({"Statements": [{"Statement": " Select * FROM t"}]});
        assert_eq!(units("BatchExecuteStatement", &select, true, &list), (3.5, 0.0));
        let update = json!({"Statements": [{"Statement": "UPDATE t SET a = 1"}]});
        assert_eq!(units("BatchExecuteStatement", &update, true, &list), (0.0, 3.5));
    }

    #[test]
    fn a_failed_condition_costs_a_write_of_the_larger_item() {
        let error =
            json!({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "m"});
        let put = |size: usize| json!({"Item": {"a": {"S": "x".repeat(size)}}, "ConditionExpression": "c"});
        assert_eq!(units("PutItem", &put(10), false, &error), (0.0, 1.0));
        assert_eq!(units("PutItem", &put(2000), false, &error), (0.0, 2.0));
        let mut stands = error.clone();
        stands["Item"] = json!({"a": {"S": "x".repeat(3000)}});
        assert_eq!(
            units("UpdateItem", &json!({"ConditionExpression": "c"}), false, &stands),
            (0.0, 3.0)
        );
    }

    #[test]
    fn the_existing_item_is_hidden_unless_the_caller_asked_for_it() {
        let stands = json!({"__type": "x#ConditionalCheckFailedException", "Item": {"a": {"S": "b"}}});
        let shown =
            |request: &Value| settle(&prepared("UpdateItem", request), false, stands.to_string().as_bytes()).body;
        let hidden = shown(&json!({"ConditionExpression": "c"}));
        assert_eq!(
            hidden,
            Some(Bytes::from(r#"{"__type":"x#ConditionalCheckFailedException"}"#))
        );
        let asked = json!({"ConditionExpression": "c", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"});
        assert_eq!(shown(&asked), None);
    }

    #[test]
    fn each_failed_statement_of_a_batch_costs_a_unit() {
        let request = json!({"Statements": [{"Statement": "INSERT INTO t VALUE {}"}]});
        let answer = json!({"Responses": [
            {"Error": {"Code": "DuplicateItem"}}, {"Error": {"Code": "ValidationError"}}, {"Error": {"Code": "ConditionalCheckFailed"}},
        ]});
        assert_eq!(units("BatchExecuteStatement", &request, true, &answer), (0.0, 2.0));
    }

    #[test]
    fn a_cancelled_transaction_costs_two_units_per_action() {
        let answer = json!({
            "__type": "x#TransactionCanceledException",
            "CancellationReasons": [{"Code": "None"}, {"Code": "ConditionalCheckFailed"}],
        });
        assert_eq!(units("TransactWriteItems", &json!({}), false, &answer), (0.0, 4.0));
    }

    #[test]
    fn other_errors_cost_nothing() {
        let answer = json!({"__type": "com.amazon.coral.validate#ValidationException", "message": "m"});
        assert_eq!(units("PutItem", &json!({"Item": {}}), false, &answer), (0.0, 0.0));
    }
}
