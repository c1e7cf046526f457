//! Queues and their mappings to functions. No case depends on which messages are in one batch.
//!
//! Sources:
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues.html>

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::case::cases;
use crate::expect::{equal, is};
use crate::target::{Target, tag};

cases![
    the_record_of_a_message_has_these_members,
    the_record_of_a_fifo_message_has_its_group,
    messages_of_a_group_come_in_order,
    a_group_does_not_wait_for_another,
    a_message_sent_twice_comes_once,
    a_failure_holds_up_its_group_until_it_is_dead_lettered,
    only_the_failed_messages_of_a_batch_come_again,
    a_batch_is_no_larger_than_its_limit,
    a_failing_function_gets_its_message_again_until_it_is_dead_lettered,
];

/// A message of this group. Its body has the group as its tag.
fn in_group(group: &str, order: &Value) -> Value {
    json!({"MessageBody": order.to_string(), "MessageGroupId": group, "MessageDeduplicationId": tag()})
}

/// At least `count` records of messages whose bodies contain this text, each with the time at which
/// it was recorded.
async fn records(target: &Target, text: &str, count: usize) -> Result<Vec<(Value, u64)>> {
    let is_meant = |message: &Value| {
        let body = message["Body"].as_str().unwrap_or_default();
        body.starts_with(r#"{"Records":"#) && body.contains(text)
    };
    let found = target.records.wait("the event of a message", count, is_meant).await?;
    let mut records = Vec::new();
    for message in found {
        let at = number(&message["Attributes"]["SentTimestamp"])?;
        let event: Value = serde_json::from_str(message["Body"].as_str().unwrap_or_default())?;
        let of_event = event["Records"].as_array().cloned().unwrap_or_default();
        let has_text = |record: &Value| record["body"].as_str().is_some_and(|body| body.contains(text));
        records.extend(of_event.into_iter().filter(has_text).map(|record| (record, at)));
    }
    Ok(records)
}

fn number(value: &Value) -> Result<u64> {
    let text = value
        .as_str()
        .with_context(|| format!("not a number in a text: {value}"))?;
    Ok(text.parse()?)
}

fn receives(records: &[(Value, u64)]) -> Vec<String> {
    let mut counts: Vec<String> = records
        .iter()
        .map(|(record, _)| {
            record["attributes"]["ApproximateReceiveCount"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    counts.sort();
    counts
}

async fn the_record_of_a_message_has_these_members(target: &Target) -> Result<()> {
    let text = tag();
    let attributes = json!({
        "kind": {"DataType": "String", "StringValue": "a"}, "raw": {"DataType": "Binary", "BinaryValue": "AP8="},
    });
    let message = json!({"MessageBody": json!({ "tag": text }).to_string(), "MessageAttributes": attributes});
    let id = target.send("BatchQueueUrl", message).await?;
    let (record, _) = records(target, &text, 1).await?.swap_remove(0);
    is(&record, "/messageId", id)?;
    is(&record, "/body", json!({ "tag": text }).to_string())?;
    is(&record, "/eventSource", "aws:sqs")?;
    ensure!(record["receiptHandle"].is_string(), "no receiptHandle: {record}");
    ensure!(
        record["md5OfBody"].as_str().is_some_and(|digest| digest.len() == 32),
        "no md5OfBody: {record}"
    );
    let arn = record["eventSourceARN"].as_str().unwrap_or_default();
    let region = record["awsRegion"].as_str().unwrap_or_default();
    ensure!(
        !region.is_empty() && arn.contains(&format!(":sqs:{region}:")),
        "{arn} is not in {region}"
    );
    let attributes = &record["attributes"];
    is(attributes, "/ApproximateReceiveCount", "1")?;
    ensure!(number(&attributes["ApproximateFirstReceiveTimestamp"])? >= number(&attributes["SentTimestamp"])?);
    ensure!(attributes["SenderId"].is_string(), "no SenderId: {record}");
    ensure!(attributes.get("MessageGroupId").is_none(), "a group: {record}");
    is(&record, "/messageAttributes/kind/stringValue", "a")?;
    is(&record, "/messageAttributes/kind/dataType", "String")?;
    is(&record, "/messageAttributes/raw/binaryValue", "AP8=")
}

async fn the_record_of_a_fifo_message_has_its_group(target: &Target) -> Result<()> {
    let text = tag();
    let mut message = in_group(&text, &json!({ "tag": text }));
    message["MessageDeduplicationId"] = json!(format!("{text}-d"));
    target.send("OrderedQueueUrl", message).await?;
    let (record, _) = records(target, &text, 1).await?.swap_remove(0);
    is(&record, "/attributes/MessageGroupId", text.clone())?;
    is(&record, "/attributes/MessageDeduplicationId", format!("{text}-d"))?;
    is(&record, "/attributes/ApproximateReceiveCount", "1")?;
    let number: u128 = record["attributes"]["SequenceNumber"]
        .as_str()
        .unwrap_or_default()
        .parse()
        .context("SequenceNumber")?;
    ensure!(number > 0);
    Ok(())
}

/// The first message waits at a gate until all have been sent.
async fn messages_of_a_group_come_in_order(target: &Target) -> Result<()> {
    let (group, gate) = (tag(), tag());
    for n in 0..4 {
        let order = if n == 0 {
            json!({"tag": group, "n": n, "wait_for_gate": gate})
        } else {
            json!({"tag": group, "n": n})
        };
        target.send("OrderedQueueUrl", in_group(&group, &order)).await?;
    }
    let came = records(target, &group, 1).await;
    // Opened in any case: a message at a closed gate would come again and again.
    target.open_gate(&gate).await?;
    came?;
    let mut seen = records(target, &group, 4).await?;
    equal(receives(&seen), vec!["1".to_owned(); 4])?;
    seen.sort_by_key(|(_, recorded)| *recorded);
    let bodies = seen
        .iter()
        .map(|(record, _)| serde_json::from_str(record["body"].as_str().unwrap_or_default()));
    let order: Vec<u64> = bodies
        .map(|body: Result<Value, _>| body.unwrap_or_default()["n"].as_u64().unwrap_or(99))
        .collect();
    equal(order, vec![0, 1, 2, 3])
}

/// How long a function may wait at a gate: less than its timeout.
const HELD: Duration = Duration::from_secs(25);

/// The first message of one group waits until one of another group has come. The second of its own
/// group must not come.
async fn a_group_does_not_wait_for_another(target: &Target) -> Result<()> {
    let (held, free, gate) = (tag(), tag(), tag());
    let first = json!({"tag": held, "wait_for_gate": gate});
    target.send("OrderedQueueUrl", in_group(&held, &first)).await?;
    let behaved = the_other_group_comes(target, &held, &free).await;
    target.open_gate(&gate).await?;
    behaved?;
    records(target, &held, 2).await?;
    Ok(())
}

async fn the_other_group_comes(target: &Target, held: &str, free: &str) -> Result<()> {
    records(target, held, 1).await?;
    for group in [held, free] {
        let message = in_group(group, &json!({ "tag": group }));
        target.send("OrderedQueueUrl", message).await?;
    }
    let is_free = |message: &Value| message["Body"].as_str().is_some_and(|body| body.contains(free));
    target.records.wait_for(HELD, "the other group's", 1, is_free).await?;
    let of_held = records(target, held, 1).await?;
    ensure!(of_held.len() == 1, "the second of the group did not wait for the first");
    Ok(())
}

async fn a_message_sent_twice_comes_once(target: &Target) -> Result<()> {
    let group = tag();
    let message = in_group(&group, &json!({ "tag": group }));
    let first = target.send("OrderedQueueUrl", message.clone()).await?;
    let second = target.send("OrderedQueueUrl", message).await?;
    let last = target
        .send("OrderedQueueUrl", in_group(&group, &json!({ "tag": group })))
        .await?;
    ensure!(last != first, "another deduplication id is the same message");
    let is_last = |records: &[(Value, u64)]| records.iter().any(|(record, _)| record["messageId"] == last.as_str());
    let mut count = 1;
    let seen = loop {
        let seen = records(target, &group, count).await?;
        if is_last(&seen) {
            break seen;
        }
        count = seen.len() + 1;
    };
    ensure!(seen.len() == 2, "{} came, not 2", seen.len());
    equal(second, first)
}

async fn a_failure_holds_up_its_group_until_it_is_dead_lettered(target: &Target) -> Result<()> {
    let group = tag();
    let name = |n: u32| format!("{group}/{n}");
    for n in 0..3 {
        let order = if n == 1 {
            json!({"tag": name(n), "fail": "no"})
        } else {
            json!({ "tag": name(n) })
        };
        target.send("FailingQueueUrl", in_group(&group, &order)).await?;
    }
    let last = records(target, &name(2), 1).await?;
    let failed = records(target, &name(1), 2).await?;
    equal(receives(&failed), vec!["1".to_owned(), "2".to_owned()])?;
    ensure!(
        failed.iter().all(|(_, at)| *at <= last[0].1),
        "the last did not wait for the one that fails"
    );
    equal(receives(&records(target, &name(0), 1).await?), vec!["1".to_owned()])?;
    let dead = dead(target, "DeadFailingQueueUrl", &group).await?;
    ensure!(
        dead.len() == 1 && dead[0].contains(&name(1)),
        "dead-lettered are {dead:?}"
    );
    Ok(())
}

/// The bodies with this text in the dead-letter queue, once there is one.
async fn dead(target: &Target, queue: &str, text: &str) -> Result<Vec<String>> {
    let has_text = |message: &Value| message["Body"].as_str().is_some_and(|body| body.contains(text));
    let found = target.dead(queue).wait("what is dead", 1, has_text).await?;
    Ok(found
        .iter()
        .map(|message| message["Body"].as_str().unwrap_or_default().to_owned())
        .collect())
}

/// Sends these orders in one call.
async fn send_all(target: &Target, queue: &str, orders: &[Value]) -> Result<()> {
    let entry = |(n, order): (usize, &Value)| json!({"Id": n.to_string(), "MessageBody": order.to_string()});
    let entries: Vec<Value> = orders.iter().enumerate().map(entry).collect();
    let request = json!({"QueueUrl": target.output(queue), "Entries": entries});
    let answer = target.sqs("SendMessageBatch", &request).await?;
    equal(answer["Successful"].as_array().map(Vec::len), Some(orders.len()))
}

async fn only_the_failed_messages_of_a_batch_come_again(target: &Target) -> Result<()> {
    let (good, bad) = (tag(), tag());
    let order = |n| {
        if n == 2 {
            json!({"tag": bad, "fail": "no"})
        } else {
            json!({"tag": format!("{good}/{n}")})
        }
    };
    let orders: Vec<Value> = (0..5).map(order).collect();
    send_all(target, "BatchQueueUrl", &orders).await?;
    equal(
        dead(target, "DeadBatchQueueUrl", &bad).await?,
        vec![orders[2].to_string()],
    )?;
    equal(
        receives(&records(target, &bad, 2).await?),
        vec!["1".to_owned(), "2".to_owned()],
    )?;
    for n in [0, 1, 3, 4] {
        // A standard queue may deliver a message twice, even one that was reported as done. So only
        // the first delivery counts.
        let came = records(target, &format!("{good}/{n}"), 1).await?;
        ensure!(
            receives(&came).contains(&"1".to_owned()),
            "{n} never came for the first time"
        );
    }
    let is_good = |message: &Value| message["Body"].as_str().is_some_and(|body| body.contains(&good));
    ensure!(
        target.dead("DeadBatchQueueUrl").all(is_good).is_empty(),
        "a message that did not fail is dead-lettered too"
    );
    Ok(())
}

async fn a_batch_is_no_larger_than_its_limit(target: &Target) -> Result<()> {
    let text = tag();
    let orders: Vec<Value> = (0..10).map(|n| json!({"tag": format!("{text}/{n}")})).collect();
    send_all(target, "BatchQueueUrl", &orders).await?;
    for n in 0..10 {
        records(target, &format!("{text}/{n}"), 1).await?;
    }
    let sizes = target
        .records
        .all(|message| message["Body"].as_str().is_some_and(|body| body.contains(&text)));
    for message in sizes {
        let event: Value = serde_json::from_str(message["Body"].as_str().unwrap_or_default())?;
        let size = event["Records"].as_array().map_or(0, Vec::len);
        ensure!((1..=5).contains(&size), "a batch of {size}");
    }
    Ok(())
}

async fn a_failing_function_gets_its_message_again_until_it_is_dead_lettered(target: &Target) -> Result<()> {
    let text = tag();
    let order = json!({"tag": text, "exit": 1}).to_string();
    let id = target.send("SingleQueueUrl", json!({ "MessageBody": order })).await?;
    equal(dead(target, "DeadSingleQueueUrl", &text).await?, vec![order])?;
    let seen = records(target, &text, 2).await?;
    equal(receives(&seen), vec!["1".to_owned(), "2".to_owned()])?;
    ensure!(
        seen.iter().all(|(record, _)| record["messageId"] == id.as_str()),
        "the id changes: {seen:?}"
    );
    Ok(())
}
