//! What must hold between `template.yaml` and the code.

use anyhow::Result;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wigwag_local::template::{self, Secrets};
use wigwag_protocol::Request;
use wigwag_protocol::pb::LoginMsg;
use wigwag_store::schema;
use wigwag_store::timeline::LEASE;
use wigwag_tests::{Dial, World};

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

/// Runs through every use of every function, and holds the calls that the meter saw against the policies of the template: a
/// function may do what it does, and nothing else. The local stack does not enforce policies, so nothing else would tell.
#[tokio::test(flavor = "multi_thread")]
async fn every_function_is_granted_the_calls_it_makes_and_no_other() -> Result<()> {
    let world = World::with(|options| {
        options
            .parameters
            .insert("AllowLoginFrame".to_owned(), "true".to_owned());
    })
    .await?;
    use_everything(&world).await?;
    let mut made: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in world.meter().await?.aws {
        let actions = actions_of(&row.service, &row.operation)
            .iter()
            .map(|action| (*action).to_owned());
        made.entry(row.caller).or_default().extend(actions);
    }
    world.stop().await;
    for (function, granted) in granted()? {
        let made = made.remove(&function).unwrap_or_default();
        assert_eq!(made, granted, "{function}: made, granted");
    }
    Ok(())
}

/// The IAM actions that a call needs.
fn actions_of(service: &str, operation: &str) -> &'static [&'static str] {
    match (service, operation) {
        ("execute-api", _) => &["execute-api:ManageConnections"],
        // A transaction needs the actions of its parts; ours put, update and check.
        ("dynamodb", "TransactWriteItems") => {
            &["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem"]
        }
        ("dynamodb", "GetItem") => &["dynamodb:GetItem"],
        ("dynamodb", "BatchGetItem") => &["dynamodb:BatchGetItem"],
        ("dynamodb", "Query") => &["dynamodb:Query"],
        ("dynamodb", "PutItem") => &["dynamodb:PutItem"],
        ("dynamodb", "UpdateItem") => &["dynamodb:UpdateItem"],
        ("dynamodb", "DeleteItem") => &["dynamodb:DeleteItem"],
        other => panic!("no function is known to call {other:?}"),
    }
}

/// Actions by function, as the lines of the template grant them.
fn granted() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut granted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut resource = String::new();
    for line in std::fs::read_to_string(wigwag_tests::template())?.lines() {
        if let Some(name) = line
            .strip_prefix("  ")
            .and_then(|rest| rest.strip_suffix(':'))
            .filter(|name| !name.starts_with(' '))
        {
            name.clone_into(&mut resource);
        }
        if let Some(actions) = line.trim_start().strip_prefix("Action: [") {
            let actions = actions
                .trim_end_matches(']')
                .split(',')
                .map(|action| action.trim().to_owned());
            granted.entry(resource.clone()).or_default().extend(actions);
        }
    }
    Ok(granted)
}

/// Makes each function do everything that it can do.
async fn use_everything(world: &World) -> Result<()> {
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let _ = world.refused("/login", None, "{}").await?;
    for path in ["/friend/add", "/friend/remove"] {
        let _: Value = world
            .post(path, Some(&ada.token), &json!({ "friend_id": bob.user_id }))
            .await?;
    }
    let _: Value = world.get("/friend/list", Some(&ada.token)).await?;
    let _: Value = world.get("/me", Some(&ada.token)).await?;
    let first = world.device(&ada).await?;
    let mut a = world.device(&ada).await?;
    drop(first);
    let mut b = Dial::new(&world.stack.websocket_url).connect().await?;
    b.ask(Request::Login(LoginMsg {
        token: bob.token.clone().into_bytes(),
    }))
    .await?;
    // Too large for an inbox entry, so that reading it takes the log too; repeated, so that what the repeat reserved is sealed.
    let large = "x".repeat(2000);
    a.tell(bob.user_id, 1, &large).await?;
    a.tell(bob.user_id, 1, &large).await?;
    b.sync(0, 0).await?;
    b.heartbeat().await?;
    let _: Value = world
        .get(&format!("/history/{}", bob.user_id), Some(&ada.token))
        .await?;
    b.leave().await?;
    a.leave().await?;
    loop {
        let functions = world.meter().await?.functions;
        if functions
            .get("DisconnectFunction")
            .is_some_and(|row| row.invocations >= 3)
        {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
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
