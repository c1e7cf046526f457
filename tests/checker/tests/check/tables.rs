//! How items of the timelines table are read.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use prost::Message as _;
use wigwag_checker::tables::{Item, from_items};
use wigwag_domain::{GroupId, TimelineId, UserId};
use wigwag_invariants::{Conversation, Observed, Row, TimelineKey, Token};
use wigwag_protocol::pb;
use wigwag_store::schema::timelines as attr;

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn item(timeline: &TimelineId, seq: u64, attributes: &[(&str, AttributeValue)]) -> Item {
    let key = [
        (attr::TIMELINE, text(&attr::partition(timeline))),
        (attr::SEQ, number(seq)),
        (attr::RESERVED_AT, number(1_000)),
    ];
    let attributes = key.into_iter().chain(attributes.iter().cloned());
    attributes.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn head(timeline: &TimelineId, counter: u64) -> Item {
    item(timeline, attr::HEAD, &[(attr::COUNTER, number(counter))])
}

fn entry(timeline: &TimelineId, seq: u64, message: &pb::Message) -> Item {
    let message = AttributeValue::B(Blob::new(message.encode_to_vec()));
    item(timeline, seq, &[(attr::MESSAGE, message)])
}

fn reference(timeline: &TimelineId, seq: u64, log: &TimelineId, log_seq: u64) -> Item {
    let there = [
        (attr::LOG, text(&attr::partition(log))),
        (attr::LOG_SEQ, number(log_seq)),
        (attr::BYTES, number(1_000)),
    ];
    item(timeline, seq, &there)
}

const TOKEN: Token = Token { number: 5, bytes: 50 };

fn message() -> pb::Message {
    pb::Message {
        session_type: pb::SessionType::Single.into(),
        receiver_id: 1,
        sender_id: 2,
        content: TOKEN.content().into_bytes(),
        conversation_seq: 3,
        client_id: 4,
        session: 6,
        ..pb::Message::default()
    }
}

fn observed(seq: u64) -> Observed {
    Observed {
        token: Some(TOKEN),
        intact: true,
        conversation: Conversation::Pair(1, 2),
        conversation_seq: 3,
        seq,
        sender: 2,
        session: 6,
        client_id: 4,
        change: None,
        digest: Observed::from_message(&message()).digest,
    }
}

#[test]
fn items_are_read_in_any_order() {
    let (inbox, log) = (TimelineId::inbox(UserId(1)), TimelineId::peer(UserId(1), UserId(2)));
    let mut items = vec![
        head(&inbox, 5),
        entry(&inbox, 1, &message()),
        item(&inbox, 2, &[(attr::SEAL, AttributeValue::Bool(true))]),
        reference(&inbox, 3, &log, 3),
        reference(&inbox, 4, &log, 9),
        head(&log, 3),
        entry(&log, 3, &message()),
    ];
    for _ in 0..2 {
        items.reverse();
        let tables = from_items(&items).unwrap();
        let inbox = tables.inbox(1).unwrap();
        let dangling = Row::Dangling {
            log: "p1-2".to_owned(),
            seq: 9,
        };
        let rows = [Row::Entry(observed(1)), Row::Seal, Row::Entry(observed(3)), dangling];
        assert_eq!(inbox.counter, 5);
        assert_eq!(inbox.rows.values().cloned().collect::<Vec<_>>(), rows);
        let log = tables.log(Conversation::Pair(1, 2)).unwrap();
        assert_eq!((log.counter, &log.rows[&3]), (3, &Row::Entry(observed(0))));
        assert_eq!((tables.seals(), tables.entries()), (1, 4));
    }
}

#[test]
fn delivery_plans_are_not_timelines() {
    let plan = |key: &str| {
        let shares = AttributeValue::B(Blob::new([1, 2]));
        let key = [
            (attr::TIMELINE, text(key)),
            (attr::SEQ, number(1)),
            (attr::SHARES, shares),
        ];
        key.map(|(name, value)| (name.to_owned(), value)).into()
    };
    let tables = from_items(&[plan("g7.0"), plan("g7.users")]).unwrap();
    assert!(tables.timelines.is_empty());
}

#[test]
fn an_item_that_is_no_row_is_an_error() {
    let error = from_items(&[item(&TimelineId::inbox(UserId(1)), 1, &[])]).unwrap_err();
    assert!(format!("{error:#}").contains("find the text l"), "{error:#}");
    let not_a_message = [(attr::MESSAGE, AttributeValue::B(Blob::new([0xff])))];
    assert!(from_items(&[item(&TimelineId::inbox(UserId(1)), 1, &not_a_message)]).is_err());
}

#[test]
fn a_key_names_the_same_timeline_as_in_the_store() {
    let cases = [
        (TimelineId::inbox(UserId(12)), TimelineKey::Inbox(12)),
        (
            TimelineId::peer(UserId(3), UserId(2)),
            TimelineKey::Log(Conversation::Pair(2, 3)),
        ),
        (TimelineId::group(GroupId(7)), TimelineKey::Log(Conversation::Group(7))),
    ];
    for (id, key) in cases {
        assert_eq!(TimelineKey::parse(&attr::partition(&id)), Some(key));
        assert_eq!(key.to_string(), attr::partition(&id));
    }
    for key in ["", "u", "ux", "p1", "g7.0", "x1", "ä1"] {
        assert_eq!(TimelineKey::parse(key), None, "{key}");
    }
}
