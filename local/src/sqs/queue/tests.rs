//! The behaviour of one queue; the tests set the time.

mod model;

use super::*;
use crate::sqs::settings::QueueAttributes;
use crate::sqs::{WINDOW_MS, receipt};

const SECOND: u64 = 1000;

fn queue(attributes: &[(&str, &str)]) -> QueueState {
    let fifo = attributes.iter().any(|(name, _)| *name == "FifoQueue");
    let attributes = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let attributes: QueueAttributes = attributes.collect();
    QueueState::new(Settings::new(if fifo { "q.fifo" } else { "q" }, &attributes).unwrap())
}

fn fifo(attributes: &[(&str, &str)]) -> QueueState {
    let kind = [("FifoQueue", "true"), ("ContentBasedDeduplication", "true")];
    queue(&[&kind[..], attributes].concat())
}

fn draft(body: &str) -> Draft {
    Draft {
        body: body.to_owned(),
        ..Draft::default()
    }
}

fn grouped(group: &str, body: &str) -> Draft {
    Draft {
        group: Some(group.to_owned()),
        ..draft(body)
    }
}

fn send(queue: &mut QueueState, draft: Draft, now_ms: u64) -> Sent {
    let id = format!("id-{}", queue.next_position);
    queue.send(draft, id, now_ms).unwrap()
}

fn receive(queue: &mut QueueState, max: usize, now_ms: u64) -> Vec<Message> {
    let visibility_s = queue.settings().visibility_timeout_s;
    queue.receive(max, visibility_s, true, now_ms).unwrap().messages
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

fn receipt_of(message: &Message) -> Receipt {
    receipt::decode("q", &receipt::encode("q", message)).unwrap()
}

fn delete(queue: &mut QueueState, message: &Message, now_ms: u64) -> Result<(), SqsError> {
    queue.delete(&receipt_of(message), "handle", now_ms)
}

fn hide(queue: &mut QueueState, message: &Message, visibility_s: u32, now_ms: u64) -> Result<(), SqsError> {
    queue.change_visibility(&receipt_of(message), "handle", visibility_s, now_ms)
}

#[test]
fn a_received_message_is_hidden_until_its_timeout_and_gone_after_a_delete() {
    let mut queue = queue(&[]);
    send(&mut queue, draft("a"), 0);
    let first = receive(&mut queue, 1, 0);
    assert_eq!(bodies(&first), ["a"]);
    assert!(receive(&mut queue, 1, 30 * SECOND - 1).is_empty());
    assert_eq!(queue.next_visible_ms(1), Some(30 * SECOND));
    let second = receive(&mut queue, 1, 30 * SECOND);
    let delivery = second[0].delivery;
    assert_eq!((delivery.receives, delivery.first_ms), (2, Some(0)));
    delete(&mut queue, &second[0], 31 * SECOND).unwrap();
    assert_eq!(queue.counts(31 * SECOND), Counts::default());
    delete(&mut queue, &second[0], 32 * SECOND).unwrap();
}

#[test]
fn a_message_has_its_own_delay_or_that_of_the_queue() {
    let mut queue = queue(&[("DelaySeconds", "5")]);
    let own = Draft {
        delay_s: Some(1),
        ..draft("own")
    };
    send(&mut queue, draft("queue"), 0);
    send(&mut queue, own, 0);
    assert_eq!(queue.counts(0).delayed, 2);
    assert!(receive(&mut queue, 10, 999).is_empty());
    assert_eq!(bodies(&receive(&mut queue, 10, SECOND)), ["own"]);
    assert_eq!(bodies(&receive(&mut queue, 10, 5 * SECOND)), ["queue"]);
}

#[test]
fn a_fifo_queue_delivers_all_of_one_group_before_the_next() {
    let mut queue = fifo(&[]);
    for (group, body) in [
        ("a", "a1"),
        ("b", "b1"),
        ("a", "a2"),
        ("c", "c1"),
        ("b", "b2"),
        ("a", "a3"),
    ] {
        send(&mut queue, grouped(group, body), 0);
    }
    assert_eq!(bodies(&receive(&mut queue, 2, 0)), ["a1", "a2"]);
    assert_eq!(bodies(&receive(&mut queue, 10, 0)), ["b1", "b2", "c1"]);
    assert_eq!(bodies(&receive(&mut queue, 10, 0)), [""; 0]);
}

#[test]
fn a_fifo_queue_has_one_delay_for_all_messages() {
    let mut queue = fifo(&[("DelaySeconds", "5")]);
    let own = Draft {
        delay_s: Some(1),
        ..grouped("g", "own")
    };
    let error = queue.send(own, String::new(), 0).unwrap_err();
    assert_eq!(error.code, SqsErrorCode::InvalidParameterValue);
    send(&mut queue, grouped("g", "a"), 0);
    assert!(receive(&mut queue, 1, 4 * SECOND).is_empty());
    assert_eq!(bodies(&receive(&mut queue, 1, 5 * SECOND)), ["a"]);
}

#[test]
fn a_message_is_kept_for_the_retention_period() {
    let mut queue = queue(&[("MessageRetentionPeriod", "60")]);
    send(&mut queue, draft("a"), 0);
    assert_eq!(receive(&mut queue, 1, 59 * SECOND).len(), 1);
    assert_eq!(queue.counts(60 * SECOND), Counts::default());
}

#[test]
fn a_message_that_was_received_too_often_is_given_up_at_the_next_receive() {
    let policy = r#"{"deadLetterTargetArn":"arn","maxReceiveCount":2}"#;
    let mut queue = queue(&[("RedrivePolicy", policy), ("VisibilityTimeout", "1")]);
    send(&mut queue, draft("a"), 0);
    for round in 0..2 {
        assert_eq!(receive(&mut queue, 1, round * SECOND).len(), 1);
    }
    assert_eq!(queue.counts(2 * SECOND).visible, 1);
    let received = queue.receive(1, 1, true, 2 * SECOND).unwrap();
    assert!(received.messages.is_empty());
    assert_eq!(bodies(&received.given_up), ["a"]);
    assert_eq!(queue.counts(2 * SECOND), Counts::default());
}

#[test]
fn without_a_dead_letter_queue_a_message_stays() {
    let policy = r#"{"deadLetterTargetArn":"arn","maxReceiveCount":1}"#;
    let mut queue = queue(&[("RedrivePolicy", policy)]);
    send(&mut queue, draft("a"), 0);
    queue.receive(1, 0, false, 0).unwrap();
    assert_eq!(queue.receive(1, 0, false, 1).unwrap().messages.len(), 1);
}

#[test]
fn a_handle_of_an_earlier_delivery_deletes_nothing() {
    let mut queue = queue(&[]);
    send(&mut queue, draft("a"), 0);
    let first = receive(&mut queue, 1, 0);
    let second = receive(&mut queue, 1, 30 * SECOND);
    delete(&mut queue, &first[0], 31 * SECOND).unwrap();
    assert_eq!(queue.counts(31 * SECOND).in_flight, 1);
    delete(&mut queue, &second[0], 31 * SECOND).unwrap();
    assert_eq!(queue.counts(31 * SECOND), Counts::default());
}

#[test]
fn a_standard_queue_deletes_after_the_timeout_and_a_fifo_queue_refuses() {
    let mut standard = queue(&[]);
    send(&mut standard, draft("a"), 0);
    let message = receive(&mut standard, 1, 0).remove(0);
    delete(&mut standard, &message, 31 * SECOND).unwrap();
    assert_eq!(standard.counts(31 * SECOND), Counts::default());

    let mut fifo = fifo(&[]);
    send(&mut fifo, grouped("g", "a"), 0);
    let message = receive(&mut fifo, 1, 0).remove(0);
    let error = delete(&mut fifo, &message, 31 * SECOND).unwrap_err();
    assert_eq!(error.code, SqsErrorCode::InvalidParameterValue);
    assert!(error.message.ends_with("The receipt handle has expired."), "{error}");
}

#[test]
fn visibility_can_be_extended_up_to_twelve_hours_in_total() {
    let mut queue = queue(&[]);
    send(&mut queue, draft("a"), 0);
    let message = receive(&mut queue, 1, 0).remove(0);
    hide(&mut queue, &message, 60, 10 * SECOND).unwrap();
    assert_eq!(queue.next_visible_ms(10 * SECOND), Some(70 * SECOND));
    let error = hide(&mut queue, &message, VISIBILITY_LIMIT_S, 11 * SECOND).unwrap_err();
    assert_eq!(error.code, SqsErrorCode::InvalidParameterValue);
    hide(&mut queue, &message, 0, 12 * SECOND).unwrap();
    assert_eq!(queue.counts(12 * SECOND).visible, 1);
    let error = hide(&mut queue, &message, 1, 12 * SECOND).unwrap_err();
    assert_eq!(error.code, SqsErrorCode::MessageNotInflight);
}

#[test]
fn while_a_message_of_a_group_is_in_flight_none_of_that_group_is_delivered() {
    let mut queue = fifo(&[]);
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
        send(&mut queue, grouped(group, body), 0);
    }
    let first = receive(&mut queue, 1, 0);
    assert_eq!(bodies(&first), ["a1"]);
    assert_eq!(bodies(&receive(&mut queue, 10, 0)), ["b1"]);
    assert!(receive(&mut queue, 10, 0).is_empty());
    delete(&mut queue, &first[0], 1).unwrap();
    assert_eq!(bodies(&receive(&mut queue, 10, 1)), ["a2", "a3"]);
}

#[test]
fn the_rest_of_a_fifo_batch_is_delivered_again_in_order_once_all_of_it_is_visible() {
    let mut queue = fifo(&[]);
    for body in ["1", "2", "3"] {
        send(&mut queue, grouped("g", body), 0);
    }
    let batch = receive(&mut queue, 10, 0);
    delete(&mut queue, &batch[0], 0).unwrap();
    hide(&mut queue, &batch[1], 0, 0).unwrap();
    assert!(receive(&mut queue, 10, 1).is_empty());
    assert_eq!(bodies(&receive(&mut queue, 10, 30 * SECOND)), ["2", "3"]);
}

#[test]
fn a_standard_queue_accepts_a_group_but_ignores_its_order() {
    let mut queue = queue(&[]);
    send(&mut queue, grouped("tenant", "1"), 0);
    send(&mut queue, grouped("tenant", "2"), 0);
    assert_eq!(bodies(&receive(&mut queue, 1, 0)), ["1"]);
    assert_eq!(bodies(&receive(&mut queue, 1, 0)), ["2"]);
    let with_id = Draft {
        deduplication_id: Some("d".to_owned()),
        ..draft("a")
    };
    assert_eq!(
        queue.send(with_id, String::new(), 0).unwrap_err().code,
        SqsErrorCode::InvalidParameterValue
    );
}

#[test]
fn for_five_minutes_a_repeated_send_gets_the_first_answer_even_if_the_message_is_deleted() {
    let mut queue = fifo(&[]);
    let first = send(&mut queue, grouped("g", "a"), 0);
    let message = receive(&mut queue, 1, 0).remove(0);
    delete(&mut queue, &message, 0).unwrap();
    assert_eq!(send(&mut queue, grouped("g", "a"), WINDOW_MS - 1), first);
    assert_eq!(queue.counts(WINDOW_MS - 1), Counts::default());
    assert_ne!(send(&mut queue, grouped("g", "a"), WINDOW_MS), first);
    assert_eq!(queue.counts(WINDOW_MS).visible, 1);
}

#[test]
fn a_deduplication_id_is_unique_per_queue_or_per_group() {
    let same = |group: &str| Draft {
        deduplication_id: Some("d".to_owned()),
        ..grouped(group, group)
    };
    for (scope, expected) in [("queue", 1), ("messageGroup", 2)] {
        let mut queue = fifo(&[("DeduplicationScope", scope)]);
        send(&mut queue, same("a"), 0);
        send(&mut queue, same("b"), 0);
        assert_eq!(queue.counts(0).visible, expected, "{scope}");
    }
}

#[test]
fn a_fifo_queue_requires_a_group_and_a_deduplication_id() {
    let mut queue = queue(&[("FifoQueue", "true")]);
    let error = queue.send(draft("a"), String::new(), 0).unwrap_err();
    assert_eq!(error.code, SqsErrorCode::MissingParameter);
    let error = queue.send(grouped("g", "a"), String::new(), 0).unwrap_err();
    assert_eq!(error.code, SqsErrorCode::InvalidParameterValue);
}

#[test]
fn sequence_numbers_grow_and_standard_queues_have_none() {
    let mut ordered = fifo(&[]);
    let numbers = ["a", "b"].map(|body| send(&mut ordered, grouped("g", body), 0).sequence_number.unwrap());
    assert!(numbers[0] < numbers[1]);
    assert_eq!(send(&mut queue(&[]), draft("a"), 0).sequence_number, None);
}

#[test]
fn a_purge_removes_everything() {
    let mut queue = queue(&[]);
    for body in ["a", "b"] {
        send(&mut queue, draft(body), 0);
    }
    receive(&mut queue, 1, 0);
    queue.purge("q", 0).unwrap();
    assert_eq!(queue.counts(0), Counts::default());
}
