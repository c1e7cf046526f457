//! A writer reserves seqs of a timeline and puts its entries there, one after the other.

use super::{Outcome, Process};
use crate::harness::{NOW, phone};
use crate::world::World;
use rand::RngExt as _;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use wigwag_domain::timeline::{Content, Entry};
use wigwag_domain::{MessageKey, TimelineId, UserId};
use wigwag_invariants::Token;
use wigwag_protocol::pb::{Message, SessionType};
use wigwag_store::timelines::{Missing, Put};
use wigwag_store::{Store, StoreError, timelines};

/// The timeline that writers write: the log of users 1 and 2.
pub(crate) fn written_log() -> TimelineId {
    TimelineId::peer(UserId(1), UserId(2))
}

/// All writers of a schedule, and what they were told.
#[derive(Default)]
pub(crate) struct Writers {
    /// The number of entries of each writer that has not died.
    pub(crate) alive: BTreeMap<u8, u8>,
    pub(crate) told: Rc<RefCell<Told>>,
}

/// What writers and readers were told of the timeline.
#[derive(Default)]
pub(crate) struct Told {
    /// The highest seq that somebody knows to be reserved.
    pub(crate) reserved: u64,
    /// The messages whose entries were put, each with its seq.
    pub(crate) acknowledged: Vec<(Token, u64)>,
}

struct Writer {
    number: u8,
    entries: u8,
    /// How many seqs it reserves at once.
    at_once: usize,
    store: Store,
    told: Rc<RefCell<Told>>,
}

impl Writer {
    async fn run(self) -> Result<(), StoreError> {
        let entries: Vec<u8> = (1..=self.entries).collect();
        for entries in entries.chunks(self.at_once) {
            let n = entries.len() as u64;
            let last = self.reserve(n).await?;
            for (&entry, seq) in entries.iter().zip(last + 1 - n..) {
                self.put(entry, seq).await?;
            }
        }
        Ok(())
    }

    /// Reserves `n` seqs and returns the last one. If the answer is lost, the seqs are left to be
    /// sealed.
    async fn reserve(&self, n: u64) -> Result<u64, StoreError> {
        loop {
            let head = timelines::reserve(&self.store, &written_log(), n, Missing::Create, NOW).await;
            if let Some(head) = unless_lost(head)? {
                let seq = head.expect("a missing head is created").seq;
                let mut told = self.told.borrow_mut();
                told.reserved = told.reserved.max(seq);
                return Ok(seq);
            }
        }
    }

    async fn put(&self, number: u8, mut seq: u64) -> Result<(), StoreError> {
        let token = token(self.number, number);
        loop {
            let entry = entry(self.number, number, seq);
            match unless_lost(timelines::put(&self.store, &written_log(), seq, &entry).await)? {
                Some(Put::Done) => {
                    self.told.borrow_mut().acknowledged.push((token, seq));
                    return Ok(());
                }
                Some(Put::Sealed) => seq = self.reserve(1).await?,
                Some(Put::Differs(there)) => panic!("{token} differs from what is stored at {seq}: {there:?}"),
                None => {}
            }
        }
    }
}

/// `None` if the answer was lost.
fn unless_lost<T>(result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Err(error) if error.is_retryable() => Ok(None),
        result => result.map(Some),
    }
}

fn token(writer: u8, number: u8) -> Token {
    Token {
        number: u64::from(writer) * 1000 + u64::from(number),
        bytes: 0,
    }
}

/// The writer that a message is from.
pub(crate) fn writer_of(token: Token) -> u64 {
    token.number / 1000
}

fn entry(writer: u8, number: u8, seq: u64) -> Entry {
    let (session, client_id) = (u64::from(writer), u64::from(number));
    let key = MessageKey {
        sender: UserId(1),
        device: phone(),
        session,
        client_id,
    };
    let message = Message {
        session_type: SessionType::Single.into(),
        sender_id: 1,
        receiver_id: 2,
        session,
        client_id,
        conversation_seq: seq,
        content: token(writer, number).content().into_bytes(),
        ..Message::default()
    };
    Entry::new(&key, NOW, Content::Inline(prost::Message::encode_to_vec(&message)))
}

impl World {
    /// Starts a writer with one to three entries.
    pub(crate) fn start_writer(&mut self, number: u8) {
        let writer = Writer {
            number,
            entries: self.dice.random_range(1..=3),
            at_once: self.dice.random_range(1..=2),
            store: self.store.clone(),
            told: Rc::clone(&self.writers.told),
        };
        self.writers.alive.insert(number, writer.entries);
        let process = Process::Write { writer: number };
        self.scheduler
            .start(process, async move { Outcome::Wrote(writer.run().await) });
    }

    /// The writers that run.
    pub(crate) fn running_writers(&self) -> Vec<Process> {
        self.running(|process| matches!(process, Process::Write { .. }))
    }

    /// Kills a writer for good.
    pub(crate) fn kill_writer(&mut self, process: Process) {
        self.writers
            .alive
            .retain(|&writer, _| Process::Write { writer } != process);
        self.scheduler.kill(process, &mut self.dice);
    }
}
