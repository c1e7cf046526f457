//! What the functions may do, compared with what they do.
use super::every_call;
use anyhow::{Context as _, Result};
use std::collections::{BTreeMap, BTreeSet};
use wigwag_cluster::Cluster;
use wigwag_cluster::roles::{granted, permission};
use wigwag_local::meter::Permission;

/// The parameter that lets connections sign in with a LOGIN frame.
const LOGIN_FRAMES: [(&str, &str); 1] = [("AllowLoginFrame", "true")];

/// Makes every function do everything it can do, and checks the calls that the meter saw against
/// the roles of the template. A function may do what it does, on the resources it does it on, and
/// nothing else. The local stack does not enforce policies, so no other test would notice.
#[tokio::test(flavor = "multi_thread")]
async fn every_function_is_granted_the_calls_it_makes_and_no_other() -> Result<()> {
    let cluster = Cluster::with_parameters(&LOGIN_FRAMES).await?;
    every_call::make(&cluster).await?;
    let mut made: BTreeMap<String, BTreeSet<Permission>> = BTreeMap::new();
    for row in cluster.meter().await?.aws {
        // The event source mapping polls with the role of its function.
        let function = match row.caller.as_str() {
            "event-source-mapping" => "FanoutFunction".to_owned(),
            "external" => continue,
            _ => row.caller,
        };
        made.entry(function).or_default().extend(row.permissions);
    }
    let queue = cluster.stack.stack.queues.iter();
    let queue = queue.clone().find(|queue| queue.logical_id == "FanoutQueue");
    let queue = queue.context("there is a queue")?.name.clone();
    cluster.stop().await;
    let unseen = [
        // Called by Lambda when it makes the event source mapping.
        "sqs:GetQueueAttributes",
        // Called only when time runs out.
        "sqs:ChangeMessageVisibility",
    ];
    made.entry("FanoutFunction".to_owned())
        .or_default()
        .extend(unseen.map(|action| permission(action, &queue)));
    for (function, granted) in granted(&LOGIN_FRAMES)? {
        let made = made.remove(&function).unwrap_or_default();
        assert_eq!(
            (beyond(&made, &granted), beyond(&granted, &made)),
            (Vec::new(), Vec::new()),
            "{function}: calls without a permission, permissions without a call"
        );
    }
    Ok(())
}

/// The function that parses every frame may read the key that signs tokens only if frames bring
/// tokens. `rotation::calls::only_functions_that_need_the_key_read_it` shows that it does not try.
#[test]
fn the_function_of_frames_may_not_read_the_key_if_no_frame_brings_a_token() -> Result<()> {
    let reads_the_key = |parameters| -> Result<Vec<String>> {
        let granted = granted(parameters)?.into_iter();
        let may = granted.filter(|(_, may)| may.iter().any(|one| one.action == "secretsmanager:GetSecretValue"));
        Ok(may.map(|(function, _)| function).collect())
    };
    assert_eq!(reads_the_key(&[])?, ["ApiFunction", "AuthorizerFunction"]);
    assert_eq!(
        reads_the_key(&LOGIN_FRAMES)?,
        ["ApiFunction", "AuthorizerFunction", "DefaultFunction"]
    );
    Ok(())
}

/// The permissions of the first set that are not in the second.
fn beyond(all: &BTreeSet<Permission>, known: &BTreeSet<Permission>) -> Vec<String> {
    let line = |one: &Permission| format!("{} on {}", one.action, one.resource);
    all.difference(known).map(line).collect()
}
