//! Bugs that are put in on purpose, to show that what checks the store and the functions sees them. This module and every
//! place that asks it exist with the feature `plant` alone: no ordinary build has anything of it.
//!
//! A process has one bug, or none: the one that [`VARIABLE`] names.

#[cfg(not(debug_assertions))]
compile_error!("bugs on purpose are not for release builds");

use crate::Store;
use crate::groups::Membership;

use crate::schema::timelines as attr;
use crate::timeline::{Entry, Put};
use crate::{StoreError, TimelineId};
use std::sync::OnceLock;
use wigwag_protocol::http::Role;

/// The variable that names the bug of a process.
pub const VARIABLE: &str = "WIGWAG_PLANT";

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The cursor of a page is its last row, also where there is a hole before that.
    ReadPastHole,
    /// The cursor of a last page is the counter, also where its seqs are still being written.
    CursorToCounter,
    /// A message is acknowledged while it is being written, and whether that succeeds is nobody's concern.
    AckBeforeLog,
    /// A number that was used is accepted again.
    RepeatGetsNewSeq,
    /// A repeat is not answered.
    RepeatDropped,
    /// A repeat is answered from its plan, and nothing of it is written.
    RepeatUnfinished,
    /// A connection is removed also if it is another one by now.
    DisconnectUnchecked,
    /// A task that comes again follows a plan of its own.
    RedeliveryCopiesAgain,
    /// Readers give no hole up.
    NoSeal,
    /// A writer that meets a seal writes over it.
    SealIgnoresLateWriter,
    /// Who has left a super group is still pushed what is said in it.
    PushToRemoved,
    /// Who has left a group still gets a copy of what is said in it.
    CopyToRemoved,
    /// Members read what was said before they joined.
    HistoryBeforeJoin,
    /// That a group became a super group is in no inbox.
    BecomeUntold,
    /// What a message is in a group is judged by what the group is when it is finished.
    SuperJudgedNow,
    /// A group that has ended takes messages.
    DissolveUnchecked,
    /// Who is muted, or is in a group that is, may send.
    MuteUnchecked,
    /// A history that was opened is not closed again.
    HistoryStaysOpen,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::ReadPastHole,
        Self::CursorToCounter,
        Self::AckBeforeLog,
        Self::RepeatGetsNewSeq,
        Self::RepeatDropped,
        Self::RepeatUnfinished,
        Self::DisconnectUnchecked,
        Self::RedeliveryCopiesAgain,
        Self::NoSeal,
        Self::SealIgnoresLateWriter,
        Self::PushToRemoved,
        Self::CopyToRemoved,
        Self::HistoryBeforeJoin,
        Self::BecomeUntold,
        Self::SuperJudgedNow,
        Self::DissolveUnchecked,
        Self::MuteUnchecked,
        Self::HistoryStaysOpen,
    ];

    /// As the variable names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadPastHole => "read-past-hole",
            Self::CursorToCounter => "cursor-to-counter",
            Self::AckBeforeLog => "ack-before-log",
            Self::RepeatGetsNewSeq => "repeat-gets-new-seq",
            Self::RepeatDropped => "repeat-dropped",
            Self::RepeatUnfinished => "repeat-unfinished",
            Self::DisconnectUnchecked => "disconnect-unchecked",
            Self::RedeliveryCopiesAgain => "redelivery-copies-again",
            Self::NoSeal => "no-seal",
            Self::SealIgnoresLateWriter => "seal-ignores-late-writer",
            Self::PushToRemoved => "push-to-removed",
            Self::CopyToRemoved => "copy-to-removed",
            Self::HistoryBeforeJoin => "history-before-join",
            Self::BecomeUntold => "become-untold",
            Self::SuperJudgedNow => "super-judged-now",
            Self::DissolveUnchecked => "dissolve-unchecked",
            Self::MuteUnchecked => "mute-unchecked",
            Self::HistoryStaysOpen => "history-stays-open",
        }
    }

    /// Of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| bug.name() == name)
    }
}

/// Whether this process has the bug.
///
/// # Panics
/// The variable names none that there is.
pub fn has(bug: Bug) -> bool {
    static PLANTED: OnceLock<Option<Bug>> = OnceLock::new();
    let planted = PLANTED.get_or_init(|| {
        let name = std::env::var(VARIABLE).ok()?;
        let named = Bug::named(&name);
        assert!(named.is_some(), "{VARIABLE}: there is no bug {name}");
        named
    });
    *planted == Some(bug)
}

/// What a sender is, as one sees it who does not look whether they are muted.
pub(crate) fn unmuted(mut membership: Membership) -> Membership {
    if has(Bug::MuteUnchecked) {
        membership.muted_until_ms = 0;
    }
    membership
}

/// The role that a sender is taken for by one who does not look whether the group is muted.
pub(crate) fn heard(role: Role) -> Role {
    if has(Bug::MuteUnchecked) { Role::Owner } else { role }
}

/// What lets somebody send, as one has it who does not look whether the group has ended.
pub(crate) fn unended(open: &str) -> String {
    let ended = "attribute_not_exists(#dissolved)";
    if has(Bug::DissolveUnchecked) {
        open.replace(ended, &format!("({ended} OR attribute_exists(#dissolved))"))
    } else {
        open.to_owned()
    }
}

/// What lets a put write over a seal.
pub(crate) fn vacant_or_sealed(vacant: &str) -> String {
    format!("{vacant} OR attribute_exists({})", attr::SEAL)
}

impl Store {
    /// Puts an entry behind the caller's back.
    pub(crate) fn put_behind(&self, timeline: &TimelineId, seq: u64, entry: Entry) {
        let (store, timeline) = (self.clone(), timeline.clone());
        tokio::spawn(async move {
            let put: Result<Put, StoreError> = store.put(&timeline, seq, &entry).await;
            drop(put);
        });
    }
}
