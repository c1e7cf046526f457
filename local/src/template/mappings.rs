//! Event source mappings of queues: `SQS` events of functions, and
//! `AWS::Lambda::EventSourceMapping`.

use std::collections::BTreeMap;

use super::error::Problems;
use super::model::{Function, Mapping, Queue};
use super::properties::Properties;
use super::resource::{Resource, ResourceKind};
use super::scope::Scope;
use super::text;
use crate::sqs::{FIFO_SUFFIX, Settings};

/// The properties that events and resources have in common.
const USED: [&str; 5] = [
    "BatchSize",
    "Enabled",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "ScalingConfig",
];

/// Encryption and monitoring.
const IGNORED: [&str; 3] = ["KmsKeyArn", "MetricsConfig", "Tags"];

/// If the visibility timeout is shorter than the batching window and the function's timeout
/// together, the sum of both and of this margin is used instead. In seconds.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
const VISIBILITY_MARGIN_S: u32 = 30;

/// The queues and functions that mappings can connect.
struct Connectable<'a> {
    functions: &'a BTreeMap<String, Function>,
    queues: &'a [Queue],
    scope: &'a Scope,
}

/// Reads all mappings of the template.
pub(super) fn read(
    resources: &[&Resource],
    functions: &BTreeMap<String, Function>,
    queues: &[Queue],
    scope: &Scope,
    problems: &Problems,
) -> Vec<Mapping> {
    let ends = Connectable {
        functions,
        queues,
        scope,
    };
    let mut mappings: Vec<Mapping> = Vec::new();
    for resource in resources {
        let properties = Properties::new(resource, scope, problems);
        match resource.kind {
            ResourceKind::Function => of_events(resource, &properties, &ends, &mut mappings),
            ResourceKind::Mapping => {
                properties.expect_only(&[&USED[..], &["EventSourceArn", "FunctionName"]].concat(), &IGNORED);
                if let Some(function) = ends.function(&properties) {
                    let mapping = mapping(&resource.id, function, "EventSourceArn", &properties, &ends);
                    add(mapping, &properties, &mut mappings);
                }
            }
            _ => {}
        }
    }
    mappings
}

fn of_events(resource: &Resource, properties: &Properties<'_>, ends: &Connectable<'_>, mappings: &mut Vec<Mapping>) {
    let Some(function) = ends.functions.get(&resource.id) else {
        return;
    };
    let events = properties.below("Events");
    for name in events.names() {
        let event = events.below(name);
        if event.text("Type").as_deref() == Some("SQS") {
            let properties = event.below("Properties");
            properties.expect_only(&[&USED[..], &["Queue"]].concat(), &IGNORED);
            // The logical id that SAM makes.
            let id = format!("{}{name}", resource.id);
            add(
                mapping(&id, function, "Queue", &properties, ends),
                &properties,
                mappings,
            );
        }
    }
}

fn add(mapping: Option<Mapping>, properties: &Properties<'_>, mappings: &mut Vec<Mapping>) {
    let Some(mapping) = mapping else { return };
    let is_same = |other: &Mapping| (&other.queue, &other.function) == (&mapping.queue, &mapping.function);
    if mappings.iter().any(is_same) {
        properties.report(
            "BatchSize",
            format!("{} already has a mapping to {}", mapping.queue, mapping.function),
        );
    }
    mappings.push(mapping);
}

impl Connectable<'_> {
    fn function(&self, properties: &Properties<'_>) -> Option<&Function> {
        let named = properties.required("FunctionName")?;
        let is_named =
            |function: &&Function| named == function.name || named == self.scope.function_arn(&function.name);
        let found = self.functions.values().find(is_named);
        if found.is_none() {
            properties.report("FunctionName", format!("there is no function {named} in this template"));
        }
        found
    }

    fn queue(&self, source: &str, properties: &Properties<'_>) -> Option<&Queue> {
        let arn = properties.required(source)?;
        let found = self
            .queues
            .iter()
            .find(|queue| self.scope.queue_arn(&queue.name) == arn);
        if found.is_none() {
            properties.report(
                source,
                format!("{arn} is not the ARN of an AWS::SQS::Queue of this template"),
            );
        }
        found
    }
}

fn mapping(
    id: &str,
    function: &Function,
    source: &str,
    properties: &Properties<'_>,
    ends: &Connectable<'_>,
) -> Option<Mapping> {
    let queue = ends.queue(source, properties)?;
    let settings = Settings::new(&queue.name, &queue.attributes).ok()?;
    let is_fifo = queue.name.ends_with(FIFO_SUFFIX);
    let batch_size = properties.number("BatchSize", 1..=10_000).unwrap_or(10);
    let window_s = properties
        .number("MaximumBatchingWindowInSeconds", 0..=300)
        .unwrap_or(0);
    if is_fifo && batch_size > 10 {
        properties.report("BatchSize", "a batch of a FIFO queue has at most 10 messages");
    }
    if is_fifo && window_s > 0 {
        properties.report(
            "MaximumBatchingWindowInSeconds",
            "a FIFO queue cannot have a batching window",
        );
    }
    if !is_fifo && batch_size > 10 && window_s == 0 {
        properties.report(
            "MaximumBatchingWindowInSeconds",
            "must be at least 1 where BatchSize is greater than 10",
        );
    }
    let visibility_s = settings.visibility_timeout_s;
    if visibility_s < function.timeout_s {
        let message = format!(
            "the visibility timeout of {}, {visibility_s} seconds, is less than the timeout of {}, {} seconds",
            queue.logical_id, function.logical_id, function.timeout_s
        );
        properties.report(source, message);
    }
    let scaling = properties.below("ScalingConfig");
    scaling.expect_only(&["MaximumConcurrency"], &[]);
    let needed_s = window_s + function.timeout_s;
    Some(Mapping {
        logical_id: id.to_owned(),
        queue: queue.name.clone(),
        queue_arn: ends.scope.queue_arn(&queue.name),
        is_fifo,
        function: function.logical_id.clone(),
        batch_size: usize::try_from(batch_size).unwrap_or(10),
        window_s,
        visibility_override_s: (window_s > 0 && needed_s > visibility_s).then_some(needed_s + VISIBILITY_MARGIN_S),
        maximum_concurrency: scaling.number("MaximumConcurrency", 2..=1000),
        reports_failures: reports_failures(properties),
        enabled: properties.value("Enabled").is_none_or(|enabled| text::flag(&enabled)),
    })
}

fn reports_failures(properties: &Properties<'_>) -> bool {
    let types = properties.texts("FunctionResponseTypes");
    for other in types.iter().filter(|name| *name != "ReportBatchItemFailures") {
        properties.report(
            "FunctionResponseTypes",
            format!("{other} is not supported; ReportBatchItemFailures is"),
        );
    }
    !types.is_empty()
}
