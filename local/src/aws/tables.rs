//! Creates the tables of a template in the engine.

use dynoxide::Database;
use dynoxide::actions::create_table::CreateTableRequest;
use dynoxide::actions::describe_table::DescribeTableRequest;
use dynoxide::actions::describe_time_to_live::DescribeTimeToLiveRequest;
use dynoxide::actions::update_time_to_live::{TimeToLiveSpecification, UpdateTimeToLiveRequest};
use serde_json::Value;

use super::DynamoDbError;
use crate::template::model::Table;

/// Creates missing tables and enables expiry.
///
/// An existing table keeps its items. If its keys or indexes differ from the template, that is an
/// error, because nothing here can convert the items.
pub(super) fn create(database: &Database, tables: &[Table]) -> Result<(), DynamoDbError> {
    tables.iter().try_for_each(|table| create_one(database, table))
}

fn create_one(database: &Database, table: &Table) -> Result<(), DynamoDbError> {
    let failed = |reason: String| DynamoDbError::Table {
        table: table.logical_id.clone(),
        reason,
    };
    match existing(database, &table.name) {
        Some(description) => compare(&table.create, &description).map_err(failed)?,
        None => create_new(database, &table.create).map_err(failed)?,
    }
    match &table.ttl_attribute {
        Some(attribute) => expire_by(database, &table.name, attribute).map_err(failed),
        None => Ok(()),
    }
}

fn existing(database: &Database, name: &str) -> Option<Value> {
    let request = DescribeTableRequest {
        table_name: name.to_owned(),
    };
    let answer = database.describe_table(request).ok()?;
    serde_json::to_value(answer).ok()?.get_mut("Table").map(Value::take)
}

fn create_new(database: &Database, create: &Value) -> Result<(), String> {
    let request: CreateTableRequest =
        serde_json::from_value(create.clone()).map_err(|error| error.to_string().replacen("VALIDATION:", "", 1))?;
    database
        .create_table(request)
        .map(drop)
        .map_err(|error| error.to_string())
}

fn compare(wanted: &Value, stored: &Value) -> Result<(), String> {
    for part in ["KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        if keys(&wanted[part]) != keys(&stored[part]) {
            return Err(format!(
                "the data directory has this table with another {part}; use another --data-dir or delete this one"
            ));
        }
    }
    Ok(())
}

/// Names and keys of a key schema or of a list of indexes, sorted.
fn keys(part: &Value) -> Vec<String> {
    let members = part.as_array().map_or(&[][..], Vec::as_slice);
    let mut keys: Vec<String> = members
        .iter()
        .map(|member| match member["IndexName"].as_str() {
            Some(index) => format!("{index}: {}", keys(&member["KeySchema"]).join(", ")),
            None => format!("{} {}", member["KeyType"], member["AttributeName"]),
        })
        .collect();
    keys.sort();
    keys
}

fn expire_by(database: &Database, table: &str, attribute: &str) -> Result<(), String> {
    let request = DescribeTimeToLiveRequest {
        table_name: table.to_owned(),
    };
    let now = database
        .describe_time_to_live(request)
        .map_err(|error| error.to_string())?;
    if now.time_to_live_description.attribute_name.as_deref() == Some(attribute) {
        return Ok(());
    }
    let request = UpdateTimeToLiveRequest {
        table_name: table.to_owned(),
        time_to_live_specification: TimeToLiveSpecification {
            attribute_name: attribute.to_owned(),
            enabled: true,
        },
    };
    database
        .update_time_to_live(request)
        .map(drop)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table(key: &str) -> Table {
        Table {
            logical_id: "Items".to_owned(),
            name: "local-Items".to_owned(),
            create: json!({
                "TableName": "local-Items",
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            }),
            ttl_attribute: Some("ttl".to_owned()),
        }
    }

    #[test]
    fn an_existing_table_is_kept() {
        let database = Database::memory().unwrap();
        create(&database, &[table("a")]).unwrap();
        create(&database, &[table("a")]).unwrap();
        assert_eq!(database.table_count().unwrap(), 1);
    }

    #[test]
    fn an_expired_item_is_deleted() {
        let database = Database::memory().unwrap();
        create(&database, &[table("a")]).unwrap();
        for (key, ttl) in [("past", "1"), ("future", "99999999999")] {
            let item = json!({"a": {"S": key}, "ttl": {"N": ttl}});
            let put = json!({"TableName": "local-Items", "Item": item});
            database.put_item(serde_json::from_value(put).unwrap()).unwrap();
        }
        assert_eq!(database.sweep_ttl().unwrap(), 1);
    }

    #[test]
    fn a_table_with_another_key_is_an_error() {
        let database = Database::memory().unwrap();
        create(&database, &[table("a")]).unwrap();
        let error = create(&database, &[table("b")]).unwrap_err().to_string();
        assert!(
            error.starts_with("Items: the data directory has this table with another KeySchema"),
            "{error}"
        );
    }

    #[test]
    fn a_table_that_dynamodb_would_refuse_is_an_error() {
        let mut bad = table("a");
        bad.create["KeySchema"][0]["AttributeName"] = json!("other");
        let error = create(&Database::memory().unwrap(), &[bad]).unwrap_err().to_string();
        assert!(error.starts_with("Items: ") && !error.contains("VALIDATION"), "{error}");
    }
}
