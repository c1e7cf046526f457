//! What a function's answer says about the messages of its batch.
//!
//! With `ReportBatchItemFailures`, an answer without failures is a success, and an answer that
//! names messages fails those. An answer that cannot be read, or that names a message outside the
//! batch, fails all.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>

use std::collections::BTreeSet;

use serde_json::Value;

use crate::lambda::InvokeError;
use crate::sqs::Message;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BatchOutcome {
    /// All messages are done except those with these ids.
    Done { failed: BTreeSet<String> },
    /// No message is done, for this reason.
    Failed(String),
}

/// Reads the result of an invocation. `reports` says whether the mapping has
/// `ReportBatchItemFailures`.
pub(super) fn read(messages: &[Message], result: Result<Value, InvokeError>, reports: bool) -> BatchOutcome {
    let answer = match result {
        Ok(answer) if reports => answer,
        Ok(_) => {
            return BatchOutcome::Done {
                failed: BTreeSet::new(),
            };
        }
        Err(error) => return BatchOutcome::Failed(error.to_string()),
    };
    let failed = match failures(&answer) {
        Ok(failed) => failed,
        Err(reason) => return BatchOutcome::Failed(reason),
    };
    match failed
        .iter()
        .find(|id| !messages.iter().any(|message| message.id == **id))
    {
        Some(unknown) => BatchOutcome::Failed(format!("it reported {unknown:?}, which is not a message of the batch")),
        None => BatchOutcome::Done { failed },
    }
}

/// The messages that stay in the queue because they failed. In a FIFO queue also those behind them
/// in their groups.
pub(super) fn staying<'a>(messages: &'a [Message], failed: &BTreeSet<String>, is_fifo: bool) -> BTreeSet<&'a str> {
    let (mut staying, mut groups) = (BTreeSet::new(), BTreeSet::new());
    for message in messages {
        let group = message.group.as_deref().filter(|_| is_fifo);
        if failed.contains(&message.id) || group.is_some_and(|group| groups.contains(group)) {
            staying.insert(message.id.as_str());
            groups.extend(group);
        }
    }
    staying
}

fn failures(answer: &Value) -> Result<BTreeSet<String>, String> {
    let none = Ok(BTreeSet::new());
    let list = match answer {
        Value::Null => return none,
        Value::Object(answer) if answer.is_empty() => return none,
        Value::Object(answer) => answer
            .get("batchItemFailures")
            .ok_or("its answer has no batchItemFailures")?,
        _ => return Err("its answer is not a map".to_owned()),
    };
    let failures = match list {
        Value::Null => return none,
        Value::Array(failures) => failures,
        _ => return Err("its batchItemFailures is not a list".to_owned()),
    };
    let id = |failure: &Value| {
        failure["itemIdentifier"]
            .as_str()
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
    };
    let ids: Option<BTreeSet<String>> = failures.iter().map(id).collect();
    ids.ok_or_else(|| "one of its batchItemFailures has no itemIdentifier".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqs::Delivery;
    use serde_json::json;

    fn message(id: &str, group: Option<&str>) -> Message {
        Message {
            id: id.to_owned(),
            position: 1,
            body: String::new(),
            attributes: crate::sqs::Attributes::new(),
            trace_header: None,
            sender: String::new(),
            group: group.map(str::to_owned),
            deduplication_id: None,
            sent_ms: 0,
            source_arn: None,
            delivery: Delivery::default(),
        }
    }

    fn failed(answer: Value) -> Option<Vec<String>> {
        let batch = [message("a", None), message("b", None)];
        match read(&batch, Ok(answer), true) {
            BatchOutcome::Done { failed } => Some(failed.into_iter().collect()),
            BatchOutcome::Failed(_) => None,
        }
    }

    #[test]
    fn an_answer_without_failures_is_success() {
        for answer in [
            json!(null),
            json!({}),
            json!({"batchItemFailures": null}),
            json!({"batchItemFailures": []}),
        ] {
            assert_eq!(failed(answer.clone()), Some(Vec::new()), "{answer}");
        }
    }

    #[test]
    fn an_answer_with_failures_fails_those() {
        let answer = json!({"batchItemFailures": [{"itemIdentifier": "b"}]});
        assert_eq!(failed(answer), Some(vec!["b".to_owned()]));
    }

    #[test]
    fn an_answer_that_cannot_be_understood_fails_all() {
        for answer in [
            json!("done"),
            json!([]),
            json!({"failures": []}),
            json!({"batchItemFailures": "a"}),
            json!({"batchItemFailures": [{"itemIdentifier": ""}]}),
            json!({"batchItemFailures": [{"itemIdentifier": null}]}),
            json!({"batchItemFailures": [{"itemId": "a"}]}),
            json!({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "other"}]}),
        ] {
            assert_eq!(failed(answer.clone()), None, "{answer}");
        }
    }

    #[test]
    fn an_error_fails_all_and_without_reports_any_answer_is_success() {
        let batch = [message("a", None)];
        assert!(matches!(
            read(&batch, Err(InvokeError::Throttled), true),
            BatchOutcome::Failed(_)
        ));
        let answer = json!({"batchItemFailures": [{"itemIdentifier": "a"}]});
        assert_eq!(
            read(&batch, Ok(answer), false),
            BatchOutcome::Done {
                failed: BTreeSet::new()
            }
        );
    }

    #[test]
    fn messages_behind_a_failed_one_in_their_fifo_group_stay_too() {
        let batch = [
            message("a1", Some("a")),
            message("b1", Some("b")),
            message("a2", Some("a")),
            message("a3", Some("a")),
        ];
        let failed = BTreeSet::from(["a2".to_owned()]);
        assert_eq!(staying(&batch, &failed, true), BTreeSet::from(["a2", "a3"]));
        assert_eq!(staying(&batch, &failed, false), BTreeSet::from(["a2"]));
    }
}
