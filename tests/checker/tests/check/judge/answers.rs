//! G5, and that every message is answered.

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
        run.breaks_at_once(Promise::G5, Harm::Other);
    }
}

#[test]
fn an_answer_is_wrong() {
    for change in [
        (|answer| answer.seq += 1) as fn(&mut Answer),
        |answer| answer.conversation_seq += 1,
        |answer| answer.client_id += 1,
        |answer| answer.session += 1,
    ] {
        for number in [1, 4] {
            let mut run = everything();
            answer(&mut run, number, 0, change);
            run.breaks_at_once(Promise::G5, Harm::Other);
        }
    }
    let mut run = everything();
    answer(&mut run, 11, 0, |answer| answer.seq = 5);
    run.breaks_at_once(Promise::G5, Harm::Other);
}

/// Inserts a refusal of a message.
fn refuse(run: &mut Run, at: usize, device: &str, number: u64, code: u32) {
    let message = token(number);
    run.insert(at, device, Event::Refused { message, code });
}

#[test]
fn a_repeat_is_refused() {
    let mut run = everything();
    let last = |event: &Event| matches!(event, Event::Came { .. });
    let at = run.find("u3.a", last);
    refuse(&mut run, at, "u3.a", 3, 1210);
    run.breaks_at_once(Promise::G5, Harm::Other);
}

#[test]
fn a_repeat_may_be_refused_after_a_newer_message() {
    let mut run = everything();
    let at = run.calm();
    refuse(&mut run, at, "u3.a", 3, 1208);
    assert_eq!(run.judged(Stage::Settled), []);
}

#[test]
fn a_message_may_be_refused_once_and_accepted_later() {
    let mut run = everything();
    let at = run.find("u3.a", |event| matches!(event, Event::Acknowledged { .. }));
    refuse(&mut run, at, "u3.a", 3, 1203);
    assert_eq!(run.judged(Stage::Settled), []);
}

#[test]
fn a_member_is_refused_as_a_stranger() {
    let mut run = everything();
    let (message, to) = (token(60), Conversation::Group(GROUP));
    let at = run.calm();
    run.insert(at, "u2.a", Event::Send { message, to });
    let mut other = run.clone();
    refuse(&mut run, at + 1, "u2.a", 60, NOT_A_MEMBER);
    run.breaks_at_once(Promise::Answered, Harm::Other);
    refuse(&mut other, at + 1, "u2.a", 60, 1203);
    assert_eq!(other.judged(Stage::Settled), []);
}

#[test]
fn a_message_is_never_answered() {
    let mut run = everything();
    let at = run.find(
        "u1.a",
        |event| matches!(event, Event::Acknowledged { message, .. } if *message == token(1)),
    );
    run.history.records.remove(at);
    run.breaks_in_the_end(Promise::Answered, Harm::Other);
}
