//! G2: nothing is stored twice, or comes twice.

use super::*;

#[test]
fn a_message_is_in_an_inbox_twice() {
    for (user, number) in [(2, 1), (1, 15), (4, 6)] {
        let mut run = everything();
        let observed = run.at(inbox(user), number).1;
        run.add(user, &observed);
        run.breaks_at_once(Promise::G2, Harm::Duplicated);
    }
}

#[test]
fn a_message_is_in_a_log_twice() {
    for (key, number) in [(pair(1, 2), 1), (pair(2, 3), 16), (GROUP_LOG, 5)] {
        let mut run = everything();
        let observed = run.at(key, number).1;
        log(&mut run, key, observed);
        run.breaks_at_once(Promise::G2, Harm::Duplicated);
    }
}

#[test]
fn an_announcement_is_in_an_inbox_twice() {
    let mut run = everything();
    let observed = run.announced(inbox(1), GROUP, 4).1;
    run.add(1, &observed);
    run.breaks_at_once(Promise::G2, Harm::Duplicated);
}

#[test]
fn a_change_is_announced_twice() {
    let mut run = everything();
    let observed = run.announced(GROUP_LOG, GROUP, 4).1;
    log(&mut run, GROUP_LOG, observed);
    run.breaks_in_the_end(Promise::G2, Harm::Duplicated);
}

#[test]
fn a_message_of_a_super_group_is_copied() {
    let mut run = everything();
    for (log, number) in [(BECOMING_LOG, 32), (BECOMING_LOG, 33)] {
        let mut run = everything();
        let observed = run.at(log, number).1;
        run.add(2, &observed);
        run.breaks_at_once(Promise::G2, Harm::Duplicated);
    }
    let observed = run.at(SUPER_LOG, 11).1;
    run.add(2, &observed);
    run.breaks_at_once(Promise::G2, Harm::Duplicated);
    // It is no loss if a device leaves it out.
    let mut run = everything();
    let seq = run.sealed(inbox(2));
    run.set(inbox(2), seq, Row::Entry(Observed { seq, ..observed }));
    run.breaks_at_once(Promise::G2, Harm::Duplicated);
}

#[test]
fn a_message_comes_twice_by_the_inbox() {
    let mut run = everything();
    let at = run.came("u2.a", Channel::Inbox, 1);
    let again = run.history.records[at].event.clone();
    run.insert(run.calm(), "u2.a", again);
    run.breaks_at_once(Promise::G2, Harm::Duplicated);
}

#[test]
fn a_message_comes_twice_by_the_log_of_a_super_group() {
    let mut run = everything();
    let at = run.came("u2.a", Channel::GroupLog, 11);
    let again = run.history.records[at].event.clone();
    run.insert(run.calm(), "u2.a", again);
    run.breaks_at_once(Promise::G2, Harm::Duplicated);
}
