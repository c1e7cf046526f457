//! What must hold between `template.yaml` and the code.

use anyhow::Result;
use std::collections::BTreeMap;
use std::time::Duration;
use wigwag_local::template::{self, Secrets};
use wigwag_store::schema;
use wigwag_store::timeline::LEASE;

fn stack() -> Result<template::Stack> {
    let options = template::Options {
        parameters: BTreeMap::from([("TokenKey".to_owned(), "k".repeat(32))]),
        secrets: Secrets::in_memory(),
        ..template::Options::default()
    };
    Ok(template::load(&wigwag_tests::template(), &options)?)
}

#[test]
fn no_function_may_run_as_long_as_the_lease_of_a_timeline() -> Result<()> {
    for function in stack()?.functions.values() {
        assert!(
            Duration::from_secs(function.timeout_s.into()) * 2 <= LEASE,
            "{}",
            function.logical_id
        );
    }
    Ok(())
}

#[test]
fn the_tables_have_the_keys_that_the_schema_names() -> Result<()> {
    let keys = |logical_id: &str| -> Result<Vec<String>> {
        let stack = stack()?;
        let table = stack
            .tables
            .iter()
            .find(|table| table.logical_id == logical_id)
            .expect("a table");
        let keys = table.create["KeySchema"].as_array().expect("a key schema");
        Ok(keys
            .iter()
            .map(|key| key["AttributeName"].as_str().unwrap_or_default().to_owned())
            .collect())
    };
    assert_eq!(
        keys("TimelinesTable")?,
        [schema::timelines::TIMELINE, schema::timelines::SEQ]
    );
    assert_eq!(keys("DirectoryTable")?, [schema::directory::PK, schema::directory::SK]);
    let stack = stack()?;
    let ttl = |logical_id: &str| {
        stack
            .tables
            .iter()
            .find(|table| table.logical_id == logical_id)
            .and_then(|table| table.ttl_attribute.clone())
    };
    assert_eq!(ttl("DirectoryTable").as_deref(), Some(schema::directory::TTL));
    assert_eq!(ttl("TimelinesTable"), None, "an expired entry would look like a hole");
    Ok(())
}
