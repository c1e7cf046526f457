//! Lists the user's groups over the HTTP API, in the background.

use crate::error::BoxError;
use crate::options::ListGroups;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wigwag_protocol::http::Group;

/// The groups, or why they could not be listed.
pub(super) type GroupListResult = Result<Vec<Group>, BoxError>;

#[derive(Debug)]
pub(super) struct GroupListing {
    /// `None` if there is no way to list groups.
    lister: Option<ListGroupsBox>,
    /// Whether the groups are unknown without the list.
    awaited: bool,
    due: Option<Instant>,
    under_way: Option<JoinHandle<GroupListResult>>,
    /// Failures in a row.
    failures: u32,
}

struct ListGroupsBox(ListGroups);

impl std::fmt::Debug for ListGroupsBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lister")
    }
}

impl GroupListing {
    /// `lister` is `None` if there is no way to list groups. `awaited` says whether the groups are
    /// unknown without the list.
    pub(super) fn new(lister: Option<ListGroups>, awaited: bool) -> Self {
        Self {
            awaited: awaited && lister.is_some(),
            lister: lister.map(ListGroupsBox),
            due: None,
            under_way: None,
            failures: 0,
        }
    }

    /// Whether the groups are still unknown.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// When to ask.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Plans to ask, if that is possible and not yet planned.
    pub(super) fn plan(&mut self, now: Instant) {
        if self.lister.is_some() && self.under_way.is_none() {
            self.due.get_or_insert(now);
        }
    }

    /// Asks if it is time to.
    pub(super) fn begin_if_due(&mut self, now: Instant) {
        if self.due.take_if(|at| *at <= now).is_some()
            && let Some(ListGroupsBox(lister)) = &self.lister
        {
            self.under_way = Some(tokio::spawn(lister()));
        }
    }

    /// Whether a request is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Waits for the answer, or for ever if no request is under way. Cancelling loses nothing.
    pub(super) async fn wait(&mut self) -> GroupListResult {
        let Some(under_way) = &mut self.under_way else {
            return std::future::pending().await;
        };
        let answer = under_way.await.unwrap_or_else(|error| Err(error.into()));
        self.under_way = None;
        answer
    }

    /// Notes that all groups are known.
    pub(super) fn is_done(&mut self) {
        (self.awaited, self.failures) = (false, 0);
    }

    /// Notes a failure. The request is repeated after `pause`.
    pub(super) fn failed(&mut self, now: Instant, pause: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.due = Some(now + pause);
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Aborts the request under way.
    pub(super) fn abort(&mut self) {
        if let Some(under_way) = self.under_way.take() {
            under_way.abort();
        }
    }
}
