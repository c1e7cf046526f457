//! G3: no holes, and no cursor passes a message that the device did not get.

use super::*;

#[test]
fn a_seq_has_neither_an_entry_nor_a_seal() {
    for key in [inbox(1), pair(1, 2), GROUP_LOG] {
        let mut run = everything();
        let seq = run.sealed(key);
        run.timeline(key).rows.remove(&seq);
        run.breaks_in_the_end(Promise::G3, Harm::Other);
    }
}

#[test]
fn a_row_is_beyond_the_counter() {
    let mut run = everything();
    let beyond = run.tables.timelines[&pair(1, 2)].counter + 1;
    run.set(pair(1, 2), beyond, Row::Seal);
    run.breaks_in_the_end(Promise::G3, Harm::Other);
}

#[test]
fn the_sdk_skips_a_message() {
    for (device, number) in [("u2.a", 1), ("u4.a", 6), ("u1.fresh", 4)] {
        let mut run = everything();
        run.history.records.remove(run.came(device, Channel::Inbox, number));
        run.breaks_at_once(Promise::G3, Harm::Lost);
    }
}

#[test]
fn a_message_that_is_handed_on_moves_the_cursor() {
    let mut run = everything();
    run.history.records.remove(run.came("u2.a", Channel::Inbox, 1));
    let cut = run.calm();
    let is_cursor = |event: &Event| matches!(event, Event::Cursor { .. });
    run.history.records.truncate(cut);
    run.history
        .records
        .retain(|record| record.device != Some(1) || !is_cursor(&record.event));
    let found = run.judged(Stage::Running);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].promise, found[0].harm), (Promise::G3, Harm::Lost));
}

#[test]
fn a_cursor_passes_a_message_that_the_device_did_not_get() {
    let mut run = everything();
    while let Some(at) = run.history.records.iter().position(|record| match &record.event {
        Event::Came { observed, .. } => {
            record.device == Some(3) && observed.seq > 0 && observed.token == Some(token(4))
        }
        _ => false,
    }) {
        run.history.records.remove(at);
    }
    run.breaks_at_once(Promise::G3, Harm::Lost);
}

#[test]
fn a_push_does_not_make_up_for_a_page_that_skips_the_message() {
    let mut run = everything();
    while let Some(at) = run.history.records.iter().position(|record| match &record.event {
        Event::Came { by, observed } => {
            record.device == Some(3) && *by == Channel::Sync && observed.token == Some(token(4))
        }
        _ => false,
    }) {
        run.history.records.remove(at);
    }
    run.breaks_at_once(Promise::G3, Harm::Lost);
}

#[test]
fn the_sdk_skips_a_message_of_a_super_group() {
    for (device, number) in [
        ("u2.a", 12),
        ("u4.a", 12),
        ("u4.fresh", 14),
        ("u2.fresh", 32),
        ("u4.a", 34),
    ] {
        let mut run = everything();
        run.history.records.remove(run.came(device, Channel::GroupLog, number));
        run.breaks_at_once(Promise::G3, Harm::Lost);
    }
}

#[test]
fn the_sdk_skips_an_announcement_of_a_super_group() {
    let mut run = everything();
    let at = run.find("u2.a", |event| match event {
        Event::Came { by, observed } => {
            let about = observed.change.as_ref().map(|(_, users)| users.as_slice());
            *by == Channel::GroupLog && about == Some(&[4])
        }
        _ => false,
    });
    run.history.records.remove(at);
    run.breaks_at_once(Promise::G3, Harm::Lost);
}
