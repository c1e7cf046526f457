//! Promise G4: one order.

use super::*;

/// Exchanges the places that two messages have in a log.
fn exchange(run: &mut Run, place: Place, one: u64, other: u64) {
    let (first, second) = (run.at(place, one), run.at(place, other));
    for (number, seq) in [(one, second.0), (other, first.0)] {
        let copies: Vec<Place> = (1..=4).map(inbox).filter(|inbox| run.stands(*inbox, number)).collect();
        run.rewrite(&copies, number, |said| said.conversation_seq = seq);
        answer(run, number, 0, |answer| answer.conversation_seq = seq);
    }
    let moved = |said: Said, conversation_seq| {
        Slot::Entry(Said {
            conversation_seq,
            ..said
        })
    };
    run.set(place, first.0, moved(second.1, first.0));
    run.set(place, second.0, moved(first.1, second.0));
    for record in &mut run.history.records {
        let What::Came { said, .. } = &mut record.what else {
            continue;
        };
        if said.seq == 0 && said.token == Some(token(one)) {
            said.conversation_seq = second.0;
        } else if said.seq == 0 && said.token == Some(token(other)) {
            said.conversation_seq = first.0;
        }
    }
}

#[test]
fn two_messages_of_a_device_stand_in_another_order() {
    let mut run = everything();
    exchange(&mut run, pair(1, 2), 1, 2);
    run.is_at_once(Promise::G4, Harm::Reordered);
    let mut run = everything();
    exchange(&mut run, GROUP_LOG, 4, 5);
    run.is_at_once(Promise::G4, Harm::Reordered);
}

#[test]
fn messages_of_two_devices_have_no_order() {
    let mut run = everything();
    exchange(&mut run, GROUP_LOG, 5, 6);
    assert_eq!(run.judged(Stage::Settled), []);
}

#[test]
fn a_copy_names_another_place() {
    let mut run = everything();
    let elsewhere = run.sealed(GROUP_LOG);
    run.rewrite(&[inbox(1)], 4, |said| said.conversation_seq = elsewhere);
    run.is_at_once(Promise::G4, Harm::Reordered);
}

#[test]
fn a_copy_says_something_else_of_itself() {
    let mut run = everything();
    run.rewrite(&[inbox(1)], 4, |said| said.client_id = 1000);
    run.is_at_once(Promise::G4, Harm::Other);
}

#[test]
fn an_entry_of_a_log_names_another_seq() {
    let mut run = everything();
    run.rewrite(&[pair(2, 3)], 16, |said| said.conversation_seq = 1000);
    run.is_at_once(Promise::G4, Harm::Other);
}

#[test]
fn announcements_stand_in_another_order() {
    let mut run = everything();
    let mut kinds: Vec<i32> = Vec::new();
    for slot in run.timeline(SUPER_LOG).slots.values_mut() {
        if let Slot::Entry(Said {
            change: Some((kind, users)),
            ..
        }) = slot
            && *users == [4]
        {
            kinds.push(*kind);
            *kind = if *kind == 2 { 3 } else { 2 };
        }
    }
    assert_eq!(kinds, [3, 2]);
    let found = run.judged(Stage::Settled);
    assert!(
        found
            .iter()
            .any(|it| (it.promise, it.harm) == (Promise::G4, Harm::Reordered)),
        "{found:#?}"
    );
}

#[test]
fn a_message_comes_late_by_the_inbox() {
    let mut run = everything();
    let late = run.history.records.remove(run.came("u2.a", Path::Inbox, 1)).what;
    run.insert(run.calm(), "u2.a", late);
    run.is_at_once(Promise::G4, Harm::Reordered);
}

#[test]
fn a_message_comes_late_by_the_log_of_a_super_group() {
    let mut run = everything();
    let late = run.history.records.remove(run.came("u2.a", Path::GroupLog, 11)).what;
    run.insert(run.calm(), "u2.a", late);
    run.is_at_once(Promise::G4, Harm::Reordered);
}
