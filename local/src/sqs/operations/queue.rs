//! The operations on queues.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::Sqs;
use super::super::error::{SqsError, SqsErrorCode};
use super::super::settings::QueueAttributes;
use super::{queue_name, required, within};

/// Attributes that SQS sets.
const OWN: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// Attributes that callers can set.
const GIVEN: [&str; 15] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Named {
    queue_name: String,
    attributes: QueueAttributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Located {
    queue_url: String,
    attributes: QueueAttributes,
    attribute_names: Vec<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct List {
    queue_name_prefix: String,
    max_results: Option<i64>,
    next_token: Option<String>,
}

impl Sqs {
    pub(super) fn create_queue(&self, request: &Named) -> Result<Value, SqsError> {
        let name = required("QueueName", &request.queue_name)?;
        self.with(|queues, now_ms| queues.create(name, &request.attributes, now_ms))?;
        Ok(json!({"QueueUrl": self.url(name)}))
    }

    pub(super) fn delete_queue(&self, request: &Located) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url)?;
        self.with(|queues, _| queues.delete_queue(name))?;
        Ok(json!({}))
    }

    pub(super) fn get_queue_url(&self, request: &Named) -> Result<Value, SqsError> {
        let name = required("QueueName", &request.queue_name)?;
        self.with(|queues, _| queues.queue(name).map(drop))?;
        Ok(json!({"QueueUrl": self.url(name)}))
    }

    pub(super) fn get_queue_attributes(&self, request: &Located) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url)?;
        let is_known = |wanted: &&String| {
            let wanted = wanted.as_str();
            wanted == "All" || OWN.contains(&wanted) || GIVEN.contains(&wanted)
        };
        if let Some(unknown) = request.attribute_names.iter().find(|wanted| !is_known(wanted)) {
            return Err(SqsError::new(
                SqsErrorCode::InvalidAttributeName,
                format!("Unknown Attribute {unknown}."),
            ));
        }
        let attributes = self.with(|queues, now_ms| {
            let arn = queues.arn(name);
            let queue = queues.queue_mut(name)?;
            let counts = queue.counts(now_ms);
            let settings = queue.settings();
            let mut attributes = settings.shown();
            let own = [
                ("ApproximateNumberOfMessages", counts.visible.to_string()),
                ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
                ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
                ("CreatedTimestamp", (settings.created_ms / 1000).to_string()),
                ("LastModifiedTimestamp", (settings.modified_ms / 1000).to_string()),
                ("QueueArn", arn),
            ];
            attributes.extend(own.map(|(name, value)| (name.to_owned(), value)));
            Ok(attributes)
        })?;
        let wanted = |name: &String| {
            request
                .attribute_names
                .iter()
                .any(|wanted| wanted == "All" || wanted == name)
        };
        let shown: Map<String, Value> = attributes
            .into_iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, value)| (name, Value::String(value)))
            .collect();
        Ok(if shown.is_empty() {
            json!({})
        } else {
            json!({"Attributes": shown})
        })
    }

    pub(super) fn set_queue_attributes(&self, request: &Located) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url)?;
        self.with(|queues, now_ms| queues.set(name, &request.attributes, now_ms))?;
        Ok(json!({}))
    }

    pub(super) fn list_queues(&self, request: &List) -> Result<Value, SqsError> {
        let urls = self.with(|queues, _| {
            Ok(queues
                .names(&request.queue_name_prefix)
                .map(|name| self.url(name))
                .collect())
        })?;
        page("QueueUrls", urls, request.max_results, request.next_token.as_deref())
    }

    pub(super) fn list_dead_letter_source_queues(&self, request: &Located) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url)?;
        let urls = self.with(|queues, _| {
            queues.queue(name)?;
            Ok(queues.sources_of(name).map(|name| self.url(name)).collect())
        })?;
        let mut answer = page("queueUrls", urls, request.max_results, request.next_token.as_deref())?;
        if answer.get("queueUrls").is_none() {
            answer["queueUrls"] = json!([]);
        }
        Ok(answer)
    }

    pub(super) fn purge_queue(&self, request: &Located) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url)?;
        self.with(|queues, now_ms| queues.purge(name, now_ms))?;
        Ok(json!({}))
    }
}

/// One page of a list. The token is the last URL of the page before. Without `MaxResults` there are
/// no tokens, as on AWS.
fn page(member: &str, urls: Vec<String>, max: Option<i64>, token: Option<&str>) -> Result<Value, SqsError> {
    let max = max.map(|max| within("MaxResults", max, 1, 1000)).transpose()?;
    let limit = usize::try_from(max.unwrap_or(1000)).unwrap_or(usize::MAX);
    let mut rest = urls
        .into_iter()
        .filter(|url| token.is_none_or(|token| url.as_str() > token));
    let page: Vec<String> = rest.by_ref().take(limit).collect();
    let mut answer = json!({});
    if let Some(last) = page.last().filter(|_| max.is_some() && rest.next().is_some()) {
        answer["NextToken"] = json!(last);
    }
    if !page.is_empty() {
        answer[member] = json!(page);
    }
    Ok(answer)
}
