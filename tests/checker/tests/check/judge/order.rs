//! G4: one order for all.

use super::*;

/// Exchanges two messages in a log.
fn exchange(run: &mut Run, key: TimelineKey, one: u64, other: u64) {
    let (first, second) = (run.at(key, one), run.at(key, other));
    for (number, seq) in [(one, second.0), (other, first.0)] {
        let copies: Vec<TimelineKey> = (1..=4).map(inbox).filter(|inbox| run.holds(*inbox, number)).collect();
        run.rewrite(&copies, number, |observed| observed.conversation_seq = seq);
        answer(run, number, 0, |answer| answer.conversation_seq = seq);
    }
    let moved = |observed: Observed, conversation_seq| {
        Row::Entry(Observed {
            conversation_seq,
            ..observed
        })
    };
    run.set(key, first.0, moved(second.1, first.0));
    run.set(key, second.0, moved(first.1, second.0));
    for record in &mut run.history.records {
        let Event::Came { observed, .. } = &mut record.event else {
            continue;
        };
        if observed.seq == 0 && observed.token == Some(token(one)) {
            observed.conversation_seq = second.0;
        } else if observed.seq == 0 && observed.token == Some(token(other)) {
            observed.conversation_seq = first.0;
        }
    }
}

#[test]
fn two_messages_of_a_device_are_in_another_order() {
    let mut run = everything();
    exchange(&mut run, pair(1, 2), 1, 2);
    run.breaks_at_once(Promise::G4, Harm::Reordered);
    let mut run = everything();
    exchange(&mut run, GROUP_LOG, 4, 5);
    run.breaks_at_once(Promise::G4, Harm::Reordered);
}

#[test]
fn messages_of_two_devices_may_be_in_any_order() {
    let mut run = everything();
    exchange(&mut run, GROUP_LOG, 5, 6);
    assert_eq!(run.judged(Stage::Settled), []);
}

#[test]
fn a_copy_names_another_seq() {
    let mut run = everything();
    let elsewhere = run.sealed(GROUP_LOG);
    run.rewrite(&[inbox(1)], 4, |observed| observed.conversation_seq = elsewhere);
    run.breaks_at_once(Promise::G4, Harm::Reordered);
}

#[test]
fn a_copy_has_other_fields() {
    let mut run = everything();
    run.rewrite(&[inbox(1)], 4, |observed| observed.client_id = 1000);
    run.breaks_at_once(Promise::G4, Harm::Other);
}

#[test]
fn an_entry_of_a_log_names_another_seq() {
    let mut run = everything();
    run.rewrite(&[pair(2, 3)], 16, |observed| observed.conversation_seq = 1000);
    run.breaks_at_once(Promise::G4, Harm::Other);
}

#[test]
fn announcements_are_in_another_order() {
    let mut run = everything();
    let mut kinds: Vec<i32> = Vec::new();
    for row in run.timeline(SUPER_LOG).rows.values_mut() {
        if let Row::Entry(Observed {
            change: Some((kind, users)),
            ..
        }) = row
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
    let late = run.history.records.remove(run.came("u2.a", Channel::Inbox, 1)).event;
    run.insert(run.calm(), "u2.a", late);
    run.breaks_at_once(Promise::G4, Harm::Reordered);
}

#[test]
fn a_message_comes_late_by_the_log_of_a_super_group() {
    let mut run = everything();
    let late = run
        .history
        .records
        .remove(run.came("u2.a", Channel::GroupLog, 11))
        .event;
    run.insert(run.calm(), "u2.a", late);
    run.breaks_at_once(Promise::G4, Harm::Reordered);
}
