//! The judge on histories made by hand: one in which nothing is wrong, and one small alteration of it for each rule.

use crate::hand::{GROUP, GROUP_LOG, NOT_A_MEMBER, Run, SUPER, SUPER_LOG, everything, inbox, pair, settled, token};
use wigwag_check::history::{Answer, Conversation, Path, Record, Said, Turn, What};
use wigwag_check::judge::{Harm, Promise, Stage, judge};
use wigwag_check::tables::{Place, Slot, Timeline};

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

mod lost {
    use super::*;

    #[test]
    fn an_acknowledged_message_is_not_in_its_log() {
        for (place, number) in [(pair(1, 2), 1), (GROUP_LOG, 4), (SUPER_LOG, 21)] {
            let mut run = everything();
            run.forget(place, run.at(place, number).0);
            run.is_at_once(Promise::G1, Harm::Lost);
            assert_eq!(run.judged(Stage::Settled).len(), 1, "it is told once");
        }
    }

    #[test]
    fn an_acknowledged_message_is_not_in_the_inbox_of_the_other() {
        let mut run = everything();
        run.forget(inbox(2), run.at(inbox(2), 1).0);
        run.is_at_once(Promise::G1, Harm::Lost);
    }

    #[test]
    fn an_acknowledged_message_is_not_in_its_senders_inbox() {
        for (user, number) in [(1, 1), (2, 4), (4, 19)] {
            let mut run = everything();
            run.forget(inbox(user), run.at(inbox(user), number).0);
            run.is_at_once(Promise::G1, Harm::Lost);
        }
    }

    #[test]
    fn a_member_has_no_copy() {
        // u4 has joined, u3 is not gone, u2 has nothing to do with it.
        for (user, number) in [(4, 6), (3, 5), (2, 19)] {
            let mut run = everything();
            run.forget(inbox(user), run.at(inbox(user), number).0);
            run.is_in_the_end(Promise::G1, Harm::Lost);
        }
    }

    #[test]
    fn a_user_who_left_meanwhile_need_not_have_a_copy() {
        let mut run = everything();
        run.forget(inbox(3), run.at(inbox(3), 18).0);
        assert_eq!(run.judged(Stage::Settled), []);
    }

    #[test]
    fn an_announcement_has_no_copy() {
        // A member, who joins, who goes; of a super group only whom it is about.
        let cases = [(2, GROUP, 4), (4, SUPER, 4), (3, GROUP, 3), (4, GROUP, 4)];
        for (user, group, about) in cases {
            let mut run = everything();
            run.forget(inbox(user), run.announced(inbox(user), group, about).0);
            run.is_in_the_end(Promise::G1, Harm::Lost);
        }
    }

    #[test]
    fn a_change_is_not_announced() {
        let mut run = everything();
        let users: &[(Place, u64)] = &[(SUPER_LOG, 4), (inbox(4), 4)];
        for (place, about) in users {
            run.forget(*place, run.announced(*place, SUPER, *about).0);
        }
        run.is_in_the_end(Promise::G1, Harm::Lost);
    }

    #[test]
    fn a_copy_refers_to_nothing() {
        let mut run = everything();
        let (log, seq) = ("g7".to_owned(), 1000);
        run.set(inbox(1), run.sealed(inbox(1)), Slot::Dangling { log, seq });
        run.is_in_the_end(Promise::G1, Harm::Lost);
    }

    #[test]
    fn there_are_copies_of_what_is_in_no_log() {
        let mut run = everything();
        run.forget(pair(1, 2), run.at(pair(1, 2), 15).0);
        run.is_at_once(Promise::G1, Harm::Lost);
    }

    #[test]
    fn there_are_copies_of_what_did_not_come_into_its_log() {
        let mut run = everything();
        let (seq, _) = run.at(pair(1, 2), 15);
        let log = run.timeline(pair(1, 2));
        log.slots.retain(|other, _| *other < seq);
        log.counter = seq - 1;
        // Nothing that came later is asked for.
        run.history.records.truncate(run.calm());
        let of_it = |stage| {
            let mut found = run.judged(stage);
            found.retain(|violation| violation.text.contains("p1-2") || violation.text.contains("u1-u2"));
            found.retain(|violation| violation.messages == [token(15)]);
            found
        };
        assert_eq!(of_it(Stage::Running), []);
        let found = of_it(Stage::Settled);
        assert_eq!(found.len(), 2, "one for each copy");
        assert_eq!((found[0].promise, found[0].harm), (Promise::G1, Harm::Lost));
    }

    #[test]
    fn a_message_is_garbled() {
        let mut run = everything();
        run.rewrite(&[pair(1, 2)], 1, |said| said.intact = false);
        run.is_at_once(Promise::G1, Harm::Other);
    }

    #[test]
    fn a_message_stands_that_nobody_sent() {
        let mut run = everything();
        let mut unsent = run.at(pair(1, 2), 1).1;
        unsent.token = Some(token(999));
        log(&mut run, pair(1, 2), unsent);
        run.is_in_the_end(Promise::G1, Harm::Other);
    }

    #[test]
    fn a_message_says_nothing_that_a_message_of_the_checker_says() {
        let mut run = everything();
        let mut unsent = run.at(pair(1, 2), 1).1;
        unsent.token = None;
        log(&mut run, pair(1, 2), unsent);
        run.is_at_once(Promise::G1, Harm::Other);
    }

    #[test]
    fn a_message_has_another_sender() {
        let mut run = everything();
        run.rewrite(&[pair(1, 2), inbox(1), inbox(2)], 1, |said| said.sender = 2);
        run.is_at_once(Promise::G1, Harm::Other);
    }
}

mod duplicated {
    use super::*;

    #[test]
    fn a_message_stands_twice_in_an_inbox() {
        for (user, number) in [(2, 1), (1, 15), (4, 6)] {
            let mut run = everything();
            let said = run.at(inbox(user), number).1;
            run.add(user, &said);
            run.is_at_once(Promise::G2, Harm::Duplicated);
        }
    }

    #[test]
    fn a_message_stands_twice_in_a_log() {
        for (place, number) in [(pair(1, 2), 1), (pair(2, 3), 16), (GROUP_LOG, 5)] {
            let mut run = everything();
            let said = run.at(place, number).1;
            log(&mut run, place, said);
            run.is_at_once(Promise::G2, Harm::Duplicated);
        }
    }

    #[test]
    fn an_announcement_stands_twice_in_an_inbox() {
        let mut run = everything();
        let said = run.announced(inbox(1), GROUP, 4).1;
        run.add(1, &said);
        run.is_at_once(Promise::G2, Harm::Duplicated);
    }

    #[test]
    fn a_change_is_announced_twice() {
        let mut run = everything();
        let said = run.announced(GROUP_LOG, GROUP, 4).1;
        log(&mut run, GROUP_LOG, said);
        run.is_in_the_end(Promise::G2, Harm::Duplicated);
    }

    #[test]
    fn a_message_of_a_super_group_is_copied() {
        let mut run = everything();
        let said = run.at(SUPER_LOG, 11).1;
        run.add(2, &said);
        run.is_at_once(Promise::G2, Harm::Duplicated);
        // It is no loss where a device leaves it out.
        let mut run = everything();
        let seq = run.sealed(inbox(2));
        run.set(inbox(2), seq, Slot::Entry(Said { seq, ..said }));
        run.is_at_once(Promise::G2, Harm::Duplicated);
    }

    #[test]
    fn a_message_comes_twice_by_the_inbox() {
        let mut run = everything();
        let at = run.came("u2.a", Path::Inbox, 1);
        let again = run.history.records[at].what.clone();
        run.insert(run.calm(), "u2.a", again);
        run.is_at_once(Promise::G2, Harm::Duplicated);
    }

    #[test]
    fn a_message_comes_twice_by_the_log_of_a_super_group() {
        let mut run = everything();
        let at = run.came("u2.a", Path::GroupLog, 11);
        let again = run.history.records[at].what.clone();
        run.insert(run.calm(), "u2.a", again);
        run.is_at_once(Promise::G2, Harm::Duplicated);
    }
}

mod dense {
    use super::*;

    #[test]
    fn nothing_stands_at_a_seq() {
        for place in [inbox(1), pair(1, 2), GROUP_LOG] {
            let mut run = everything();
            let seq = run.sealed(place);
            run.timeline(place).slots.remove(&seq);
            run.is_in_the_end(Promise::G3, Harm::Other);
        }
    }

    #[test]
    fn something_stands_beyond_the_end() {
        let mut run = everything();
        let beyond = run.tables.timelines["p1-2"].counter + 1;
        run.set(pair(1, 2), beyond, Slot::Seal);
        run.is_in_the_end(Promise::G3, Harm::Other);
    }

    #[test]
    fn the_sdk_hands_on_a_message_and_has_skipped_one() {
        for (device, number) in [("u2.a", 1), ("u4.a", 6), ("u1.fresh", 4)] {
            let mut run = everything();
            run.history.records.remove(run.came(device, Path::Inbox, number));
            run.is_at_once(Promise::G3, Harm::Lost);
        }
    }

    #[test]
    fn what_is_handed_on_is_a_cursor_too() {
        let mut run = everything();
        run.history.records.remove(run.came("u2.a", Path::Inbox, 1));
        let cut = run.calm();
        let is_cursor = |what: &What| matches!(what, What::Cursor { .. });
        run.history.records.truncate(cut);
        run.history
            .records
            .retain(|record| record.device != Some(1) || !is_cursor(&record.what));
        let found = run.judged(Stage::Running);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].promise, found[0].harm), (Promise::G3, Harm::Lost));
    }

    #[test]
    fn a_device_is_told_a_cursor_beyond_what_it_did_not_get() {
        let mut run = everything();
        while let Some(at) = run.history.records.iter().position(|record| match &record.what {
            What::Came { said, .. } => record.device == Some(3) && said.seq > 0 && said.token == Some(token(4)),
            _ => false,
        }) {
            run.history.records.remove(at);
        }
        run.is_at_once(Promise::G3, Harm::Lost);
    }

    #[test]
    fn the_sdk_skips_a_message_of_a_super_group() {
        for (device, number) in [("u2.a", 12), ("u4.a", 12), ("u4.fresh", 14)] {
            let mut run = everything();
            run.history.records.remove(run.came(device, Path::GroupLog, number));
            run.is_at_once(Promise::G3, Harm::Lost);
        }
    }

    #[test]
    fn the_sdk_skips_an_announcement_of_a_super_group() {
        let mut run = everything();
        let at = run.find("u2.a", |what| match what {
            What::Came { by, said } => {
                let about = said.change.as_ref().map(|(_, users)| users.as_slice());
                *by == Path::GroupLog && about == Some(&[4])
            }
            _ => false,
        });
        run.history.records.remove(at);
        run.is_at_once(Promise::G3, Harm::Lost);
    }
}

mod order {
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
}

mod answers {
    use super::*;

    #[test]
    fn a_repeat_gets_another_answer() {
        for change in [
            (|answer| answer.seq += 1) as fn(&mut Answer),
            |answer| answer.conversation_seq += 1,
            |answer| answer.send_time_ms += 1,
        ] {
            let mut run = everything();
            answer(&mut run, 3, 1, change);
            run.is_at_once(Promise::G5, Harm::Other);
        }
    }

    #[test]
    fn an_answer_is_not_true() {
        for change in [
            (|answer| answer.seq += 1) as fn(&mut Answer),
            |answer| answer.conversation_seq += 1,
            |answer| answer.client_id += 1,
            |answer| answer.session += 1,
        ] {
            for number in [1, 4] {
                let mut run = everything();
                answer(&mut run, number, 0, change);
                run.is_at_once(Promise::G5, Harm::Other);
            }
        }
        let mut run = everything();
        answer(&mut run, 11, 0, |answer| answer.seq = 5);
        run.is_at_once(Promise::G5, Harm::Other);
    }

    /// Refuses a message at a later time.
    fn refuse(run: &mut Run, at: usize, device: &str, number: u64, code: u32) {
        let message = token(number);
        run.insert(at, device, What::Refused { message, code });
    }

    #[test]
    fn a_repeat_is_refused() {
        let mut run = everything();
        let last = |what: &What| matches!(what, What::Came { .. });
        let at = run.find("u3.a", last);
        refuse(&mut run, at, "u3.a", 3, 1210);
        run.is_at_once(Promise::G5, Harm::Other);
    }

    #[test]
    fn a_repeat_may_be_refused_when_something_newer_was_sent() {
        let mut run = everything();
        let at = run.calm();
        refuse(&mut run, at, "u3.a", 3, 1208);
        assert_eq!(run.judged(Stage::Settled), []);
    }

    #[test]
    fn what_one_attempt_was_refused_another_may_be_answered() {
        let mut run = everything();
        let at = run.find("u3.a", |what| matches!(what, What::Acknowledged { .. }));
        refuse(&mut run, at, "u3.a", 3, 1203);
        assert_eq!(run.judged(Stage::Settled), []);
    }

    #[test]
    fn a_member_is_refused_as_none() {
        let mut run = everything();
        let (message, to) = (token(50), Conversation::Group(GROUP));
        let at = run.calm();
        run.insert(at, "u2.a", What::Send { message, to });
        let mut muted = run.clone();
        refuse(&mut run, at + 1, "u2.a", 50, NOT_A_MEMBER);
        run.is_at_once(Promise::Answered, Harm::Other);
        refuse(&mut muted, at + 1, "u2.a", 50, 1215);
        assert_eq!(muted.judged(Stage::Settled), []);
    }

    #[test]
    fn a_message_is_never_answered() {
        let mut run = everything();
        let at = run.find(
            "u1.a",
            |what| matches!(what, What::Acknowledged { message, .. } if *message == token(1)),
        );
        run.history.records.remove(at);
        run.is_in_the_end(Promise::Answered, Harm::Other);
    }
}

mod leaked {
    use super::*;

    #[test]
    fn a_third_party_has_a_message_of_two() {
        for number in [1, 15] {
            let mut run = everything();
            let said = run.at(pair(1, 2), number).1;
            run.add(3, &said);
            run.is_at_once(Promise::G6, Harm::Leaked);
            assert_eq!(run.judged(Stage::Settled).len(), 1, "it is told once");
        }
    }

    #[test]
    fn a_user_without_a_device_has_what_is_not_theirs() {
        let mut run = everything();
        let said = run.at(pair(1, 2), 1).1;
        let slots = [(1, Slot::Entry(Said { seq: 1, ..said }))].into();
        let timeline = Timeline { counter: 1, slots };
        run.tables.timelines.insert(inbox(5).key(), timeline);
        run.is_at_once(Promise::G6, Harm::Leaked);
    }

    #[test]
    fn a_user_has_what_was_sent_when_they_had_left() {
        let mut run = everything();
        let said = run.at(GROUP_LOG, 7).1;
        run.add(3, &said);
        run.is_at_once(Promise::G6, Harm::Leaked);
    }

    #[test]
    fn a_user_has_what_was_sent_before_they_joined() {
        let mut run = everything();
        let said = run.at(GROUP_LOG, 4).1;
        run.add(4, &said);
        run.is_at_once(Promise::G6, Harm::Leaked);
    }

    #[test]
    fn a_user_has_what_was_announced_when_they_had_left() {
        let mut run = everything();
        let said = run.announced(GROUP_LOG, GROUP, 4).1;
        run.add(3, &said);
        run.is_at_once(Promise::G6, Harm::Leaked);
    }

    #[test]
    fn a_device_is_pushed_or_reads_what_is_not_theirs() {
        for (by, place, number) in [
            (Path::Push, SUPER_LOG, 11),
            (Path::Pull, GROUP_LOG, 7),
            (Path::GroupLog, SUPER_LOG, 12),
        ] {
            let mut run = everything();
            let said = run.at(place, number).1;
            let at = run.calm();
            run.insert(at, "u3.a", What::Came { by, said });
            run.is_at_once(Promise::G6, Harm::Leaked);
        }
    }

    #[test]
    fn a_message_stands_whose_sender_was_no_member() {
        let mut run = everything();
        let mut said = run.at(GROUP_LOG, 19).1;
        said.token = Some(token(24));
        log(&mut run, GROUP_LOG, said);
        run.is_in_the_end(Promise::G6, Harm::Leaked);
    }

    #[test]
    fn a_message_is_acknowledged_whose_sender_was_no_member() {
        let mut run = everything();
        let mut said = run.at(GROUP_LOG, 19).1;
        said.token = Some(token(9));
        let conversation_seq = run.sealed(GROUP_LOG);
        let at = run.find("u4.a", |what| matches!(what, What::Refused { .. }));
        let message = token(9);
        let answer = Answer {
            session: said.session,
            client_id: said.client_id,
            seq: run.sealed(inbox(4)),
            conversation_seq,
            send_time_ms: 0,
        };
        run.history.records[at].what = What::Acknowledged { message, answer };
        log(&mut run, GROUP_LOG, said);
        let said = run.at(GROUP_LOG, 9).1;
        run.add(4, &said);
        let found = run.judged(Stage::Running);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].promise, found[0].harm), (Promise::G6, Harm::Leaked));
    }

    #[test]
    fn a_message_stands_in_the_log_of_another_conversation() {
        let mut run = everything();
        let said = run.at(GROUP_LOG, 4).1;
        let seq = run.sealed(pair(1, 2));
        run.set(pair(1, 2), seq, Slot::Entry(said));
        run.is_at_once(Promise::G6, Harm::Leaked);
    }
}

mod converged {
    use super::*;

    #[test]
    fn something_came_that_does_not_stand_so() {
        for (device, by, number) in [
            ("u2.a", Path::Inbox, 1),
            ("u2.a", Path::GroupLog, 11),
            ("u3.a", Path::Push, 4),
            ("u3.a", Path::Sync, 4),
            ("u3.a", Path::Pull, 4),
        ] {
            for change in [(|said| said.intact = false) as fn(&mut Said), |said| {
                said.client_id += 1;
            }] {
                let mut run = everything();
                let at = run.came(device, by, number);
                change(said(&mut run, at));
                run.is_at_once(Promise::G7, Harm::Other);
            }
        }
    }

    #[test]
    fn a_device_does_not_have_all() {
        for device in ["u1.a", "u2.a", "u4.a"] {
            let mut run = everything();
            let calm = run.calm();
            run.cut(device, calm);
            run.is_in_the_end(Promise::G7, Harm::Lost);
        }
        let mut run = everything();
        run.cut("u3.fresh", 0);
        run.is_in_the_end(Promise::G7, Harm::Lost);
    }

    #[test]
    fn a_device_does_not_have_all_of_a_super_group() {
        let mut run = everything();
        let from = run.came("u4.fresh", Path::GroupLog, 14);
        run.cut("u4.fresh", from);
        run.is_in_the_end(Promise::G7, Harm::Lost);
    }

    #[test]
    fn a_device_stays_before_the_end_of_an_inbox() {
        let mut run = settled();
        let calm = run.calm();
        let at = run.history.records.iter().enumerate().position(|(at, record)| {
            at > calm && record.device == Some(0) && matches!(record.what, What::Cursor { .. })
        });
        run.history.records.remove(at.unwrap());
        run.is_in_the_end(Promise::G7, Harm::Other);
    }
}

mod pushed {
    use super::*;

    #[test]
    fn a_device_is_not_pushed_the_roll_call() {
        let mut run = everything();
        let at = run.came("u3.a", Path::Push, 103);
        run.history.records.remove(at);
        run.is(Promise::Pushed, Harm::Lost);
    }

    #[test]
    fn it_does_not_count_that_a_device_asked_for_it() {
        let mut run = everything();
        let at = run.came("u3.a", Path::Push, 103);
        let said = said(&mut run, at).clone();
        run.history.records[at].what = What::Came { by: Path::Sync, said };
        run.is(Promise::Pushed, Harm::Lost);
    }

    #[test]
    fn a_device_that_was_cut_off_for_a_moment_need_not_be() {
        let mut run = everything();
        let at = run.came("u3.a", Path::Push, 103);
        run.history.records.remove(at);
        let settled = run
            .history
            .records
            .iter()
            .position(|record| record.what == What::Settled);
        let reason = "cut".to_owned();
        run.insert(settled.unwrap() + 1, "u3.a", What::Connected);
        run.insert(settled.unwrap() + 1, "u3.a", What::Disconnected { reason });
        assert_eq!(run.judged(Stage::Settled), []);
    }

    #[test]
    fn a_device_that_the_server_may_have_forgotten_need_not_be() {
        let mut run = everything();
        let calm = run.calm();
        run.history.records.drain(calm + 1..=calm + 2);
        let at = run.came("u3.a", Path::Push, 103);
        run.history.records.remove(at);
        assert_eq!(run.judged(Stage::Settled), []);
    }

    #[test]
    fn a_device_that_was_cut_off_need_not_be() {
        let mut run = everything();
        let at = run.came("u3.a", Path::Push, 103);
        run.history.records.remove(at);
        let reason = "cut".to_owned();
        run.insert(at, "u3.a", What::Disconnected { reason });
        assert_eq!(run.judged(Stage::Settled), []);
    }
}
