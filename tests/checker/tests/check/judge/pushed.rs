//! Pushed: a connected device is pushed what comes.

use super::*;

#[test]
fn a_device_is_not_pushed_the_roll_call() {
    let mut run = everything();
    let at = run.came("u3.a", Channel::Push, 103);
    run.history.records.remove(at);
    run.breaks(Promise::Pushed, Harm::Lost);
}

#[test]
fn a_page_does_not_count_as_a_push() {
    let mut run = everything();
    let at = run.came("u3.a", Channel::Push, 103);
    let observed = observed(&mut run, at).clone();
    run.history.records[at].event = Event::Came {
        by: Channel::Sync,
        observed,
    };
    run.breaks(Promise::Pushed, Harm::Lost);
}

#[test]
fn a_device_that_was_cut_off_for_a_moment_need_not_be_pushed_it() {
    let mut run = everything();
    let at = run.came("u3.a", Channel::Push, 103);
    run.history.records.remove(at);
    let settled = run
        .history
        .records
        .iter()
        .position(|record| record.event == Event::Settled);
    let reason = "cut".to_owned();
    run.insert(settled.unwrap() + 1, "u3.a", Event::Connected);
    run.insert(settled.unwrap() + 1, "u3.a", Event::Disconnected { reason });
    assert_eq!(run.judged(Stage::Settled), []);
}

#[test]
fn a_device_that_the_server_may_have_forgotten_need_not_be_pushed_it() {
    let mut run = everything();
    let calm = run.calm();
    run.history.records.drain(calm + 1..=calm + 2);
    let at = run.came("u3.a", Channel::Push, 103);
    run.history.records.remove(at);
    assert_eq!(run.judged(Stage::Settled), []);
}

#[test]
fn a_device_that_was_cut_off_need_not_be_pushed_it() {
    let mut run = everything();
    let at = run.came("u3.a", Channel::Push, 103);
    run.history.records.remove(at);
    let reason = "cut".to_owned();
    run.insert(at, "u3.a", Event::Disconnected { reason });
    assert_eq!(run.judged(Stage::Settled), []);
}
