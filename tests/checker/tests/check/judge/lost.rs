//! G1: an acknowledged message is stored, as it was sent.

use super::*;

#[test]
fn an_acknowledged_message_is_not_in_its_log() {
    for (key, number) in [(pair(1, 2), 1), (GROUP_LOG, 4), (SUPER_LOG, 21)] {
        let mut run = everything();
        run.forget(key, run.at(key, number).0);
        run.breaks_at_once(Promise::G1, Harm::Lost);
        assert_eq!(run.judged(Stage::Settled).len(), 1, "it is told once");
    }
}

#[test]
fn an_acknowledged_message_is_not_in_the_inbox_of_the_receiver() {
    let mut run = everything();
    run.forget(inbox(2), run.at(inbox(2), 1).0);
    run.breaks_at_once(Promise::G1, Harm::Lost);
}

#[test]
fn an_acknowledged_message_is_not_in_its_senders_inbox() {
    for (user, number) in [(1, 1), (2, 4), (4, 19)] {
        let mut run = everything();
        run.forget(inbox(user), run.at(inbox(user), number).0);
        run.breaks_at_once(Promise::G1, Harm::Lost);
    }
}

#[test]
fn a_member_has_no_copy() {
    // u4 had joined, u3 had not left, u2 was a member all along. The last two are from before a
    // group became a super group.
    for (user, number) in [(4, 6), (3, 5), (2, 19), (3, 30), (1, 31)] {
        let mut run = everything();
        run.forget(inbox(user), run.at(inbox(user), number).0);
        run.breaks_in_the_end(Promise::G1, Harm::Lost);
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
    // A member; a user who joins or leaves; in a super group only the user that it is about.
    let cases = [(2, GROUP, 4), (4, SUPER, 4), (3, GROUP, 3), (4, GROUP, 4)];
    for (user, group, about) in cases {
        let mut run = everything();
        run.forget(inbox(user), run.announced(inbox(user), group, about).0);
        run.breaks_in_the_end(Promise::G1, Harm::Lost);
    }
}

#[test]
fn a_change_is_not_announced() {
    let mut run = everything();
    let users: &[(TimelineKey, u64)] = &[(SUPER_LOG, 4), (inbox(4), 4)];
    for (key, about) in users {
        run.forget(*key, run.announced(*key, SUPER, *about).0);
    }
    run.breaks_in_the_end(Promise::G1, Harm::Lost);
}

#[test]
fn a_copy_refers_to_nothing() {
    let mut run = everything();
    let (log, seq) = ("g7".to_owned(), 1000);
    run.set(inbox(1), run.sealed(inbox(1)), Row::Dangling { log, seq });
    run.breaks_in_the_end(Promise::G1, Harm::Lost);
}

#[test]
fn a_copy_has_no_message_in_the_log() {
    let mut run = everything();
    run.forget(pair(1, 2), run.at(pair(1, 2), 15).0);
    run.breaks_at_once(Promise::G1, Harm::Lost);
}

#[test]
fn a_copy_of_a_message_that_was_never_logged_is_lost_only_in_the_end() {
    let mut run = everything();
    let (seq, _) = run.at(pair(1, 2), 15);
    let log = run.timeline(pair(1, 2));
    log.rows.retain(|other, _| *other < seq);
    log.counter = seq - 1;
    // Later messages are not asked for.
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
    run.rewrite(&[pair(1, 2)], 1, |observed| observed.intact = false);
    run.breaks_at_once(Promise::G1, Harm::Other);
}

#[test]
fn a_stored_message_was_sent_by_nobody() {
    let mut run = everything();
    let mut unsent = run.at(pair(1, 2), 1).1;
    unsent.token = Some(token(999));
    log(&mut run, pair(1, 2), unsent);
    run.breaks_in_the_end(Promise::G1, Harm::Other);
}

#[test]
fn a_stored_message_has_foreign_content() {
    let mut run = everything();
    let mut unsent = run.at(pair(1, 2), 1).1;
    unsent.token = None;
    log(&mut run, pair(1, 2), unsent);
    run.breaks_at_once(Promise::G1, Harm::Other);
}

#[test]
fn a_message_has_another_sender() {
    let mut run = everything();
    run.rewrite(&[pair(1, 2), inbox(1), inbox(2)], 1, |observed| observed.sender = 2);
    run.breaks_at_once(Promise::G1, Harm::Other);
}
