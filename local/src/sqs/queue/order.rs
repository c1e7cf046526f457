//! Which messages a receive takes.

use std::collections::{HashMap, HashSet};

use super::{IN_FLIGHT_LIMIT, QueueState, seconds};
use crate::sqs::message::Message;

impl QueueState {
    /// Positions to deliver, and positions to give up to the dead-letter queue. Both start at the
    /// front. A FIFO queue takes as many messages of one group as there are before it takes those
    /// of the next.
    ///
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html>
    pub(super) fn pick(&self, max: usize, limit: Option<u32>, now_ms: u64) -> (Vec<u64>, Vec<u64>) {
        let mut blocked: HashSet<&str> = self
            .in_flight(now_ms)
            .filter_map(|message| self.order_of(message))
            .collect();
        let window = if self.settings.is_fifo {
            IN_FLIGHT_LIMIT
        } else {
            usize::MAX
        };
        let is_ready = |message: &Message| limit.is_none_or(|limit| message.delivery.receives < limit);
        let mut ready_in_all = 0;
        // By first message; in a standard queue each message is a group of its own.
        let mut groups: Vec<Vec<&Message>> = Vec::new();
        let mut indexes: HashMap<&str, usize> = HashMap::new();
        for message in self.messages.values().take(window) {
            let ahead = if self.settings.is_fifo { groups.first() } else { None };
            let ready = ahead.map_or(ready_in_all, |first| first.iter().filter(|it| is_ready(it)).count());
            if ready >= max {
                break;
            }
            let order = self.order_of(message);
            if order.is_some_and(|group| blocked.contains(group)) {
                continue;
            }
            if self.available_ms(message) > now_ms {
                blocked.extend(order);
                continue;
            }
            let index = order.and_then(|group| indexes.get(group).copied());
            let index = index.unwrap_or_else(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            indexes.extend(order.map(|group| (group, index)));
            groups[index].push(message);
            ready_in_all += usize::from(is_ready(message) && !self.settings.is_fifo);
        }
        let (mut delivered, mut given_up) = (Vec::new(), Vec::new());
        for message in groups.into_iter().flatten() {
            if delivered.len() == max {
                break;
            }
            if is_ready(message) {
                delivered.push(message.position);
            } else {
                given_up.push(message.position);
            }
        }
        (delivered, given_up)
    }

    pub(super) fn in_flight(&self, now_ms: u64) -> impl Iterator<Item = &Message> {
        let received = self.received.iter().filter_map(|position| self.messages.get(position));
        received.filter(move |message| message.delivery.available_ms > now_ms)
    }

    /// The group whose order the message must keep.
    pub(super) fn order_of<'a>(&self, message: &'a Message) -> Option<&'a str> {
        message.group.as_deref().filter(|_| self.settings.is_fifo)
    }

    /// When the message can first be received. In a FIFO queue a new delay also applies to messages
    /// that are already there.
    pub(super) fn available_ms(&self, message: &Message) -> u64 {
        if self.settings.is_fifo && message.delivery.receives == 0 && message.source_arn.is_none() {
            message.sent_ms + seconds(self.settings.delay_s)
        } else {
            message.delivery.available_ms
        }
    }
}
