//! The way out to the app: a bounded queue of events, and behind it what did not fit yet.

use crate::event::Event;
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// Hands events on in order and never drops one while the app listens. While something waits here the outlet is
/// *congested*, and the driver receives nothing new: pushes are forgotten (SYNC brings them again), and SYNC waits.
#[derive(Debug)]
pub(super) struct Outlet {
    events: mpsc::Sender<Event>,
    waiting: VecDeque<Event>,
}

impl Outlet {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self {
            events,
            waiting: VecDeque::new(),
        }
    }

    /// Whether the app has to read before more can be received.
    pub(super) fn is_congested(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Hands on, or keeps until there is room.
    pub(super) fn emit(&mut self, event: Event) {
        if self.is_congested() {
            self.waiting.push_back(event);
        } else if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            self.waiting.push_back(event);
        }
    }

    /// Waits for room and hands on one event. Cancelling loses nothing.
    pub(super) async fn relieve(&mut self) {
        match self.events.reserve().await {
            Ok(permit) => {
                if let Some(event) = self.waiting.pop_front() {
                    permit.send(event);
                }
            }
            // Nobody listens any more.
            Err(_) => self.waiting.clear(),
        }
    }

    /// Hands on everything that waits, however long the app takes.
    pub(super) async fn finish(mut self) {
        while self.is_congested() {
            self.relieve().await;
        }
    }
}
