//! Many writes in few requests: `BatchExecuteStatement` takes 25 statements, and answers each on
//! its own.
//!
//! A request can succeed while single statements fail, for example for lack of capacity. Those are
//! run again here, a few times, and so is a request whose answer was lost. So a statement that must
//! not be repeated may run twice: a reservation that is made twice leaves a hole, which is sealed
//! after the lease.

use crate::error::StoreError;
use crate::item::Item;
use crate::{Store, left};
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementErrorCodeEnum as Code, BatchStatementRequest, BatchStatementResponse,
};
use futures_util::{StreamExt as _, stream};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The most statements of one request.
pub const PER_REQUEST: usize = 25;

/// Requests at once.
pub const AT_ONCE: usize = 8;

/// How often a statement that fails for the moment is tried.
const TRIES: u32 = 4;

/// The wait before the second try; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

const OPERATION: &str = "BatchExecuteStatement";

/// A write of one item. No two statements of a batch may write the same item.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) text: String,
    pub(crate) parameters: Vec<AttributeValue>,
}

/// How a statement ended.
#[derive(Debug, Clone, PartialEq)]
pub enum StatementEnd {
    /// Done; with the item, if the statement returns it.
    Done(Option<Item>),
    /// There is an item with that key already.
    Exists,
    /// There is no item with that key.
    Missing,
}

/// How a batch ended.
#[derive(Debug, Default)]
pub struct Bulk {
    /// The end of each statement, in their order. `None`: it may or may not have been done.
    pub settled: Vec<Option<StatementEnd>>,
    /// Why some have no end.
    pub error: Option<StoreError>,
}

/// Runs statements, and again those that fail for the moment, as long as there is time.
pub(crate) async fn run(store: &Store, statements: Vec<Statement>, deadline: Instant) -> Bulk {
    let mut settled = vec![None; statements.len()];
    let mut open: Vec<usize> = (0..statements.len()).collect();
    let (mut refused, mut failed) = (None, None);
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=TRIES {
        failed = None;
        let requests: Vec<_> = open
            .chunks(PER_REQUEST)
            .map(|places| request(store, &statements, places, deadline))
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
        store.pause(pause).await;
        pause *= 2;
    }
    let error = refused.or(failed);
    Bulk { settled, error }
}

/// Puts an item, unless there is one with its key.
pub(crate) fn insertion(store: &Store, item: Item) -> Statement {
    // In the order of their names, so that equal writes have equal texts.
    let sorted: BTreeMap<String, AttributeValue> = item.into_iter().collect();
    let (names, parameters): (Vec<String>, Vec<AttributeValue>) = sorted
        .into_iter()
        .map(|(name, value)| (format!("'{name}':?"), value))
        .unzip();
    Statement {
        text: format!(r#"INSERT INTO "{}" VALUE {{{}}}"#, store.timelines, names.join(",")),
        parameters,
    }
}

/// One request: how each of its statements ended, in their order.
async fn request(
    store: &Store,
    statements: &[Statement],
    places: &[usize],
    deadline: Instant,
) -> Vec<Result<StatementEnd, StoreError>> {
    let requests: Result<Vec<_>, _> = places.iter().map(|&place| statements[place].to_request()).collect();
    let answered = match requests {
        Ok(requests) => {
            let call = store.once.batch_execute_statement().set_statements(Some(requests));
            let sent = async { call.send().await.map_err(StoreError::call(OPERATION)) };
            store.by(deadline, OPERATION, sent).await
        }
        Err(error) => Err(refused(&error.to_string())),
    };
    let mut answers: Vec<Result<StatementEnd, StoreError>> = match answered {
        Ok(output) => {
            let responses = output.responses.unwrap_or_default();
            responses.into_iter().map(settled).collect()
        }
        Err(error) => vec![Err(error)],
    };
    answers.resize_with(places.len(), || Err(unanswered()));
    answers
}

impl Statement {
    fn to_request(&self) -> Result<BatchStatementRequest, BuildError> {
        BatchStatementRequest::builder()
            .statement(&self.text)
            .set_parameters(Some(self.parameters.clone()))
            .build()
    }
}

fn settled(response: BatchStatementResponse) -> Result<StatementEnd, StoreError> {
    let Some(error) = response.error else {
        return Ok(StatementEnd::Done(response.item));
    };
    match error.code {
        Some(Code::DuplicateItem) => Ok(StatementEnd::Exists),
        Some(Code::ConditionalCheckFailed) => Ok(StatementEnd::Missing),
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

/// An error that no repeat helps.
pub(crate) fn refused(detail: &str) -> StoreError {
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
