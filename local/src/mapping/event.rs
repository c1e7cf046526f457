//! The events that functions get for messages: the JSON of AWS, record by record.

use serde_json::{Map, Value, json};

use crate::sqs::digest::{md5_of_attributes, md5_of_body};
use crate::sqs::{Attributes, Message, system_attributes};

/// The event with these records.
pub(super) fn with_records(records: &[Value]) -> Value {
    json!({"Records": records})
}

/// The record of one message.
pub(super) fn record(message: &Message, receipt_handle: &str, queue_arn: &str, region: &str) -> Value {
    let mut record = json!({
        "messageId": message.id,
        "receiptHandle": receipt_handle,
        "body": message.body,
        "attributes": system_attributes(message),
        "messageAttributes": own_attributes(&message.attributes),
    });
    if let Some(digest) = md5_of_attributes(&message.attributes) {
        record["md5OfMessageAttributes"] = json!(digest);
    }
    record["md5OfBody"] = json!(md5_of_body(&message.body));
    record["eventSource"] = json!("aws:sqs");
    record["eventSourceARN"] = json!(queue_arn);
    record["awsRegion"] = json!(region);
    record
}

fn own_attributes(attributes: &Attributes) -> Map<String, Value> {
    let shown = attributes.iter().map(|(name, attribute)| {
        let mut shown = Map::new();
        let values = [
            ("stringValue", &attribute.string_value),
            ("binaryValue", &attribute.binary_value),
        ];
        for (key, value) in values {
            shown.extend(value.as_ref().map(|value| (key.to_owned(), json!(value))));
        }
        shown.insert("stringListValues".to_owned(), json!([]));
        shown.insert("binaryListValues".to_owned(), json!([]));
        shown.insert("dataType".to_owned(), json!(attribute.data_type));
        (name.clone(), Value::Object(shown))
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqs::{Attribute, Delivery};

    #[test]
    fn the_record_of_a_fifo_message_is_as_on_aws() {
        let attribute = Attribute {
            data_type: "String".to_owned(),
            string_value: Some("text".to_owned()),
            binary_value: None,
        };
        let message = Message {
            id: "059f36b4-87a3-44ab-83d2-661975830a7d".to_owned(),
            position: 7,
            body: "Hello".to_owned(),
            attributes: Attributes::from([("kind".to_owned(), attribute)]),
            trace_header: None,
            sender: "AIDAEXAMPLE".to_owned(),
            group: Some("g".to_owned()),
            deduplication_id: Some("d".to_owned()),
            sent_ms: 1_545_082_649_183,
            source_arn: None,
            delivery: Delivery {
                available_ms: 0,
                receives: 1,
                first_ms: Some(1_545_082_649_185),
                latest_ms: None,
            },
        };
        let record = record(&message, "handle", "arn:aws:sqs:us-east-1:0:q.fifo", "us-east-1");
        insta::assert_snapshot!(serde_json::to_string_pretty(&record).unwrap(), @r#"
        {
          "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
          "receiptHandle": "handle",
          "body": "Hello",
          "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SequenceNumber": "18800000000000000007",
            "MessageGroupId": "g",
            "SenderId": "AIDAEXAMPLE",
            "MessageDeduplicationId": "d",
            "ApproximateFirstReceiveTimestamp": "1545082649185"
          },
          "messageAttributes": {
            "kind": {
              "stringValue": "text",
              "stringListValues": [],
              "binaryListValues": [],
              "dataType": "String"
            }
          },
          "md5OfMessageAttributes": "02040e5f75096245a5b4dee127510795",
          "md5OfBody": "8b1a9953c4611296a827abf8c47804d7",
          "eventSource": "aws:sqs",
          "eventSourceARN": "arn:aws:sqs:us-east-1:0:q.fifo",
          "awsRegion": "us-east-1"
        }
        "#);
    }
}
