//! Asking the HTTP API which groups the user is in, beside everything else.

use crate::error::BoxError;
use crate::options::Lister;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wigwag_protocol::http::Group;

/// The groups, or why they are not known.
pub(super) type Listed = Result<Vec<Group>, BoxError>;

#[derive(Debug)]
pub(super) struct Listing {
    /// `None`: there is nobody to ask.
    lister: Option<ListerBox>,
    /// Whether nobody knows without the list which groups there are.
    awaited: bool,
    due: Option<Instant>,
    under_way: Option<JoinHandle<Listed>>,
    /// Failures in a row.
    failures: u32,
}

struct ListerBox(Lister);

impl std::fmt::Debug for ListerBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lister")
    }
}

impl Listing {
    /// `lister`: `None` where there is nobody to ask. `awaited`: whether nobody knows without the list which groups there are.
    pub(super) fn new(lister: Option<Lister>, awaited: bool) -> Self {
        Self {
            awaited: awaited && lister.is_some(),
            lister: lister.map(ListerBox),
            due: None,
            under_way: None,
            failures: 0,
        }
    }

    /// Whether nobody knows yet which groups there are.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// When to ask.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Plans to ask, where there is somebody to ask and that is not planned.
    pub(super) fn plan(&mut self, now: Instant) {
        if self.lister.is_some() && self.under_way.is_none() {
            self.due.get_or_insert(now);
        }
    }

    /// Asks, where it is time to.
    pub(super) fn begin_if_due(&mut self, now: Instant) {
        if self.due.take_if(|at| *at <= now).is_some()
            && let Some(ListerBox(lister)) = &self.lister
        {
            self.under_way = Some(tokio::spawn(lister()));
        }
    }

    /// Whether an answer is on its way.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// The answer; never where none is on its way. Cancelling loses nothing.
    pub(super) async fn wait(&mut self) -> Listed {
        let Some(under_way) = &mut self.under_way else {
            return std::future::pending().await;
        };
        let answer = under_way.await.unwrap_or_else(|error| Err(error.into()));
        self.under_way = None;
        answer
    }

    /// All is known, for now.
    pub(super) fn is_done(&mut self) {
        (self.awaited, self.failures) = (false, 0);
    }

    /// Asking has failed; it is tried again after `pause`.
    pub(super) fn failed(&mut self, now: Instant, pause: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.due = Some(now + pause);
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Gives up what is under way.
    pub(super) fn abort(&mut self) {
        if let Some(under_way) = self.under_way.take() {
            under_way.abort();
        }
    }
}
