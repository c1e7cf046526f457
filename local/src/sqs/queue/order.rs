//! Which messages are next.

use std::collections::HashSet;

use super::{FIFO_LIMIT, Queue, seconds};
use crate::sqs::message::Message;

impl Queue {
    /// Positions to deliver and to give up.
    pub(super) fn pick(&self, max: usize, limit: Option<u32>, now_ms: u64) -> (Vec<u64>, Vec<u64>) {
        let (mut delivered, mut given_up) = (Vec::new(), Vec::new());
        let mut blocked: HashSet<&str> = self
            .in_flight(now_ms)
            .filter_map(|message| self.order_of(message))
            .collect();
        let window = if self.settings.is_fifo { FIFO_LIMIT } else { usize::MAX };
        for message in self.messages.values().take(window) {
            if delivered.len() == max {
                break;
            }
            let order = self.order_of(message);
            if order.is_some_and(|group| blocked.contains(group)) {
                continue;
            }
            if self.available_ms(message) > now_ms {
                blocked.extend(order);
            } else if limit.is_some_and(|limit| message.delivery.receives >= limit) {
                given_up.push(message.position);
            } else {
                delivered.push(message.position);
            }
        }
        (delivered, given_up)
    }

    pub(super) fn in_flight(&self, now_ms: u64) -> impl Iterator<Item = &Message> {
        let received = self.received.iter().filter_map(|position| self.messages.get(position));
        received.filter(move |message| message.delivery.available_ms > now_ms)
    }

    /// The group whose order the message has to keep.
    fn order_of<'a>(&self, message: &'a Message) -> Option<&'a str> {
        message.group.as_deref().filter(|_| self.settings.is_fifo)
    }

    /// From when on the message can be received. A new delay of a FIFO queue is one also for messages that are in it already.
    pub(super) fn available_ms(&self, message: &Message) -> u64 {
        if self.settings.is_fifo && message.delivery.receives == 0 && message.source_arn.is_none() {
            message.sent_ms + seconds(self.settings.delay_s)
        } else {
            message.delivery.available_ms
        }
    }
}
