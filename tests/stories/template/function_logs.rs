//! The logs of the functions.
use super::metrics::text;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wigwag_cluster::{Cluster, FunctionLog, resources, resources_of_type};

#[test]
fn each_function_logs_json_into_its_own_group_with_a_retention() -> Result<()> {
    let resources = resources(&[("LogRetentionDays", "7")])?;
    let groups: BTreeMap<String, &Value> = resources_of_type(&resources, "AWS::Logs::LogGroup")
        .map(|(id, properties)| (format!("local-{id}"), properties))
        .collect();
    assert!(groups.values().all(|group| group["RetentionInDays"] == "7"));
    let mut taken = BTreeSet::new();
    for (id, function) in resources_of_type(&resources, "AWS::Serverless::Function") {
        let logging = &function["LoggingConfig"];
        assert!(groups.contains_key(&text(&logging["LogGroup"])), "{id}: {logging}");
        assert!(
            taken.insert(text(&logging["LogGroup"])),
            "{id} shares {}",
            logging["LogGroup"]
        );
        assert_eq!(
            (&logging["LogFormat"], &logging["ApplicationLogLevel"]),
            (&"JSON".into(), &"TRACE".into()),
            "{id}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_log_names_its_request_connection_and_user() -> Result<()> {
    let (output, mut log) = FunctionLog::new();
    let cluster = Cluster::with(|options| options.tuning.output = output).await?;
    let ada = cluster.account("ada").await?;
    let mut device = cluster.json_device(&ada).await?;
    device.ask_raw("{\"type\":\"NOTHING\"}").await?;
    let line = log.says("DefaultFunction", "refused a frame").await?;
    let line: Value = serde_json::from_str(&line).context("a line is JSON")?;
    assert_eq!((&line["level"], &line["user"]), (&"INFO".into(), &ada.user_id.into()));
    assert_eq!(text(&line["request_id"]).len(), 36, "{line}");
    assert!(text(&line["trace_id"]).starts_with("1-"), "{line}");
    assert!(text(&line["connection_id"]).ends_with('='), "{line}");
    assert!(text(&line["timestamp"]).ends_with('Z'), "{line}");
    cluster.stop().await;
    Ok(())
}
