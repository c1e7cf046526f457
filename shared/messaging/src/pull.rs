//! Reading a range of a conversation.

use crate::page::{Messages, messages};
use wigwag_domain::groups::readable::{clip, readable};
use wigwag_domain::page::Range;
use wigwag_domain::task::SHARD_MEMBERS;
use wigwag_domain::{GroupId, TimelineId, UserId};
use wigwag_protocol::limits::SUPER_GROUP_MEMBERS;
use wigwag_protocol::{Encoding, pb};
use wigwag_store::{Store, StoreError, group_logs, groups, timelines};

/// The part of a conversation that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryRange {
    /// First conversation seq; 0 means 1.
    pub begin_seq: u64,
    /// Last conversation seq; 0 means the newest.
    pub end_seq: u64,
    /// The most messages; at least 1.
    pub limit: u32,
    /// Newest first. Messages that are still being written are left out; they come by SYNC.
    pub descending: bool,
}

impl HistoryRange {
    /// Whether its ends are in order.
    pub fn is_valid(&self) -> bool {
        self.end_seq == 0 || self.begin_seq <= self.end_seq
    }

    /// Where to read on after a page; 0 at the end of the range.
    fn next_seq(&self, page: &Messages) -> u64 {
        let end = if self.end_seq == 0 {
            page.max_seq
        } else {
            self.end_seq.min(page.max_seq)
        };
        match self.descending {
            true if page.has_more => page.cursor,
            // Ascending, a page may also end before a seq that is still being written.
            false if page.cursor < end => page.cursor + 1,
            _ => 0,
        }
    }
}

/// A part of a conversation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// In the order asked for.
    pub messages: Vec<pb::Message>,
    /// Where to read on: the next `begin_seq`, or `end_seq` if descending; 0 at the end.
    pub next_seq: u64,
    /// The conversation's highest reserved seq; of a group, the highest that the user may read.
    pub max_seq: u64,
    /// Whether reading on brings more right now.
    pub has_more: bool,
    /// Of a group: whether this is the end, oldest first, and the user can read nothing more unless
    /// they come back.
    pub ended: bool,
    /// Of a group: the most members that it can have now.
    pub members: u64,
}

/// Why a group's log is not read.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The user was never in the group.
    #[error("the user was never in the group")]
    NotAMember,
    /// Something failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads the log of two users. A conversation that has not begun reads as an empty one.
pub async fn pull_peer(
    store: &Store,
    user: UserId,
    peer: UserId,
    wanted: HistoryRange,
    encoding: Encoding,
    now_ms: i64,
) -> Result<History, StoreError> {
    let log = TimelineId::peer(user, peer);
    let range = Range {
        after: wanted.begin_seq.max(1) - 1,
        through: (wanted.end_seq > 0).then_some(wanted.end_seq),
        limit: wanted.limit,
    };
    let page = if wanted.descending {
        timelines::read_back(store, &log, range).await?
    } else {
        timelines::read(store, &log, range, now_ms).await?
    };
    let Some(page) = page else {
        return Ok(History::default());
    };
    let page = messages(store, page, encoding, |seq, message| message.conversation_seq = seq).await?;
    Ok(History {
        next_seq: wanted.next_seq(&page),
        messages: page.messages,
        max_seq: page.max_seq,
        has_more: page.has_more,
        ..History::default()
    })
}

/// Reads the part of a group's log that the user may read. A range that they may not read is empty,
/// and `max_seq` is the highest seq that they may read.
///
/// A page holds messages of one membership interval; `next_seq` skips the seqs between two. A user
/// who left, or reads a dissolved group, learns with the last page that it was the last: the
/// counter alone does not tell, because a seq that was given up raises it too.
///
/// One request each for the head and the membership, then two at once; three read units, and one
/// for each 4 KB of messages.
#[tracing::instrument(name = "pull_group", skip_all, fields(group.id = group.0, user.id = user.0))]
pub async fn pull_group(
    store: &Store,
    user: UserId,
    group: GroupId,
    wanted: HistoryRange,
    encoding: Encoding,
    now_ms: i64,
) -> Result<History, PullError> {
    let log = TimelineId::group(group);
    // The head is read first, then the membership: a member at that time may read up to that seq.
    // In the other order, a user who is removed in between would read later messages.
    let head = group_logs::head(store, group).await?;
    let membership = groups::membership(store, group, user).await?;
    let membership = membership.ok_or(PullError::NotAMember)?;
    let Some(head) = head else {
        return Ok(History::default());
    };
    let settings = head.settings.unwrap_or_default();
    let is_open = settings.open_history;
    let readable = readable(&membership, is_open, head.seq);
    let max_seq = readable.last().map_or(0, |piece| piece.last);
    let wanted_pieces = clip(&readable, wanted.begin_seq, wanted.end_seq);
    let (piece, beyond) = if wanted.descending {
        let mut pieces = wanted_pieces.iter().rev();
        (pieces.next(), pieces.next().map(|piece| piece.last))
    } else {
        let mut pieces = wanted_pieces.iter();
        (pieces.next(), pieces.next().map(|piece| piece.first))
    };
    // A membership that ends beyond the head that was read has more to read than this page.
    let has_gone = || {
        membership
            .intervals
            .last()
            .and_then(|interval| interval.left)
            .is_some_and(|left| left <= head.seq)
    };
    let is_over = settings.dissolved_after.is_some() || has_gone();
    let ends_here = is_over && !wanted.descending && (wanted.end_seq == 0 || wanted.end_seq >= max_seq);
    let nothing = History {
        max_seq,
        ended: ends_here,
        // The shards of members who left count as well.
        members: (u64::from(settings.shards) * SHARD_MEMBERS).min(SUPER_GROUP_MEMBERS.into()),
        ..History::default()
    };
    let Some(piece) = piece else { return Ok(nothing) };
    let range = Range {
        after: piece.first - 1,
        through: Some(piece.last),
        limit: wanted.limit,
    };
    let page = if wanted.descending {
        timelines::read_back(store, &log, range).await?
    } else {
        timelines::read(store, &log, range, now_ms).await?
    };
    let Some(page) = page else { return Ok(nothing) };
    let Messages {
        messages,
        cursor,
        has_more,
        ..
    } = messages(store, page, encoding, |seq, message| message.conversation_seq = seq).await?;
    let within = match wanted.descending {
        true if has_more => Some(cursor),
        // A page may also end before a seq that is still being written.
        false if cursor < piece.last => Some(cursor + 1),
        _ => None,
    };
    let next_seq = within.or(beyond).unwrap_or(0);
    Ok(History {
        messages,
        next_seq,
        // A page that ends with the interval may say that the log goes on.
        has_more: if within.is_some() { has_more } else { beyond.is_some() },
        ended: ends_here && next_seq == 0,
        ..nothing
    })
}
