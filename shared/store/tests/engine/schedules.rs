//! The model of design and code in one: senders that die between any two calls and repeat, attempts that run side by side,
//! readers side by side with them. Half of the readers give up any hole at any moment: their clock is far ahead, so no lease
//! protects anybody. The others never do, so that a writer fills its hole behind a cursor that passed it. After it the
//! guarantees are checked from what every reader's cursor has passed, from every answer, and from the log.

use crate::harness::{Engine, LATER, NOW, outgoing, send};
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;
use wigwag_protocol::Encoding;
use wigwag_protocol::pb::Message;
use wigwag_store::messages::HistoryRange;
use wigwag_store::{Store, UserId};

const MESSAGES: usize = 4;

/// How often a message is tried, and where each try dies: after so many calls, with or without the last answer.
type Tries = Vec<Vec<(i64, bool)>>;

/// A seq in the own inbox, and the message.
type Answer = (u64, Message);

/// Reads an inbox to its end with a cursor, as a device does, and gives up every hole on the way.
struct Reader {
    user: UserId,
    now_ms: i64,
    cursor: u64,
    passed: Vec<Message>,
}

impl Reader {
    fn new(user: UserId, gives_up: bool) -> Self {
        Self {
            user,
            now_ms: if gives_up { LATER } else { NOW },
            cursor: 0,
            passed: Vec::new(),
        }
    }

    /// Reads a page. Answers whether there is more to come.
    async fn step(&mut self, store: &Store) -> bool {
        let page = store
            .inbox(self.user, self.cursor, 3, Encoding::Protobuf, LATER)
            .await
            .unwrap()
            .unwrap();
        self.passed
            .extend(page.messages.into_iter().filter(|message| message.seq <= page.cursor));
        self.cursor = page.cursor;
        page.cursor < page.max_seq
    }

    /// Reads while others write.
    async fn steps(&mut self, store: &Store) {
        for _ in 0..4 {
            self.step(store).await;
        }
    }
}

async fn log(store: &Store) -> Vec<Message> {
    let range = HistoryRange {
        begin_seq: 0,
        end_seq: 0,
        limit: 100,
        descending: false,
    };
    store
        .history(1, 2, range, Encoding::Protobuf, LATER)
        .await
        .unwrap()
        .messages
}

/// One message: all its doomed tries side by side with readers, then a try that lives.
async fn send_one(engine: &Engine, client_id: u64, tries: &[(i64, bool)], readers: &mut [Reader; 2]) -> Vec<Answer> {
    let store = engine.store();
    let out = outgoing(client_id, &format!("message {client_id}"));
    let doomed = async {
        let attempts = tries.iter().map(|&(calls, answer_lost)| {
            let (store, out) = (engine.store_that_dies_after(calls, answer_lost), out.clone());
            tokio::spawn(async move { send(&store, &out).await })
        });
        let mut answers = Vec::new();
        for attempt in attempts.collect::<Vec<_>>() {
            answers.extend(attempt.await.unwrap().ok());
        }
        answers
    };
    let [own, other] = readers;
    let (answers, (), ()) = tokio::join!(doomed, own.steps(&store), other.steps(&store));
    let mut answers: Vec<Answer> = answers.into_iter().map(|sent| (sent.own_seq, sent.message)).collect();
    let (sent, (), (), _) = tokio::join!(send(&store, &out), own.steps(&store), other.steps(&store), log(&store));
    let sent = sent.unwrap();
    answers.push((sent.own_seq, sent.message));
    answers
}

async fn run(tries: &Tries, gives_up: bool) -> Result<(), String> {
    let engine = Engine::start().await;
    engine.user(1).await;
    engine.user(2).await;
    let mut readers = [Reader::new(1, gives_up), Reader::new(2, gives_up)];
    let mut answers: BTreeMap<u64, Vec<Answer>> = BTreeMap::new();
    for (client_id, tries) in (1..).zip(tries) {
        answers.insert(client_id, send_one(&engine, client_id, tries, &mut readers).await);
    }
    let store = engine.store();
    for reader in &mut readers {
        reader.now_ms = LATER;
        while reader.step(&store).await {}
    }
    check(&answers, &readers, &log(&store).await)
}

fn check(answers: &BTreeMap<u64, Vec<Answer>>, readers: &[Reader; 2], log: &[Message]) -> Result<(), String> {
    let numbers = |messages: &[Message]| messages.iter().map(|message| message.client_id).collect::<Vec<_>>();
    let wanted: Vec<u64> = answers.keys().copied().collect();
    if numbers(log) != wanted {
        return Err(format!("G1, G2, G4: the log has {:?}", numbers(log)));
    }
    for reader in readers {
        if numbers(&reader.passed) != wanted {
            return Err(format!(
                "G1-G4: the cursor of user {} passed {:?}",
                reader.user,
                numbers(&reader.passed)
            ));
        }
    }
    for (client_id, answers) in answers {
        if answers.iter().any(|answer| answer != &answers[0]) {
            return Err(format!("G5: message {client_id} was answered {answers:?}"));
        }
        let (own_seq, message) = &answers[0];
        let stands = readers[0]
            .passed
            .iter()
            .any(|own| own.seq == *own_seq && own.client_id == *client_id);
        if !stands || !log.contains(message) {
            return Err(format!(
                "G1: message {client_id} is not where its answer says: {answers:?}"
            ));
        }
    }
    Ok(())
}

#[test]
fn whatever_crashes_an_acknowledged_message_stands_once_and_in_order() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let attempt = (0_i64..12, proptest::bool::ANY);
    let tries = proptest::collection::vec(proptest::collection::vec(attempt, 0..4), MESSAGES);
    let mut runner = TestRunner::new(Config {
        cases: 20,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&(tries, proptest::bool::ANY), |(tries, gives_up)| {
            runtime
                .block_on(run(&tries, gives_up))
                .map_err(proptest::test_runner::TestCaseError::fail)
        })
        .unwrap();
}
