//! The judge on histories made by hand: one in which nothing is wrong, and one small alteration of it for each rule.

mod answers;
mod converged;
mod dense;
mod duplicated;
mod leaked;
mod lost;
mod order;
mod pushed;
mod settings;

use crate::hand::{
    BECOMING, BECOMING_LOG, DISSOLVED, ENDING, ENDING_LOG, GROUP, GROUP_LOG, GROUP_MUTED, MEMBER_MUTED, NOT_A_MEMBER,
    Run, SUPER, SUPER_LOG, everything, inbox, pair, settled, token,
};
use wigwag_checker::history::{Answer, Conversation, Path, Record, Said, Turn, What};
use wigwag_checker::judge::{Harm, Promise, Stage, judge};
use wigwag_checker::tables::{Place, Slot, Timeline};

/// Changes an answer to a message: the n-th.
fn answer(run: &mut Run, number: u64, nth: usize, change: impl Fn(&mut Answer)) {
    let mut answers = run
        .history
        .records
        .iter_mut()
        .filter_map(|record| match &mut record.what {
            What::Acknowledged { message, answer } if *message == token(number) => Some(answer),
            _ => None,
        });
    change(answers.nth(nth).expect("it was answered so often"));
}

/// Changes what came to a device.
fn said(run: &mut Run, at: usize) -> &mut Said {
    match &mut run.history.records[at].what {
        What::Came { said, .. } => said,
        other => panic!("nothing came: {other:?}"),
    }
}

/// Puts a message in the place of the last seal of a log.
fn log(run: &mut Run, place: Place, said: Said) {
    let seq = run.sealed(place);
    let conversation_seq = seq;
    run.set(
        place,
        seq,
        Slot::Entry(Said {
            conversation_seq,
            seq: 0,
            ..said
        }),
    );
}

#[test]
fn where_nothing_is_wrong_nothing_is_found() {
    for run in [settled(), everything()] {
        assert_eq!(run.judged(Stage::Settled), []);
        assert_eq!(run.judged(Stage::Running), []);
    }
}

#[test]
fn a_change_that_is_begun_again_is_one_change() {
    let mut run = everything();
    let is_begun = |record: &&Record| {
        matches!(
            record.what,
            What::Change {
                group: SUPER,
                user: 4,
                turn: Turn::Leaves
            }
        )
    };
    let begun = run.history.records.iter().find(is_begun).cloned();
    let at = run.find(
        "u2.a",
        |what| matches!(what, What::Send { message, .. } if *message == token(12)),
    );
    run.history.records.insert(at, begun.expect("u4 is removed"));
    assert_eq!(run.judged(Stage::Settled), []);
}

#[test]
fn what_came_into_the_tables_after_the_history_was_copied_is_not_held_against_it() {
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
fn a_change_that_is_not_over_may_be_told_to_whoever_joins_meanwhile() {
    let mut run = everything();
    // u4 is about to come back when the history is copied; u3 joins before that is announced.
    for user in 1..=4 {
        if let (seq, Said { sender: 4, .. }) = run.announced(inbox(user), GROUP, 4) {
            run.forget(inbox(user), seq);
        }
    }
    run.forget(GROUP_LOG, run.announced(GROUP_LOG, GROUP, 4).0);
    let begun = run.history.records.iter().rposition(|record| {
        matches!(
            record.what,
            What::Change {
                group: GROUP,
                user: 4,
                turn: Turn::Joins
            }
        )
    });
    run.history.records.truncate(begun.expect("u4 comes back") + 1);
    assert_eq!(run.judged(Stage::Running), []);
}
