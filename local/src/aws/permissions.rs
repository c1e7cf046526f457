//! The permissions that a call needs: IAM actions on tables, queues and secrets. The meter shows
//! them, to help write policies and tests of policies.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html>
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html>

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::meter::Permission;

/// For a call to DynamoDB. A transaction needs the actions of its parts, and `PartiQL` those of its
/// statements.
pub(super) fn for_dynamodb(operation: &str, request: &Map<String, Value>) -> BTreeSet<Permission> {
    let list = |name: &str| request.get(name).and_then(Value::as_array).into_iter().flatten();
    let needs = |action: &str, table: &str| Permission {
        action: format!("dynamodb:{action}"),
        resource: table.rsplit('/').next().unwrap_or(table).to_owned(),
    };
    match operation {
        "TransactWriteItems" | "TransactGetItems" => list("TransactItems")
            .filter_map(Value::as_object)
            .flatten()
            .filter_map(|(part, of)| Some(needs(action_of_part(part), of["TableName"].as_str()?)))
            .collect(),
        "BatchExecuteStatement" => list("Statements")
            .filter_map(|statement| statement["Statement"].as_str())
            .filter_map(|text| parse_statement(text).map(|(action, table)| needs(action, &table)))
            .collect(),
        "ExecuteStatement" => {
            let text = request.get("Statement").and_then(Value::as_str);
            let found = text.and_then(parse_statement);
            found.into_iter().map(|(action, table)| needs(action, &table)).collect()
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = request.get("RequestItems").and_then(Value::as_object);
            let tables = tables.into_iter().flat_map(Map::keys);
            tables.map(|table| needs(operation, table)).collect()
        }
        _ => {
            let table = request.get("TableName").and_then(Value::as_str);
            table.into_iter().map(|table| needs(operation, table)).collect()
        }
    }
}

/// For a call to SQS. A batch needs the action of the single call.
pub(super) fn for_sqs(operation: &str, request: &Value) -> BTreeSet<Permission> {
    let queue = request["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next());
    let needed = queue.map(|queue| Permission {
        action: format!("sqs:{}", operation.strip_suffix("Batch").unwrap_or(operation)),
        resource: queue.to_owned(),
    });
    needed.into_iter().collect()
}

/// For a call to Secrets Manager, on the secret as the request names it: by ARN or name.
pub(super) fn for_secretsmanager(operation: &str, request: &Value) -> BTreeSet<Permission> {
    let secret = request["SecretId"].as_str().and_then(|id| id.rsplit([':', '/']).next());
    let needed = secret.map(|secret| Permission {
        action: format!("secretsmanager:{operation}"),
        resource: secret.to_owned(),
    });
    needed.into_iter().collect()
}

/// For a call to `@connections`. A policy grants all connections of a stage together.
pub(super) fn for_connections() -> BTreeSet<Permission> {
    let needed = Permission {
        action: "execute-api:ManageConnections".to_owned(),
        resource: "@connections".to_owned(),
    };
    BTreeSet::from([needed])
}

fn action_of_part(part: &str) -> &str {
    match part {
        "ConditionCheck" => "ConditionCheckItem",
        "Put" => "PutItem",
        "Update" => "UpdateItem",
        "Delete" => "DeleteItem",
        "Get" => "GetItem",
        other => other,
    }
}

/// Action and table of `INSERT INTO "t" …`, `UPDATE "t" …`, `DELETE FROM "t" …` or `SELECT … FROM
/// "t" …`.
fn parse_statement(text: &str) -> Option<(&'static str, String)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (action, before) = match words.first()?.to_ascii_uppercase().as_str() {
        "INSERT" => ("PartiQLInsert", "INTO"),
        "UPDATE" => ("PartiQLUpdate", "UPDATE"),
        "DELETE" => ("PartiQLDelete", "FROM"),
        "SELECT" => ("PartiQLSelect", "FROM"),
        _ => return None,
    };
    let at = words.iter().position(|word| word.eq_ignore_ascii_case(before))?;
    let table = words.get(at + 1)?.split('.').next()?;
    Some((action, table.trim_matches('"').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(needed: BTreeSet<Permission>) -> Vec<String> {
        let line = |one: Permission| format!("{} {}", one.action, one.resource);
        needed.into_iter().map(line).collect()
    }

    fn dynamodb(operation: &str, request: &Value) -> Vec<String> {
        shown(for_dynamodb(operation, request.as_object().unwrap()))
    }

    #[test]
    fn a_call_needs_its_action_on_each_table_it_names() {
        let cases = [
            ("GetItem", json!({"TableName": "t"}), &["dynamodb:GetItem t"][..]),
            (
                "PutItem",
                json!({"TableName": "arn:aws:dynamodb:us-east-1:000000000000:table/t"}),
                &["dynamodb:PutItem t"],
            ),
            (
                "BatchGetItem",
                json!({"RequestItems": {"t": {}, "u": {}}}),
                &["dynamodb:BatchGetItem t", "dynamodb:BatchGetItem u"],
            ),
            (
                "TransactWriteItems",
                json!({"TransactItems": [
                    {"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "u"}}, {"Put": {"TableName": "t"}},
                ]}),
                &["dynamodb:ConditionCheckItem u", "dynamodb:PutItem t"],
            ),
            (
                "BatchExecuteStatement",
                json!({"Statements": [
                    {"Statement": "UPDATE \"a-t\" SET n = 1"}, {"Statement": "insert into u value {}"},
                    {"Statement": "SELECT * FROM \"v\".\"index\""},
                ]}),
                &[
                    "dynamodb:PartiQLInsert u",
                    "dynamodb:PartiQLSelect v",
                    "dynamodb:PartiQLUpdate a-t",
                ],
            ),
            ("ListTables", json!({}), &[]),
        ];
        for (operation, request, expected) in cases {
            assert_eq!(dynamodb(operation, &request), expected, "{operation}");
        }
    }

    #[test]
    fn a_batch_needs_the_permission_of_a_single_call() {
        let request = json!({"QueueUrl": "http://127.0.0.1:4566/000000000000/jobs.fifo"});
        assert_eq!(
            shown(for_sqs("SendMessageBatch", &request)),
            ["sqs:SendMessage jobs.fifo"]
        );
        assert_eq!(shown(for_sqs("ListQueues", &json!({}))), [""; 0]);
    }

    #[test]
    fn a_secret_is_named_by_the_end_of_its_arn() {
        let request = json!({"SecretId": "arn:aws:secretsmanager:us-east-1:000000000000:secret:local-Key-a1b2c3"});
        assert_eq!(
            shown(for_secretsmanager("GetSecretValue", &request)),
            ["secretsmanager:GetSecretValue local-Key-a1b2c3"]
        );
    }
}
