//! The pushes of a batch, gathered by device.

use std::collections::HashMap;
use wigwag_edge::push::{Content, Push, Target};

/// Pushes, one per connection, in the order in which their first content came.
#[derive(Debug, Default)]
pub(crate) struct Pushes {
    pushes: Vec<Push>,
    places: HashMap<String, usize>,
}

impl Pushes {
    /// Adds contents for a device.
    pub(crate) fn add(&mut self, target: Target, contents: impl IntoIterator<Item = Content>) {
        if let Some(place) = self.places.get(&target.connection.id) {
            self.pushes[*place].contents.extend(contents);
            return;
        }
        self.places.insert(target.connection.id.clone(), self.pushes.len());
        let contents = contents.into_iter().collect();
        self.pushes.push(Push { target, contents });
    }

    /// Adds the pushes of another group.
    pub(crate) fn extend(&mut self, others: Self) {
        for push in others.pushes {
            self.add(push.target, push.contents);
        }
    }

    pub(crate) fn into_pushes(self) -> Vec<Push> {
        self.pushes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use wigwag_domain::connection::Connection;
    use wigwag_domain::{DeviceKey, UserId};
    use wigwag_protocol::pb::Message;

    fn target(id: &str) -> Target {
        Target {
            user: UserId(1),
            device: DeviceKey::derive(1, id),
            connection: Connection {
                id: id.to_owned(),
                platform: 1,
                protobuf: false,
                connected_at_ms: 0,
            },
            room: None,
        }
    }

    fn message(seq: u64) -> Content {
        let message = Arc::new(Message::default());
        Content::Message { seq, message }
    }

    #[test]
    fn a_device_gets_the_frames_of_all_message_groups_in_order() {
        let (mut one, mut other) = (Pushes::default(), Pushes::default());
        one.add(target("phone"), [message(1), message(2)]);
        one.add(target("tablet"), [message(1)]);
        other.add(target("phone"), [message(3)]);
        one.extend(other);
        let seqs = |push: &Push| -> Vec<u64> {
            let seq = |content: &Content| match content {
                Content::Message { seq, .. } => *seq,
                Content::Signal(_) => 0,
            };
            push.contents.iter().map(seq).collect()
        };
        let gathered: Vec<_> = one.into_pushes().iter().map(seqs).collect();
        assert_eq!(gathered, [vec![1, 2, 3], vec![1]]);
    }
}
