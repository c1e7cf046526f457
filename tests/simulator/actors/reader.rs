//! A reader follows a timeline page by page, and keeps what its cursor has passed.

use super::{Outcome, Process};
use crate::harness::{LATER, NOW, logged_message};
use crate::world::World;
use rand::RngExt as _;
use wigwag_domain::page::Range;
use wigwag_domain::{GroupId, TimelineId, UserId};
use wigwag_invariants::{Channel, Conversation, DeviceIndex, Event, Observed, TimelineKey};
use wigwag_messaging::pull::HistoryRange;
use wigwag_protocol::Encoding;
use wigwag_protocol::pb::Message;
use wigwag_store::{Store, StoreError, timelines};

/// Most pages that a reader needs once the faults have stopped.
const LAST_PAGES: usize = 100;

/// Which way a reader reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadsBy {
    /// As a user does: SYNC for an inbox, PULL for the log of two users.
    UseCase,
    /// The timeline itself.
    Timeline,
}

/// A page that a reader got.
#[derive(Debug)]
pub(crate) struct ReadPage {
    messages: Vec<(u64, Message)>,
    cursor: u64,
    max_seq: u64,
}

/// Reads a timeline for ever.
pub(crate) struct Reader {
    pub(crate) timeline: TimelineKey,
    reads_by: ReadsBy,
    /// The device of the history that gets what is read; `None` for readers of logs.
    device: Option<DeviceIndex>,
    pub(crate) cursor: u64,
    max_seq: u64,
    reads: u32,
    /// What the cursor has passed.
    pub(crate) passed: Vec<(u64, Message)>,
}

impl Reader {
    pub(crate) fn new(timeline: TimelineKey, reads_by: ReadsBy, device: Option<DeviceIndex>) -> Self {
        Self {
            timeline,
            reads_by,
            device,
            cursor: 0,
            max_seq: 0,
            reads: 0,
            passed: Vec::new(),
        }
    }
}

impl World {
    /// Starts the next read of every reader that has ended its last one.
    ///
    /// How often a reader's clock is far ahead, so that it gives up every hole, depends on the
    /// weather.
    pub(crate) fn read_on(&mut self) {
        for reader in 0..self.readers.len() {
            if !self.is_reading(reader) {
                let gives_up = self.dice.random_range(0..100) < self.weather.impatience;
                let limit = self.dice.random_range(1..=5);
                self.read(reader, limit, if gives_up { LATER } else { NOW });
            }
        }
    }

    pub(crate) fn is_reading(&self, reader: usize) -> bool {
        let number = self.readers[reader].reads;
        self.scheduler.is_running(Process::Read { reader, number })
    }

    /// Starts the next read of a reader.
    pub(crate) fn read(&mut self, reader: usize, limit: u32, now_ms: i64) -> Process {
        let it = &mut self.readers[reader];
        it.reads += 1;
        let process = Process::Read {
            reader,
            number: it.reads,
        };
        let (store, timeline, by, cursor) = (self.store.clone(), it.timeline, it.reads_by, it.cursor);
        self.scheduler.start(process, async move {
            Outcome::Read(read_page(&store, timeline, by, cursor, limit, now_ms).await)
        });
        self.judge();
        process
    }

    /// Reads to the end of a timeline, and gives up every hole on the way.
    pub(crate) fn catch_up(&mut self, reader: usize, limit: u32) {
        for _ in 0..LAST_PAGES {
            let before = self.readers[reader].cursor;
            let process = self.read(reader, limit, LATER);
            self.run_out(|running| running == process);
            let it = &self.readers[reader];
            if it.cursor == before && it.cursor == it.max_seq {
                return;
            }
        }
        self.errors
            .push(format!("liveness: reader {reader} does not reach the end"));
    }

    pub(super) fn page_was_read(&mut self, process: Process, reader: usize, result: Result<ReadPage, StoreError>) {
        let page = match result {
            Ok(page) => page,
            Err(error) => {
                self.scheduler.note(&format_args!("{process}: {error}"));
                self.keep_unless_retryable(process, &error);
                return;
            }
        };
        self.scheduler
            .note(&format_args!("{process}: cursor {} of {}", page.cursor, page.max_seq));
        let it = &mut self.readers[reader];
        let passed = page.messages.into_iter().filter(|(seq, _)| *seq <= page.cursor);
        for (seq, message) in passed {
            if let Some(device) = it.device {
                let observed = Observed::from_message(&message);
                let by = Channel::Inbox;
                self.history.on(device, Event::Came { by, observed });
            }
            it.passed.push((seq, message));
        }
        it.cursor = page.cursor;
        it.max_seq = page.max_seq;
        if let Some(device) = it.device {
            self.history.on(device, Event::Cursor { seq: page.cursor });
        }
        // If the answer to a reservation was lost, only readers learn of its seqs.
        let mut told = self.writers.told.borrow_mut();
        told.reserved = told.reserved.max(page.max_seq);
    }

    /// What the reader of a timeline has passed; nothing if there is none.
    pub(crate) fn passed(&self, timeline: TimelineKey) -> &[(u64, Message)] {
        let reader = self.readers.iter().find(|reader| reader.timeline == timeline);
        reader.map_or(&[], |reader| &reader.passed)
    }
}

/// Reads one page after a cursor.
async fn read_page(
    store: &Store,
    timeline: TimelineKey,
    by: ReadsBy,
    after: u64,
    limit: u32,
    now_ms: i64,
) -> Result<ReadPage, StoreError> {
    match (timeline, by) {
        (TimelineKey::Inbox(user), ReadsBy::UseCase) => {
            let page = wigwag_messaging::sync(store, UserId(user), after, limit, Encoding::Protobuf, now_ms).await?;
            let page = page.expect("every user has an inbox");
            let messages = page.messages.into_iter().map(|message| (message.seq, message));
            Ok(ReadPage {
                messages: messages.collect(),
                cursor: page.cursor,
                max_seq: page.max_seq,
            })
        }
        (TimelineKey::Log(Conversation::Pair(one, other)), ReadsBy::UseCase) => {
            let range = HistoryRange {
                begin_seq: after + 1,
                end_seq: 0,
                limit,
                descending: false,
            };
            let page =
                wigwag_messaging::pull_peer(store, UserId(one), UserId(other), range, Encoding::Protobuf, now_ms)
                    .await?;
            let messages = page.messages.into_iter();
            Ok(ReadPage {
                messages: messages.map(|message| (message.conversation_seq, message)).collect(),
                cursor: page.next_seq.checked_sub(1).unwrap_or(page.max_seq).max(after),
                max_seq: page.max_seq,
            })
        }
        (TimelineKey::Log(Conversation::Pair(one, other)), ReadsBy::Timeline) => {
            read_log(
                store,
                &TimelineId::peer(UserId(one), UserId(other)),
                after,
                limit,
                now_ms,
            )
            .await
        }
        (TimelineKey::Log(Conversation::Group(group)), ReadsBy::Timeline) => {
            read_log(store, &TimelineId::group(GroupId(group)), after, limit, now_ms).await
        }
        (timeline, by) => unreachable!("no schedule reads {timeline} by {by:?}"),
    }
}

async fn read_log(
    store: &Store,
    log: &TimelineId,
    after: u64,
    limit: u32,
    now_ms: i64,
) -> Result<ReadPage, StoreError> {
    let range = Range {
        after,
        through: None,
        limit,
    };
    let page = timelines::read(store, log, range, now_ms).await?;
    let Some(page) = page else {
        return Ok(ReadPage {
            messages: Vec::new(),
            cursor: after,
            max_seq: 0,
        });
    };
    let entries = page.entries.iter();
    Ok(ReadPage {
        messages: entries.map(|(seq, entry)| (*seq, logged_message(entry))).collect(),
        cursor: page.cursor,
        max_seq: page.max_seq,
    })
}
