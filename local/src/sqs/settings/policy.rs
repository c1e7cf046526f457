//! The policies of dead-letter queues: `RedrivePolicy` and `RedriveAllowPolicy`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sqs::SqsError;

/// `RedrivePolicy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrive {
    /// ARN of the dead-letter queue.
    pub target_arn: String,
    /// How often a message is delivered before it goes to the dead-letter queue.
    pub max_receive_count: u32,
}

/// `RedriveAllowPolicy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RedriveAllow {
    /// Any queue.
    #[default]
    All,
    /// No queue.
    None,
    /// The queues with these ARNs.
    Queues(Vec<String>),
}

pub(super) fn redrive(policy: &str) -> Result<Option<Redrive>, SqsError> {
    if policy.is_empty() {
        return Ok(None);
    }
    let bad = |reason: &str| SqsError::invalid("RedrivePolicy", policy, reason);
    let value: Value = serde_json::from_str(policy).map_err(|_| bad("Redrive policy is not a valid JSON map."))?;
    let target = value["deadLetterTargetArn"].as_str();
    let target_arn =
        target.ok_or_else(|| bad("Redrive policy does not contain mandatory attribute: deadLetterTargetArn."))?;
    let count = match &value["maxReceiveCount"] {
        Value::String(text) => text.parse().ok(),
        Value::Null => {
            return Err(bad(
                "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
            ));
        }
        other => other.as_u64(),
    };
    let count = count.filter(|count| (1..=1000).contains(count));
    let count = count.ok_or_else(|| bad("Invalid value for maxReceiveCount: it must be an integer from 1 to 1000."))?;
    Ok(Some(Redrive {
        target_arn: target_arn.to_owned(),
        max_receive_count: u32::try_from(count).unwrap_or(1000),
    }))
}

pub(super) fn redrive_allow(policy: &str) -> Result<RedriveAllow, SqsError> {
    let bad = |reason: &str| SqsError::invalid("RedriveAllowPolicy", policy, reason);
    if policy.is_empty() {
        return Ok(RedriveAllow::All);
    }
    let value: Value = serde_json::from_str(policy).map_err(|_| bad("it is not a valid JSON map."))?;
    match value["redrivePermission"].as_str() {
        Some("allowAll") => Ok(RedriveAllow::All),
        Some("denyAll") => Ok(RedriveAllow::None),
        Some("byQueue") => {
            let arns = value["sourceQueueArns"]
                .as_array()
                .filter(|arns| (1..=10).contains(&arns.len()));
            let arns = arns.ok_or_else(|| bad("sourceQueueArns must hold 1 to 10 ARNs."))?;
            let arns: Option<Vec<String>> = arns.iter().map(|arn| arn.as_str().map(str::to_owned)).collect();
            arns.map(RedriveAllow::Queues)
                .ok_or_else(|| bad("sourceQueueArns must hold strings."))
        }
        _ => Err(bad("redrivePermission must be allowAll, denyAll or byQueue.")),
    }
}
