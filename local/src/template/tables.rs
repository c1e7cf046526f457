//! `AWS::DynamoDB::Table` and `AWS::Serverless::SimpleTable`.

use serde_json::{Value, json};

use super::error::Problems;
use super::model::Table;
use super::properties::Properties;
use super::resource::Resource;
use super::scope::Scope;
use super::text;

/// Properties that `CreateTable` takes under the same name.
const PASSED_ON: [&str; 6] = [
    "AttributeDefinitions",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "ProvisionedThroughput",
];

/// Backup, encryption, monitoring and limits of throughput. Streams too: their consumers are
/// refused by name.
const IGNORED: [&str; 10] = [
    "ContributorInsightsSpecification",
    "DeletionProtectionEnabled",
    "OnDemandThroughput",
    "PointInTimeRecoverySpecification",
    "ResourcePolicy",
    "SSESpecification",
    "StreamSpecification",
    "TableClass",
    "Tags",
    "WarmThroughput",
];

/// Reads an `AWS::DynamoDB::Table`.
pub(super) fn read(resource: &Resource, scope: &Scope, problems: &Problems) -> Option<Table> {
    let properties = Properties::new(resource, scope, problems);
    let used = [&PASSED_ON[..], &["TableName", "TimeToLiveSpecification"]].concat();
    properties.expect_only(&used, &IGNORED);
    let name = name(resource, scope, problems)?;
    let mut create = json!({"TableName": name});
    for property in PASSED_ON {
        if let Some(value) = properties.value(property) {
            create[property] = numbers(value);
        }
    }
    for required in ["AttributeDefinitions", "KeySchema"] {
        if create.get(required).is_none() {
            properties.report(required, "is missing");
        }
    }
    let ttl = properties.below("TimeToLiveSpecification");
    let enabled = ttl.value("Enabled").is_some_and(|enabled| text::flag(&enabled));
    Some(Table {
        logical_id: resource.id.clone(),
        name,
        create,
        ttl_attribute: enabled.then(|| ttl.required("AttributeName")).flatten(),
    })
}

/// Reads an `AWS::Serverless::SimpleTable`: one key, billed on demand.
pub(super) fn read_simple(resource: &Resource, scope: &Scope, problems: &Problems) -> Option<Table> {
    let properties = Properties::new(resource, scope, problems);
    properties.expect_only(
        &["PrimaryKey", "ProvisionedThroughput", "TableName"],
        &["PointInTimeRecoverySpecification", "SSESpecification", "Tags"],
    );
    let key = properties.below("PrimaryKey");
    let key_name = key.text("Name").unwrap_or_else(|| "id".to_owned());
    let key_type = match key.text("Type").as_deref() {
        None | Some("String") => "S",
        Some("Number") => "N",
        Some("Binary") => "B",
        Some(other) => {
            key.report("Type", format!("{other} is not one of String, Number, Binary"));
            return None;
        }
    };
    let name = name(resource, scope, problems)?;
    let mut create = json!({
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": key_name, "AttributeType": key_type}],
        "KeySchema": [{"AttributeName": key_name, "KeyType": "HASH"}],
    });
    match properties.value("ProvisionedThroughput") {
        Some(throughput) => create["ProvisionedThroughput"] = numbers(throughput),
        None => create["BillingMode"] = json!("PAY_PER_REQUEST"),
    }
    Some(Table {
        logical_id: resource.id.clone(),
        name,
        create,
        ttl_attribute: None,
    })
}

fn name(resource: &Resource, scope: &Scope, problems: &Problems) -> Option<String> {
    problems
        .report_error(&resource.id, scope.reference(&resource.id))?
        .as_ref()
        .and_then(text::scalar)
}

/// `CreateTable` wants numbers for units, but a parameter gives strings.
fn numbers(value: Value) -> Value {
    match value {
        Value::Object(map) => map.into_iter().map(|(key, value)| number_of(key, value)).collect(),
        Value::Array(items) => items.into_iter().map(numbers).collect(),
        other => other,
    }
}

fn number_of(key: String, value: Value) -> (String, Value) {
    let units = value
        .as_str()
        .filter(|_| key.ends_with("CapacityUnits"))
        .and_then(|text| text.parse::<u64>().ok());
    let value = units.map_or_else(|| numbers(value), Value::from);
    (key, value)
}
