//! G7: in the end every device has everything.

use super::*;

#[test]
fn a_device_got_something_that_is_not_stored_so() {
    for (device, by, number) in [
        ("u2.a", Channel::Inbox, 1),
        ("u2.a", Channel::GroupLog, 11),
        ("u3.a", Channel::Push, 4),
        ("u3.a", Channel::Sync, 4),
        ("u3.a", Channel::Pull, 4),
    ] {
        for change in [(|observed| observed.intact = false) as fn(&mut Observed), |observed| {
            observed.client_id += 1;
        }] {
            let mut run = everything();
            let at = run.came(device, by, number);
            change(observed(&mut run, at));
            run.breaks_at_once(Promise::G7, Harm::Other);
        }
    }
}

#[test]
fn a_device_lacks_messages_in_the_end() {
    for device in ["u1.a", "u2.a", "u4.a"] {
        let mut run = everything();
        let calm = run.calm();
        run.cut(device, calm);
        run.breaks_in_the_end(Promise::G7, Harm::Lost);
    }
    let mut run = everything();
    run.cut("u3.fresh", 0);
    run.breaks_in_the_end(Promise::G7, Harm::Lost);
}

#[test]
fn a_device_lacks_a_message_of_a_super_group_in_the_end() {
    let mut run = everything();
    let from = run.came("u4.fresh", Channel::GroupLog, 14);
    run.cut("u4.fresh", from);
    run.breaks_in_the_end(Promise::G7, Harm::Lost);
}

#[test]
fn a_cursor_does_not_reach_the_end_of_the_inbox() {
    let mut run = settled();
    let calm = run.calm();
    let at =
        run.history.records.iter().enumerate().position(|(at, record)| {
            at > calm && record.device == Some(0) && matches!(record.event, Event::Cursor { .. })
        });
    run.history.records.remove(at.unwrap());
    run.breaks_in_the_end(Promise::G7, Harm::Other);
}
