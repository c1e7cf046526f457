//! The events on their way to the app: a bounded queue, and a backlog behind it.

use crate::event::Event;
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// Delivers events in order and never drops one while the app listens. While the backlog is not
/// empty the outlet is *congested*: the driver forgets pushes and delays SYNC, which brings them
/// again later.
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

    /// Whether the app must read before more can be received.
    pub(super) fn is_congested(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Delivers an event, or keeps it until there is room.
    pub(super) fn emit(&mut self, event: Event) {
        if self.is_congested() {
            self.waiting.push_back(event);
        } else if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            self.waiting.push_back(event);
        }
    }

    /// Waits for room and delivers one event. Cancelling loses nothing.
    pub(super) async fn relieve(&mut self) {
        match self.events.reserve().await {
            Ok(permit) => {
                if let Some(event) = self.waiting.pop_front() {
                    permit.send(event);
                }
            }
            // The app no longer listens.
            Err(_) => self.waiting.clear(),
        }
    }

    /// Delivers the whole backlog, however long the app takes.
    pub(super) async fn finish(mut self) {
        while self.is_congested() {
            self.relieve().await;
        }
    }
}
