//! What must hold between `template.yaml` and the code.

use anyhow::Result;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wigwag_local::template::{self, Secrets};
use wigwag_protocol::Request;
use wigwag_protocol::pb::{LoginMsg, SessionType};
use wigwag_store::devices::ConnectionPolicy;
use wigwag_store::head::Connection;
use wigwag_store::timeline::LEASE;
use wigwag_store::{DeviceKey, schema};
use wigwag_tests::{Account, Device, Dial, World};

fn stack() -> Result<template::Stack> {
    let options = template::Options {
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
        // What the story itself and the mapping do is not a function's.
        if !row.caller.ends_with("Function") {
            continue;
        }
        let actions = actions_of(&row.service, &row.operation)
            .iter()
            .map(|action| (*action).to_owned());
        made.entry(row.caller).or_default().extend(actions);
    }
    world.stop().await;
    for (function, granted) in granted()? {
        let mut made = made.remove(&function).unwrap_or_default();
        if function == "FanoutFunction" {
            // Only where time runs out: groups::what_there_is_no_time_for_is_handed_back_at_once.
            made.insert("sqs:ChangeMessageVisibility".to_owned());
        }
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
        // A batch needs the actions of its statements; ours insert and update.
        ("dynamodb", "BatchExecuteStatement") => &["dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"],
        ("secretsmanager", "GetSecretValue") => &["secretsmanager:GetSecretValue"],
        ("sqs", "SendMessage" | "SendMessageBatch") => &["sqs:SendMessage"],
        ("sqs", "ChangeMessageVisibilityBatch") => &["sqs:ChangeMessageVisibility"],
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
    let mut first = world.device(&ada).await?;
    first.enter(9).await?;
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
    use_groups(world, (&mut a, &ada), (&mut b, &bob)).await?;
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

/// Groups, rooms, and a connection that went without a word.
async fn use_groups(world: &World, (a, ada): (&mut Device, &Account), (b, bob): (&mut Device, &Account)) -> Result<()> {
    let group = world.group(ada, &[bob]).await?;
    let _: Value = world.get("/group/list", Some(&ada.token)).await?;
    let _: Value = world
        .get(&format!("/group_user/list?group_id={group}"), Some(&ada.token))
        .await?;
    let store = world.store();
    let (device, opened_ms) = (DeviceKey::of(1, "gone"), a_while_ago_ms());
    let gone = Connection {
        id: "AAAAAAAAAAAAAAA=".to_owned(),
        platform: 1,
        protobuf: true,
        connected_at_ms: opened_ms,
    };
    store
        .connect(bob.user_id, &device, &gone, ConnectionPolicy::Device, opened_ms)
        .await?;
    store
        .enter_room(bob.user_id, &device, opened_ms, &gone.id, 7, opened_ms)
        .await?;
    a.enter(7).await?;
    b.enter(7).await?;
    b.leave_room().await?;
    a.tell_to(SessionType::Room, 7, 0, "in the room").await?;
    a.tell_to(SessionType::Group, group, 2, "to the group").await?;
    let queue = world.fanout_queue()?;
    queue
        .bury("no task", "nobody", "unreadable", "put here by hand")
        .await?;
    let group = world.super_group(ada, &[bob]).await?;
    a.tell_to(SessionType::Group, group, 3, "announced").await?;
    world.settled().await
}

/// Long enough for a connection that is gone not to be taken for one that is just opening.
fn a_while_ago_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(0) - 600_000
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
