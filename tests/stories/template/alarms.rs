//! The dashboard and the alarms.
use super::metrics::{known, of_alarm, of_dashboard, text};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wigwag_cluster::{resources, resources_of_type, stack};

#[test]
fn every_metric_of_the_dashboard_and_the_alarms_exists() -> Result<()> {
    let (stack, resources) = (stack()?, resources(&[])?);
    let known = known(&stack);
    let body = text(&resources["Dashboard"].properties["DashboardBody"]);
    let body: Value = serde_json::from_str(&body).context("the dashboard is JSON")?;
    let shown = of_dashboard(&body);
    let watched = resources_of_type(&resources, "AWS::CloudWatch::Alarm").flat_map(|(_, alarm)| of_alarm(alarm));
    for (namespace, name, dimensions) in watched.chain(shown.iter().cloned()) {
        let is_it = |(of, metrics, with): &(&str, &[&str], BTreeMap<String, String>)| {
            *of == namespace && metrics.contains(&name.as_str()) && *with == dimensions
        };
        assert!(known.iter().any(is_it), "{namespace} {name} {dimensions:?}");
    }
    // And the dashboard shows everything that has metrics.
    for (namespace, _, dimensions) in known.iter().filter(|(_, _, of)| !of.contains_key("Operation")) {
        assert!(
            shown.iter().any(|(of, _, with)| of == namespace && with == dimensions),
            "nothing shows {namespace} {dimensions:?}"
        );
    }
    Ok(())
}

#[test]
fn the_expression_of_an_alarm_uses_exactly_its_metrics() -> Result<()> {
    for (id, alarm) in resources_of_type(&resources(&[])?, "AWS::CloudWatch::Alarm") {
        let Some(metrics) = alarm["Metrics"].as_array() else {
            continue;
        };
        // CloudWatch accepts ten metrics, not counting the expression.
        assert!(metrics.len() <= 11, "{id} has {} metrics", metrics.len());
        let expression = metrics.iter().map(|metric| text(&metric["Expression"]));
        let expression = expression.collect::<String>();
        let words: BTreeSet<&str> = expression
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .filter(|word| word.starts_with(|first: char| first.is_ascii_lowercase()))
            .collect();
        let ids: Vec<String> = metrics
            .iter()
            .filter(|metric| metric["Expression"].is_null())
            .map(|metric| text(&metric["Id"]))
            .collect();
        assert_eq!(
            words,
            ids.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            "{id}: {expression}"
        );
    }
    Ok(())
}

#[test]
fn alarms_notify_a_topic_only_if_one_is_given() -> Result<()> {
    let topic = "arn:aws:sns:us-east-1:123456789012:alarms";
    for (parameters, told) in [
        (&[][..], Value::Null),
        (&[("AlarmTopicArn", topic)][..], serde_json::json!([topic])),
    ] {
        let resources = resources(parameters)?;
        let mut alarms = resources_of_type(&resources, "AWS::CloudWatch::Alarm").peekable();
        assert!(alarms.peek().is_some());
        for (id, alarm) in alarms {
            assert_eq!(alarm["AlarmActions"], told, "{id}");
            assert!(!text(&alarm["AlarmDescription"]).is_empty(), "{id}");
        }
    }
    Ok(())
}
