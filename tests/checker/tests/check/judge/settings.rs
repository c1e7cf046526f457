//! Settings of groups: when they apply, and that everyone is told.

use super::*;
use wigwag_protocol::pb::GroupChangeType;

/// Asserts that a violation has this text; also while the workload goes on if `at_once`.
#[track_caller]
fn tells(run: &Run, text: &str, at_once: bool) {
    let is_told = |stage| run.judged(stage).iter().any(|found| found.text.contains(text));
    assert!(is_told(Stage::Settled), "{:#?}", run.judged(Stage::Settled));
    assert_eq!(is_told(Stage::Running), at_once);
}

/// The seq of an announcement of this kind in a timeline.
fn told(run: &Run, key: TimelineKey, group: u64, kind: GroupChangeType) -> u64 {
    let is_it = |observed: &Observed| {
        let is_kind = observed
            .change
            .as_ref()
            .is_some_and(|(told, _)| *told == i32::from(kind));
        is_kind && observed.conversation == Conversation::Group(group)
    };
    let mut entries = run.tables.timelines[&key].entries();
    entries.find(|(_, observed)| is_it(observed)).expect("it is told").0
}

#[test]
fn a_member_is_not_told_that_a_group_became_a_super_group() {
    for user in 1..=3 {
        let mut run = everything();
        let seq = told(&run, inbox(user), BECOMING, GroupChangeType::BecameSuper);
        run.forget(inbox(user), seq);
        run.breaks_in_the_end(Promise::G1, Harm::Lost);
    }
}

#[test]
fn no_announcement_says_that_a_group_became_a_super_group() {
    let mut run = everything();
    for key in [BECOMING_LOG, inbox(1), inbox(2), inbox(3)] {
        let seq = told(&run, key, BECOMING, GroupChangeType::BecameSuper);
        run.forget(key, seq);
    }
    run.breaks_in_the_end(Promise::G1, Harm::Lost);
}

#[test]
fn the_announcement_of_a_super_group_comes_by_the_inbox_and_by_the_log() {
    for device in ["u1.a", "u2.fresh"] {
        let mut run = everything();
        let seq = told(&run, BECOMING_LOG, BECOMING, GroupChangeType::BecameSuper);
        let Row::Entry(observed) = run.tables.timelines[&BECOMING_LOG].rows[&seq].clone() else {
            panic!("it is told");
        };
        let (at, by) = (run.came(device, Channel::GroupLog, 33), Channel::GroupLog);
        run.insert(at, device, Event::Came { by, observed });
        run.breaks_at_once(Promise::G2, Harm::Duplicated);
    }
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
    let is_it = |event: &Event| matches!(event, Event::Set { .. } | Event::SetDone { .. });
    run.history.records.retain(|record| !is_it(&record.event));
    tells(&run, "g10 is a super group, and nobody made it one", false);
}

#[test]
fn a_group_was_a_super_group_too_early() {
    let mut run = everything();
    let seq = run.at(BECOMING_LOG, 30).0;
    run.timeline(BECOMING_LOG).super_after = Some(seq - 1);
    tells(
        &run,
        "m30 is at 2 of g10, a super group after 1, and was acknowledged before",
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
        "m33 is at 6 of g10, a super group after 6, and was sent after it had become one",
        true,
    );
}

/// The record in which a message was refused or first acknowledged.
fn answered(run: &mut Run, number: u64) -> &mut Record {
    let is_it = |event: &Event| match event {
        Event::Acknowledged { message, .. } | Event::Refused { message, .. } => *message == token(number),
        _ => false,
    };
    let mut records = run.history.records.iter_mut();
    records.find(|record| is_it(&record.event)).expect("it is answered")
}

/// Replaces the refusal of a message by an acknowledgement, and stores the message.
fn accepted(number: u64) -> Run {
    let mut run = everything();
    let mut observed = run.at(ENDING_LOG, 42).1;
    let conversation_seq = run.sealed(ENDING_LOG);
    let record = answered(&mut run, number);
    let message = token(number);
    let answer = Answer {
        session: observed.session,
        client_id: observed.client_id,
        seq: 0,
        conversation_seq,
        send_time_ms: 0,
    };
    record.event = Event::Acknowledged { message, answer };
    let device = record.device.expect("a device is refused it");
    observed.token = Some(message);
    observed.sender = run.history.devices[device].user;
    log(&mut run, ENDING_LOG, observed);
    run
}

#[test]
fn a_message_that_had_to_be_refused_is_accepted() {
    let cases = [
        (41, "m41 of u3 is in g11, although the group was muted when it was sent"),
        (
            45,
            "m45 of u3 is in g11, although its sender was muted when it was sent",
        ),
        (47, "m47 of u2 is in g11, although the group was muted when it was sent"),
        (
            51,
            "m51 of u3 is in g11, although the group was dissolved when it was sent",
        ),
    ];
    for (number, text) in cases {
        tells(&accepted(number), text, true);
    }
    // It was begun before the group was dissolved.
    let found = accepted(49).judged(Stage::Running);
    assert!(found.iter().all(|found| found.promise != Promise::G6));
}

#[test]
fn a_message_that_may_be_sent_is_refused() {
    for (number, code) in [
        (46, NOT_A_MEMBER),
        (46, DISSOLVED),
        (46, GROUP_MUTED),
        (46, MEMBER_MUTED),
        (43, GROUP_MUTED),
        (42, GROUP_MUTED),
        (42, MEMBER_MUTED),
        (42, DISSOLVED),
    ] {
        let mut run = everything();
        let message = token(number);
        answered(&mut run, number).event = Event::Refused { message, code };
        run.breaks_at_once(Promise::Answered, Harm::Other);
    }
}

#[test]
fn a_message_may_be_refused_while_a_mute_or_a_dissolution_begins() {
    for (number, code) in [(48, DISSOLVED), (44, GROUP_MUTED)] {
        let mut run = everything();
        let message = token(number);
        answered(&mut run, number).event = Event::Refused { message, code };
        assert_eq!(run.judged(Stage::Settled), []);
    }
}

#[test]
fn a_change_of_a_setting_is_not_announced() {
    for kind in [
        GroupChangeType::Dissolved,
        GroupChangeType::Muted,
        GroupChangeType::MemberUnmuted,
        GroupChangeType::HistoryOpened,
    ] {
        let mut run = everything();
        let seq = told(&run, inbox(2), ENDING, kind);
        run.forget(inbox(2), seq);
        run.breaks_in_the_end(Promise::G1, Harm::Lost);
    }
}

#[test]
fn a_closed_history_is_read() {
    // After it was closed again; and by a push instead of a page.
    let mut run = everything();
    let at = run.came("u3.a", Channel::Pull, 50);
    run.insert(at, "u3.a", Event::Asked { group: ENDING });
    run.breaks_at_once(Promise::G6, Harm::Leaked);
    let mut run = everything();
    let at = run.came("u3.a", Channel::Pull, 50);
    let observed = observed(&mut run, at).clone();
    let by = Channel::Push;
    run.history.records[at].event = Event::Came { by, observed };
    run.breaks_at_once(Promise::G6, Harm::Leaked);
}

#[test]
fn an_open_history_is_read_by_a_stranger() {
    let mut run = everything();
    let at = run.came("u3.a", Channel::Pull, 50);
    let (by, observed) = (Channel::Pull, observed(&mut run, at).clone());
    run.insert(at + 1, "u4.a", Event::Came { by, observed });
    let asked = run.find("u3.a", |event| matches!(event, Event::Asked { .. }));
    run.insert(asked, "u4.a", Event::Asked { group: ENDING });
    run.breaks_at_once(Promise::G6, Harm::Leaked);
}
