//! G6: nobody has a message that they may not have.

use super::*;

#[test]
fn a_third_user_has_a_message_of_two() {
    for number in [1, 15] {
        let mut run = everything();
        let observed = run.at(pair(1, 2), number).1;
        run.add(3, &observed);
        run.breaks_at_once(Promise::G6, Harm::Leaked);
        assert_eq!(run.judged(Stage::Settled).len(), 1, "it is told once");
    }
}

#[test]
fn a_user_without_a_device_has_a_message_of_others() {
    let mut run = everything();
    let observed = run.at(pair(1, 2), 1).1;
    let rows = [(1, Row::Entry(Observed { seq: 1, ..observed }))].into();
    let counter = 1;
    let timeline = Timeline {
        counter,
        rows,
        ..Timeline::default()
    };
    run.tables.timelines.insert(inbox(5), timeline);
    run.breaks_at_once(Promise::G6, Harm::Leaked);
}

#[test]
fn a_user_has_a_message_from_after_they_left() {
    let mut run = everything();
    let observed = run.at(GROUP_LOG, 7).1;
    run.add(3, &observed);
    run.breaks_at_once(Promise::G6, Harm::Leaked);
}

#[test]
fn a_user_has_a_message_from_before_they_joined() {
    let mut run = everything();
    let observed = run.at(GROUP_LOG, 4).1;
    run.add(4, &observed);
    run.breaks_at_once(Promise::G6, Harm::Leaked);
}

#[test]
fn a_user_has_an_announcement_from_after_they_left() {
    let mut run = everything();
    let observed = run.announced(GROUP_LOG, GROUP, 4).1;
    run.add(3, &observed);
    run.breaks_at_once(Promise::G6, Harm::Leaked);
}

#[test]
fn a_device_is_pushed_or_reads_a_message_of_others() {
    for (by, key, number) in [
        (Channel::Push, SUPER_LOG, 11),
        (Channel::Pull, GROUP_LOG, 7),
        (Channel::GroupLog, SUPER_LOG, 12),
    ] {
        let mut run = everything();
        let observed = run.at(key, number).1;
        let at = run.calm();
        run.insert(at, "u3.a", Event::Came { by, observed });
        run.breaks_at_once(Promise::G6, Harm::Leaked);
    }
}

#[test]
fn a_message_is_stored_although_its_sender_was_no_member() {
    let mut run = everything();
    let mut observed = run.at(GROUP_LOG, 19).1;
    observed.token = Some(token(24));
    log(&mut run, GROUP_LOG, observed);
    run.breaks_in_the_end(Promise::G6, Harm::Leaked);
}

#[test]
fn a_message_is_acknowledged_although_its_sender_was_no_member() {
    let mut run = everything();
    let mut observed = run.at(GROUP_LOG, 19).1;
    observed.token = Some(token(9));
    let conversation_seq = run.sealed(GROUP_LOG);
    let at = run.find("u4.a", |event| matches!(event, Event::Refused { .. }));
    let message = token(9);
    let answer = Answer {
        session: observed.session,
        client_id: observed.client_id,
        seq: run.sealed(inbox(4)),
        conversation_seq,
        send_time_ms: 0,
    };
    run.history.records[at].event = Event::Acknowledged { message, answer };
    log(&mut run, GROUP_LOG, observed);
    let observed = run.at(GROUP_LOG, 9).1;
    run.add(4, &observed);
    let found = run.judged(Stage::Running);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].promise, found[0].harm), (Promise::G6, Harm::Leaked));
}

#[test]
fn a_message_is_in_the_log_of_another_conversation() {
    let mut run = everything();
    let observed = run.at(GROUP_LOG, 4).1;
    log(&mut run, pair(1, 2), observed);
    run.breaks_at_once(Promise::G6, Harm::Leaked);
}
