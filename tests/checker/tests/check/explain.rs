//! How a violation is explained, and the figures of a run.

use crate::handmade::{everything, inbox};
use std::collections::BTreeMap;
use wigwag_checker::explain::explain;
use wigwag_checker::figures::Figures;
use wigwag_invariants::{Channel, Event, Harm, Promise, Stage};

#[test]
fn a_lost_copy_is_explained() {
    let mut run = everything();
    run.forget(inbox(1), run.at(inbox(1), 4).0);
    let violation = run.breaks(Promise::G1, Harm::Lost);
    insta::assert_snapshot!(explain(&violation, &run.history, &run.tables), @r"
    G1, lost: m4 to g7 was acknowledged and is not in the inbox of u1
         0.090           u1 begins to join g7
         0.120           u1 has joined g7
         0.420  u2.a     sends m4 to g7, 20 bytes
         0.430  u2.a     is answered that m4 is 3 of the conversation and 7 of the inbox
         0.440  u3.a     gets m4 by push: 3 of g7, 4 of the inbox
         0.810  u3.a     gets m4 by SYNC: 3 of g7, 4 of the inbox
         0.920  u3.a     gets m4 by PULL: 3 of g7
         2.440  u2.a     gets m4 by its inbox: 3 of g7, 7 of the inbox
         4.890  u2.fresh gets m4 by its inbox: 3 of g7, 7 of the inbox
         5.570  u3.fresh gets m4 by its inbox: 3 of g7, 4 of the inbox
                m4 is stored at 3 of g7, 7 of u2, 4 of u3
    ");
}

#[test]
fn a_skipped_message_is_explained() {
    let mut run = everything();
    let came = run.came("u4.a", Channel::GroupLog, 12);
    run.history.records.remove(came);
    let violation = run.breaks(Promise::G3, Harm::Lost);
    insta::assert_snapshot!(explain(&violation, &run.history, &run.tables), @r"
    G3, lost: the cursor of u4.a in g8 went to 9 and skipped m12 at 5
         0.040  u4.a     is installed
         0.180           u4 begins to join g8
         0.210           u4 has joined g8
         0.990  u2.a     sends m12 to g8, 20 bytes
         1.000  u2.a     is answered that m12 is 5 of the conversation
         1.190           u4 begins to leave g8
         1.200           u4 has left g8
         1.230           u4 begins to join g8
         1.240           u4 has joined g8
         1.510  u1.a     gets m12 by the group's log: 5 of g8
         2.890  u2.a     gets m12 by the group's log: 5 of g8
         3.150  u4.a     is installed
         4.680  u1.fresh gets m12 by the group's log: 5 of g8
         5.390  u2.fresh gets m12 by the group's log: 5 of g8
                m12 is stored at 5 of g8
    ");
}

#[test]
fn the_figures_of_a_run_are_one_line() {
    let mut run = everything();
    run.forget(inbox(1), run.at(inbox(1), 4).0);
    let faults = [
        ("sockets.cut", 3),
        ("processes.kill_after_calls", 60),
        ("messages.late", 0),
    ];
    let faults: BTreeMap<String, u64> = faults.map(|(kind, times)| (kind.to_owned(), times)).into();
    let violations = run.judged(Stage::Settled);
    let figures = Figures::count(&run.history, &run.tables, &violations, faults);
    insta::assert_snapshot!(figures, @"sent 45, acknowledged 33, repeats 1, changes 26 and 10; faults 63 (processes.kill_after_calls 60, sockets.cut 3); lost 1, duplicated 0, reordered 0, leaked 0, other 0; sealed 16, entries 233; converged in 2.7 s");
}

#[test]
fn a_long_explanation_keeps_its_beginning_and_its_end() {
    let mut run = everything();
    run.forget(inbox(1), run.at(inbox(1), 4).0);
    let violation = run.breaks(Promise::G1, Harm::Lost);
    let at = run.came("u3.a", Channel::Push, 4);
    let pushed = run.history.records[at].clone();
    for times in 1..=30 {
        let mut again = pushed.clone();
        if let Event::Came { observed, .. } = &mut again.event {
            // Every other one is the same as the first.
            observed.conversation_seq += times / 2 * (times % 2);
        }
        run.history.records.insert(at + 1, again);
    }
    insta::assert_snapshot!(explain(&violation, &run.history, &run.tables), @r"
    G1, lost: m4 to g7 was acknowledged and is not in the inbox of u1
         0.090           u1 begins to join g7
         0.120           u1 has joined g7
         0.420  u2.a     sends m4 to g7, 20 bytes
         0.430  u2.a     is answered that m4 is 3 of the conversation and 7 of the inbox
         0.440  u3.a     gets m4 by push: 3 of g7, 4 of the inbox … 17 times
         0.440  u3.a     gets m4 by push: 17 of g7, 4 of the inbox
         0.440  u3.a     gets m4 by push: 16 of g7, 4 of the inbox
         0.440  u3.a     gets m4 by push: 15 of g7, 4 of the inbox
         0.440  u3.a     gets m4 by push: 14 of g7, 4 of the inbox
         0.440  u3.a     gets m4 by push: 13 of g7, 4 of the inbox
         0.440  u3.a     gets m4 by push: 12 of g7, 4 of the inbox
                … 5 more
         0.440  u3.a     gets m4 by push: 6 of g7, 4 of the inbox
         0.440  u3.a     gets m4 by push: 5 of g7, 4 of the inbox
         0.440  u3.a     gets m4 by push: 4 of g7, 4 of the inbox
         0.810  u3.a     gets m4 by SYNC: 3 of g7, 4 of the inbox
         0.920  u3.a     gets m4 by PULL: 3 of g7
         2.440  u2.a     gets m4 by its inbox: 3 of g7, 7 of the inbox
         4.890  u2.fresh gets m4 by its inbox: 3 of g7, 7 of the inbox
         5.570  u3.fresh gets m4 by its inbox: 3 of g7, 4 of the inbox
                m4 is stored at 3 of g7, 7 of u2, 4 of u3
    ");
}
