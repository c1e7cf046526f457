//! `AWS::SQS::Queue`.

use serde_json::Value;

use super::error::Problems;
use super::model::Queue;
use super::properties::Properties;
use super::resource::{Resource, ResourceKind};
use super::scope::Scope;
use super::text;
use crate::sqs::{FIFO_SUFFIX, QueueAttributes, Settings};

/// Properties that become attributes of the same name.
const PASSED_ON: [&str; 14] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

/// Reads all queues of the template.
pub(super) fn read(resources: &[&Resource], scope: &Scope, problems: &Problems) -> Vec<Queue> {
    let declared = resources.iter().filter(|resource| resource.kind == ResourceKind::Queue);
    let queues: Vec<Queue> = declared
        .filter_map(|resource| queue(resource, scope, problems))
        .collect();
    for queue in &queues {
        check_redrive(queue, &queues, scope, problems);
        if queues
            .iter()
            .any(|other| other.name == queue.name && other.logical_id < queue.logical_id)
        {
            problems.report(
                &queue.logical_id,
                format!("QueueName: there is another queue with the name {}", queue.name),
            );
        }
    }
    queues
}

/// The name that `CloudFormation` makes for a queue that has none.
pub(super) fn generated_name(resource: &Resource, scope: &Scope) -> Result<String, String> {
    let name = scope.generated_name(&resource.id);
    let fifo = resource.properties.get("FifoQueue");
    let fifo = fifo.map(|fifo| scope.resolve(fifo)).transpose()?.flatten();
    let suffix = if fifo.is_some_and(|fifo| text::flag(&fifo)) {
        FIFO_SUFFIX
    } else {
        ""
    };
    Ok(name + suffix)
}

fn queue(resource: &Resource, scope: &Scope, problems: &Problems) -> Option<Queue> {
    let properties = Properties::new(resource, scope, problems);
    let used = [&PASSED_ON[..], &["QueueName"]].concat();
    properties.expect_only(&used, &["Tags"]);
    let name = problems.report_error(&resource.id, scope.queue_name(resource))?;
    let attribute = |attribute: &&str| Some(((*attribute).to_owned(), attribute_text(&properties.value(attribute)?)));
    let attributes: QueueAttributes = PASSED_ON.iter().filter_map(attribute).collect();
    if let Err(error) = Settings::new(&name, &attributes) {
        problems.report(&resource.id, error.message);
        return None;
    }
    Some(Queue {
        logical_id: resource.id.clone(),
        name,
        attributes,
    })
}

/// Policies are JSON in attributes, but maps in templates.
fn attribute_text(value: &Value) -> String {
    text::scalar(value).unwrap_or_else(|| value.to_string())
}

/// A dead-letter queue must be in this template and of the same kind as its source.
fn check_redrive(queue: &Queue, queues: &[Queue], scope: &Scope, problems: &Problems) {
    let settings = Settings::new(&queue.name, &queue.attributes).ok();
    let Some(redrive) = settings.as_ref().and_then(|settings| settings.redrive.as_ref()) else {
        return;
    };
    let report = |message: &str| problems.report(&queue.logical_id, format!("RedrivePolicy: {message}"));
    let target = queues
        .iter()
        .find(|target| scope.queue_arn(&target.name) == redrive.target_arn);
    match target {
        None => report(&format!("there is no queue {} in this template", redrive.target_arn)),
        Some(target) if target.name.ends_with(FIFO_SUFFIX) != queue.name.ends_with(FIFO_SUFFIX) => {
            report(
                "the dead-letter queue of a FIFO queue must be a FIFO queue, that of a standard queue a standard queue",
            );
        }
        Some(_) => {}
    }
}
