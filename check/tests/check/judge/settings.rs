//! What a group is and allows: from when on, and that everyone is told.

use super::*;
use wigwag_protocol::pb::GroupChangeType;

/// Holds against the run that this is told, also while everybody is at it where `at_once`.
#[track_caller]
fn tells(run: &Run, text: &str, at_once: bool) {
    let is_told = |stage| run.judged(stage).iter().any(|found| found.text.contains(text));
    assert!(is_told(Stage::Settled), "{:#?}", run.judged(Stage::Settled));
    assert_eq!(is_told(Stage::Running), at_once);
}

/// Where a change of a kind is told in a timeline.
fn told(run: &Run, place: Place, group: u64, kind: GroupChangeType) -> u64 {
    let is_it = |said: &Said| {
        let is_kind = said.change.as_ref().is_some_and(|(told, _)| *told == i32::from(kind));
        is_kind && said.conversation == Conversation::Group(group)
    };
    let mut entries = run.tables.timelines[&place.key()].entries();
    entries.find(|(_, said)| is_it(said)).expect("it is told").0
}

#[test]
fn a_member_is_not_told_that_a_group_became_a_super_group() {
    for user in 1..=3 {
        let mut run = everything();
        let seq = told(&run, inbox(user), BECOMING, GroupChangeType::BecameSuper);
        run.forget(inbox(user), seq);
        run.is_in_the_end(Promise::G1, Harm::Lost);
    }
}

#[test]
fn it_is_not_told_that_a_group_became_a_super_group() {
    let mut run = everything();
    for place in [BECOMING_LOG, inbox(1), inbox(2), inbox(3)] {
        let seq = told(&run, place, BECOMING, GroupChangeType::BecameSuper);
        run.forget(place, seq);
    }
    run.is_in_the_end(Promise::G1, Harm::Lost);
}

#[test]
fn a_group_is_no_super_group_though_it_was_made_one() {
    let mut run = everything();
    run.timeline(BECOMING_LOG).super_after = None;
    tells(&run, "g10 was made a super group, and is none", true);
}

#[test]
fn a_group_is_a_super_group_though_nobody_made_it_one() {
    let mut run = everything();
    let is_it = |what: &What| matches!(what, What::Set { .. } | What::SetDone { .. });
    run.history.records.retain(|record| !is_it(&record.what));
    tells(&run, "g10 is a super group, and nobody made it one", false);
}

#[test]
fn a_group_was_a_super_group_too_early() {
    let mut run = everything();
    let seq = run.at(BECOMING_LOG, 30).0;
    run.timeline(BECOMING_LOG).super_after = Some(seq - 1);
    tells(
        &run,
        "m30 stands at 2 of g10, a super group beyond 1, and was acknowledged before",
        true,
    );
}

#[test]
fn a_group_was_a_super_group_too_late() {
    let mut run = everything();
    let seq = run.at(BECOMING_LOG, 33).0;
    run.timeline(BECOMING_LOG).super_after = Some(seq);
    tells(
        &run,
        "m33 stands at 6 of g10, a super group beyond 6, and was sent when it was one",
        true,
    );
}
