//! Promise G7: all have all.

use super::*;

#[test]
fn something_came_that_does_not_stand_so() {
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
    let from = run.came("u4.fresh", Channel::GroupLog, 14);
    run.cut("u4.fresh", from);
    run.is_in_the_end(Promise::G7, Harm::Lost);
}

#[test]
fn a_device_stays_before_the_end_of_an_inbox() {
    let mut run = settled();
    let calm = run.calm();
    let at =
        run.history.records.iter().enumerate().position(|(at, record)| {
            at > calm && record.device == Some(0) && matches!(record.event, Event::Cursor { .. })
        });
    run.history.records.remove(at.unwrap());
    run.is_in_the_end(Promise::G7, Harm::Other);
}
