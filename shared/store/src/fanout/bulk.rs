//! Many writes in few requests: `BatchExecuteStatement` takes 25 statements, and answers each on its own.
//!
//! A request can be answered with success while single statements failed, for want of capacity, say: those are run
//! again here, a few times. So is a request whose answer was lost. Whoever runs statements that may not be repeated
//! must be able to bear that: a reservation that is made twice leaves a hole, which is sealed after the lease.

use crate::error::StoreError;
use crate::head::Head;
use crate::ids::{TimelineId, UserId};
use crate::item::{Item, number, string};
use crate::schema::timelines as attr;
use crate::timeline::{self, Entry};
use crate::{Store, left};
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementErrorCodeEnum as Code, BatchStatementRequest, BatchStatementResponse,
};
use futures_util::{StreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Statements that one request takes.
pub(super) const PER_REQUEST: usize = 25;

/// Requests on their way at once.
pub(super) const AT_ONCE: usize = 8;

/// How often a statement is tried that fails for the moment.
const TRIES: u32 = 4;

/// The wait before the second try; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

const OPERATION: &str = "BatchExecuteStatement";

/// A write of one item. No two of a bulk may write the same one.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    text: String,
    parameters: Vec<AttributeValue>,
}

/// How a statement ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Settled {
    /// Done; with the item, where it was asked for.
    Done(Option<Item>),
    /// Something stands under that key already.
    Exists,
    /// Nothing stands under that key.
    Missing,
}

/// How a bulk ended.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    /// By statement, in their order. `None`: it may or may not have been done.
    pub(super) settled: Vec<Option<Settled>>,
    /// Why not all are settled.
    pub(super) error: Option<StoreError>,
}

/// What many reservations took.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The heads after it. Who is neither here nor below has no inbox.
    pub(super) heads: BTreeMap<UserId, Head>,
    /// Those of whom nobody knows what was taken.
    pub(super) failed: BTreeSet<UserId>,
    /// Why.
    pub(super) error: Option<StoreError>,
}

impl Store {
    /// Takes the next seqs of many inboxes, so many for each user. One write unit per user, a request for each 25
    /// users.
    pub(super) async fn reserve_many(&self, wanted: &[(UserId, u64)], deadline: Instant, now_ms: i64) -> Taken {
        let text = format!(
            r#"UPDATE "{}" SET {c} = {c} + ? SET {} = ? WHERE {} = ? AND {} = ? RETURNING ALL NEW *"#,
            self.timelines,
            attr::RESERVED_AT,
            attr::TIMELINE,
            attr::SEQ,
            c = attr::COUNTER,
        );
        let statements = wanted.iter().map(|&(user, n)| Statement {
            text: text.clone(),
            parameters: vec![
                number(n),
                number(now_ms),
                string(TimelineId::inbox(user).as_str()),
                number(attr::HEAD),
            ],
        });
        let bulk = self.bulk(statements.collect(), deadline).await;
        let mut taken = Taken {
            error: bulk.error,
            ..Taken::default()
        };
        for (&(user, n), settled) in wanted.iter().zip(bulk.settled) {
            let head = match settled {
                Some(Settled::Done(item)) => item.as_ref().map(Head::readable),
                Some(Settled::Exists | Settled::Missing) => {
                    tracing::error!(user.id = user, "a member of a group has no inbox, and is left out");
                    continue;
                }
                None => {
                    taken.failed.insert(user);
                    continue;
                }
            };
            // Without it nobody knows which seqs were taken, and the member must not go without their copies.
            if let Some(head) = head.filter(|head| head.seq >= n) {
                taken.heads.insert(user, head);
            } else {
                taken.failed.insert(user);
                taken.error = Some(refused("a reservation returns no head"));
            }
        }
        taken
    }

    /// Puts an item, unless something stands under its key.
    pub(super) fn insertion(&self, item: Item) -> Statement {
        // In the order of their names, so that equal writes have equal texts.
        let sorted: BTreeMap<String, AttributeValue> = item.into_iter().collect();
        let (names, parameters): (Vec<String>, Vec<AttributeValue>) = sorted
            .into_iter()
            .map(|(name, value)| (format!("'{name}':?"), value))
            .unzip();
        Statement {
            text: format!(r#"INSERT INTO "{}" VALUE {{{}}}"#, self.timelines, names.join(",")),
            parameters,
        }
    }

    /// Puts an entry, unless something stands there.
    pub(super) fn entry_insertion(&self, timeline: &TimelineId, seq: u64, entry: &Entry) -> Statement {
        self.insertion(timeline::entry_item(timeline, seq, entry))
    }

    /// Seals seqs of inboxes that were reserved and are not used. Where that fails, a reader seals them after the
    /// lease.
    pub(super) async fn give_up_many(&self, seqs: Vec<(UserId, u64)>, deadline: Instant, now_ms: i64) {
        let seal = |(user, seq)| self.insertion(timeline::seal_item(&TimelineId::inbox(user), seq, now_ms));
        let seals: Vec<Statement> = seqs.into_iter().map(seal).collect();
        if let Some(error) = self.bulk(seals, deadline).await.error {
            tracing::warn!(%error, "could not seal seqs that are not used; readers will");
        }
    }

    /// Runs statements, and those again that fail for the moment, as long as there is time.
    pub(super) async fn bulk(&self, statements: Vec<Statement>, deadline: Instant) -> Bulk {
        let mut settled = vec![None; statements.len()];
        let mut open: Vec<usize> = (0..statements.len()).collect();
        let (mut refused, mut failed) = (None, None);
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=TRIES {
            failed = None;
            let requests: Vec<_> = open
                .chunks(PER_REQUEST)
                .map(|places| self.bulk_request(&statements, places, deadline))
                .collect();
            let answers: Vec<_> = stream::iter(requests).buffered(AT_ONCE).collect().await;
            let mut again = Vec::new();
            for (place, answer) in open.iter().copied().zip(answers.into_iter().flatten()) {
                match answer {
                    Ok(end) => settled[place] = Some(end),
                    Err(error) if error.is_retryable() => {
                        again.push(place);
                        failed.get_or_insert(error);
                    }
                    Err(error) => drop(refused.get_or_insert(error)),
                }
            }
            open = again;
            if open.is_empty() || attempt == TRIES || left(deadline).is_zero() {
                break;
            }
            self.pause(pause).await;
            pause *= 2;
        }
        let error = refused.or(failed);
        Bulk { settled, error }
    }

    /// One request: how each of its statements ended, in their order.
    async fn bulk_request(
        &self,
        statements: &[Statement],
        places: &[usize],
        deadline: Instant,
    ) -> Vec<Result<Settled, StoreError>> {
        let requests: Result<Vec<_>, _> = places.iter().map(|&place| statements[place].to_request()).collect();
        let answered = match requests {
            Ok(requests) => {
                let call = self.once.batch_execute_statement().set_statements(Some(requests));
                let sent = async { call.send().await.map_err(StoreError::call(OPERATION)) };
                self.by(deadline, OPERATION, sent).await
            }
            Err(error) => Err(refused(&error.to_string())),
        };
        let mut answers: Vec<Result<Settled, StoreError>> = match answered {
            Ok(output) => {
                let responses = output.responses.unwrap_or_default();
                responses.into_iter().map(settled).collect()
            }
            Err(error) => vec![Err(error)],
        };
        answers.resize_with(places.len(), || Err(unanswered()));
        answers
    }
}

impl Statement {
    fn to_request(&self) -> Result<BatchStatementRequest, BuildError> {
        BatchStatementRequest::builder()
            .statement(&self.text)
            .set_parameters(Some(self.parameters.clone()))
            .build()
    }
}

fn settled(response: BatchStatementResponse) -> Result<Settled, StoreError> {
    let Some(error) = response.error else {
        return Ok(Settled::Done(response.item));
    };
    match error.code {
        Some(Code::DuplicateItem) => Ok(Settled::Exists),
        Some(Code::ConditionalCheckFailed) => Ok(Settled::Missing),
        Some(
            Code::ProvisionedThroughputExceeded
            | Code::RequestLimitExceeded
            | Code::ThrottlingError
            | Code::TransactionConflict,
        ) => Err(StoreError::Throttled { operation: OPERATION }),
        Some(
            Code::AccessDenied | Code::ItemCollectionSizeLimitExceeded | Code::ResourceNotFound | Code::ValidationError,
        ) => Err(refused(&format!(
            "{:?}, {}",
            error.code,
            error.message.unwrap_or_default()
        ))),
        // An internal error, or a code that is newer than this: it may have been done.
        code => Err(StoreError::Failed {
            operation: OPERATION,
            source: format!("a statement ended with {code:?}").into(),
        }),
    }
}

/// No repetition helps.
fn refused(detail: &str) -> StoreError {
    StoreError::Corrupt {
        table: "timelines",
        detail: format!("a statement was refused: {detail}"),
    }
}

fn unanswered() -> StoreError {
    StoreError::Failed {
        operation: OPERATION,
        source: "the answer names fewer statements than the request".into(),
    }
}
