//! The judge on handmade histories: one without mistakes, and small alterations of it, one for each
//! rule.

mod answers;
mod converged;
mod dense;
mod duplicated;
mod leaked;
mod lost;
mod order;
mod pushed;
mod settings;

use crate::handmade::{
    BECOMING, BECOMING_LOG, DISSOLVED, ENDING, ENDING_LOG, GROUP, GROUP_LOG, GROUP_MUTED, MEMBER_MUTED, NOT_A_MEMBER,
    Run, SUPER, SUPER_LOG, everything, inbox, pair, settled, token,
};
use wigwag_invariants::{
    Answer, Channel, Conversation, Event, Harm, Observed, Promise, Record, Row, Stage, Timeline, TimelineKey, Turn,
    judge,
};

/// Alters the n-th answer to a message.
fn answer(run: &mut Run, number: u64, nth: usize, change: impl Fn(&mut Answer)) {
    let mut answers = run
        .history
        .records
        .iter_mut()
        .filter_map(|record| match &mut record.event {
            Event::Acknowledged { message, answer } if *message == token(number) => Some(answer),
            _ => None,
        });
    change(answers.nth(nth).expect("it was answered so often"));
}

/// The message that came to a device.
fn observed(run: &mut Run, at: usize) -> &mut Observed {
    match &mut run.history.records[at].event {
        Event::Came { observed, .. } => observed,
        other => panic!("nothing came: {other:?}"),
    }
}

/// Replaces the last seal of a log by a message.
fn log(run: &mut Run, key: TimelineKey, observed: Observed) {
    let seq = run.sealed(key);
    let conversation_seq = seq;
    run.set(
        key,
        seq,
        Row::Entry(Observed {
            conversation_seq,
            seq: 0,
            ..observed
        }),
    );
}

#[test]
fn a_run_without_mistakes_has_no_violations() {
    for run in [settled(), everything()] {
        assert_eq!(run.judged(Stage::Settled), []);
        assert_eq!(run.judged(Stage::Running), []);
    }
}

#[test]
fn a_change_that_is_tried_again_is_one_change() {
    let mut run = everything();
    let is_begun = |record: &&Record| {
        matches!(
            record.event,
            Event::Change {
                group: SUPER,
                user: 4,
                turn: Turn::Leaves
            }
        )
    };
    let begun = run.history.records.iter().find(is_begun).cloned();
    let at = run.find(
        "u2.a",
        |event| matches!(event, Event::Send { message, .. } if *message == token(12)),
    );
    run.history.records.insert(at, begun.expect("u4 is removed"));
    assert_eq!(run.judged(Stage::Settled), []);
}

#[test]
fn rows_that_are_newer_than_the_history_are_no_violation() {
    let run = everything();
    for length in 0..run.history.records.len() {
        let mut history = run.history.clone();
        history.records.truncate(length);
        assert_eq!(
            judge(&history, &run.tables, Stage::Running),
            [],
            "after {length} records"
        );
    }
}

#[test]
fn a_change_under_way_may_reach_users_who_join_meanwhile() {
    let mut run = everything();
    // u4 is about to come back when the history is copied; u3 joins before that is announced.
    for user in 1..=4 {
        if let (seq, Observed { sender: 4, .. }) = run.announced(inbox(user), GROUP, 4) {
            run.forget(inbox(user), seq);
        }
    }
    run.forget(GROUP_LOG, run.announced(GROUP_LOG, GROUP, 4).0);
    let begun = run.history.records.iter().rposition(|record| {
        matches!(
            record.event,
            Event::Change {
                group: GROUP,
                user: 4,
                turn: Turn::Joins
            }
        )
    });
    run.history.records.truncate(begun.expect("u4 comes back") + 1);
    assert_eq!(run.judged(Stage::Running), []);
}
