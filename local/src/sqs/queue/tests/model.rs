//! A FIFO queue does what a simple model of one does.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Send {
        group: u8,
        deduplication_id: u8,
    },
    Receive {
        max: usize,
    },
    /// Deletes one of the messages received so far, by its latest handle.
    Delete {
        which: usize,
    },
    Hide {
        which: usize,
        visibility_s: u32,
    },
    Wait {
        ms: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_u8, 0..20_u8).prop_map(|(group, deduplication_id)| Step::Send { group, deduplication_id }),
        3 => (1..=10_usize).prop_map(|max| Step::Receive { max }),
        2 => any::<usize>().prop_map(|which| Step::Delete { which }),
        1 => (any::<usize>(), 0..60_u32).prop_map(|(which, visibility_s)| Step::Hide { which, visibility_s }),
        2 => (1..400_000_u64).prop_map(|ms| Step::Wait { ms }),
    ]
}

/// A simple model of a FIFO queue: the messages of each group in order, hidden messages with the
/// time at which they become visible, and the times at which ids were used.
#[derive(Default)]
struct Model {
    groups: BTreeMap<String, Vec<String>>,
    hidden_until: BTreeMap<String, u64>,
    used: BTreeMap<String, (String, u64)>,
}

impl Model {
    /// The id in the answer to this send.
    fn send(&mut self, group: &str, deduplication_id: &str, id: &str, now_ms: u64) -> String {
        if let Some((first, at)) = self.used.get(deduplication_id)
            && at + WINDOW_MS > now_ms
        {
            return first.clone();
        }
        self.used.insert(deduplication_id.to_owned(), (id.to_owned(), now_ms));
        self.groups.entry(group.to_owned()).or_default().push(id.to_owned());
        id.to_owned()
    }

    fn is_hidden(&self, id: &str, now_ms: u64) -> bool {
        self.hidden_until.get(id).is_some_and(|until| *until > now_ms)
    }

    /// How many messages can be received.
    fn free(&self, now_ms: u64) -> usize {
        let free = self
            .groups
            .values()
            .filter(|ids| !ids.iter().any(|id| self.is_hidden(id, now_ms)));
        free.map(Vec::len).sum()
    }

    /// Checks that a batch consists of the front of free groups, in order.
    fn receive(&mut self, batch: &[Message], now_ms: u64) {
        let mut taken: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for message in batch {
            taken
                .entry(message.group.as_deref().unwrap())
                .or_default()
                .push(&message.id);
        }
        for (group, ids) in taken {
            let held = &self.groups[group];
            assert!(!held.iter().any(|id| self.is_hidden(id, now_ms)), "{group} is not free");
            assert!(
                held.iter().zip(&ids).all(|(held, id)| held == id),
                "{ids:?} of {held:?}"
            );
            assert!(ids.len() <= held.len());
        }
        let until = now_ms + 30 * SECOND;
        self.hidden_until
            .extend(batch.iter().map(|message| (message.id.clone(), until)));
    }

    fn remove(&mut self, message: &Message) {
        let held = self.groups.get_mut(message.group.as_deref().unwrap()).unwrap();
        held.retain(|id| *id != message.id);
    }
}

proptest! {
    #[test]
    fn a_fifo_queue_does_what_its_model_does(steps in prop::collection::vec(step(), 1..120)) {
        let mut queue = fifo(&[]);
        let mut model = Model::default();
        let mut received: Vec<Message> = Vec::new();
        let mut now_ms = 0;
        let mut log = queue.take_changes();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Wait { ms } => now_ms += ms,
                Step::Send { group, deduplication_id } => {
                    let (group, key, id) = (format!("g{group}"), format!("d{deduplication_id}"), format!("m{number}"));
                    let draft = Draft { deduplication_id: Some(key.clone()), ..grouped(&group, "body") };
                    let sent = queue.send(draft, id.clone(), now_ms).unwrap();
                    prop_assert_eq!(sent.id, model.send(&group, &key, &id, now_ms));
                }
                Step::Receive { max } => {
                    let batch = receive(&mut queue, max, now_ms);
                    prop_assert_eq!(batch.len(), model.free(now_ms).min(max));
                    model.receive(&batch, now_ms);
                    received.extend(batch);
                }
                Step::Delete { which } => {
                    let Some(message) = received.get(which % received.len().max(1)) else { continue };
                    let held = queue.messages.get(&message.position);
                    let is_latest = held.is_some_and(|held| held.delivery.receives == message.delivery.receives);
                    let in_time = is_latest && model.is_hidden(&message.id, now_ms);
                    let deleted = delete(&mut queue, message, now_ms);
                    let was_there = model.groups[message.group.as_deref().unwrap()].contains(&message.id);
                    prop_assert_eq!(deleted.is_ok(), in_time || !was_there);
                    if in_time {
                        model.remove(message);
                    }
                }
                Step::Hide { which, visibility_s } => {
                    let Some(message) = received.get(which % received.len().max(1)) else { continue };
                    if hide(&mut queue, message, visibility_s, now_ms).is_ok() {
                        model.hidden_until.insert(message.id.clone(), now_ms + u64::from(visibility_s) * SECOND);
                    }
                }
            }
            let held: usize = model.groups.values().map(Vec::len).sum();
            prop_assert_eq!(queue.messages.len(), held);
            log.extend(queue.take_changes());
        }
        let mut replayed = fifo(&[]);
        for change in &log {
            replayed.apply(change);
        }
        prop_assert_eq!(replayed.snapshot(), queue.snapshot());
        let mut restored = fifo(&[]);
        for change in queue.snapshot() {
            restored.apply(&change);
        }
        prop_assert_eq!(restored.snapshot(), queue.snapshot());
        prop_assert_eq!(restored.received, queue.received);
    }

    #[test]
    fn a_standard_queue_loses_nothing_and_delivers_nothing_twice_at_once(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut queue = queue(&[]);
        let mut held: BTreeMap<String, u64> = BTreeMap::new();
        let mut received: Vec<Message> = Vec::new();
        let mut now_ms = 0;
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Wait { ms } => now_ms += ms,
                Step::Send { .. } => {
                    queue.send(draft("body"), number.to_string(), now_ms).unwrap();
                    held.insert(number.to_string(), now_ms);
                }
                Step::Receive { max } => {
                    let visible = held.values().filter(|until| **until <= now_ms).count();
                    let batch = receive(&mut queue, max, now_ms);
                    prop_assert_eq!(batch.len(), visible.min(max));
                    for message in &batch {
                        let until = held.insert(message.id.clone(), now_ms + 30 * SECOND);
                        prop_assert!(until.is_some_and(|until| until <= now_ms));
                    }
                    received.extend(batch);
                }
                Step::Delete { which } | Step::Hide { which, .. } => {
                    let Some(message) = received.get(which % received.len().max(1)) else { continue };
                    let is_latest = queue.find(&receipt_of(message)).is_some_and(|it| it.delivery == message.delivery);
                    delete(&mut queue, message, now_ms).unwrap();
                    if is_latest {
                        held.remove(&message.id);
                    }
                }
            }
            prop_assert_eq!(queue.messages.len(), held.len());
        }
    }
}
