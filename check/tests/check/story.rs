//! What is told of a violation, and of a run.

use crate::hand::{everything, inbox};
use std::collections::BTreeMap;
use wigwag_check::figures::Figures;
use wigwag_check::history::Path;
use wigwag_check::judge::{Harm, Promise, Stage};
use wigwag_check::story;

#[test]
fn the_story_of_a_lost_copy() {
    let mut run = everything();
    run.forget(inbox(1), run.at(inbox(1), 4).0);
    let violation = run.is(Promise::G1, Harm::Lost);
    insta::assert_snapshot!(story::of(&violation, &run.history, &run.tables), @r"
    G1, lost: m4 to g7 was acknowledged and is not in the inbox of u1
         0.080           u1 is to join g7
         0.110           u1 has joined g7
         0.370  u2.a     sends m4 to g7, 20 bytes
         0.380  u2.a     is told that m4 is 2 of the conversation and 5 of the inbox
         0.390  u3.a     gets m4 by push: 2 of g7, 3 of the inbox
         0.690  u3.a     gets m4 by SYNC: 2 of g7, 3 of the inbox
         0.790  u3.a     gets m4 by PULL: 2 of g7
         1.360  u2.a     gets m4 by its inbox: 2 of g7, 5 of the inbox
         2.470  u2.fresh gets m4 by its inbox: 2 of g7, 5 of the inbox
         2.750  u3.fresh gets m4 by its inbox: 2 of g7, 3 of the inbox
                m4 stands at 2 of g7, 5 of u2, 3 of u3
    ");
}

#[test]
fn the_story_of_a_device_that_skipped_something() {
    let mut run = everything();
    let came = run.came("u4.a", Path::GroupLog, 12);
    run.history.records.remove(came);
    let violation = run.is(Promise::G3, Harm::Lost);
    insta::assert_snapshot!(story::of(&violation, &run.history, &run.tables), @r"
    G3, lost: the cursor of u4.a in g8 went to 8 and skipped m12 at 4
         0.040  u4.a     is installed
         0.160           u4 is to join g8
         0.190           u4 has joined g8
         0.860  u2.a     sends m12 to g8, 20 bytes
         0.870  u2.a     is told that m12 is 4 of the conversation
         1.010           u4 is to leave g8
         1.020           u4 has left g8
         1.050           u4 is to join g8
         1.060           u4 has joined g8
         1.290  u1.a     gets m12 by the group's log: 4 of g8
         1.500  u2.a     gets m12 by the group's log: 4 of g8
         1.660  u4.a     is installed
         2.320  u1.fresh gets m12 by the group's log: 4 of g8
         2.630  u2.fresh gets m12 by the group's log: 4 of g8
                m12 stands at 4 of g8
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
    let figures = Figures::of(&run.history, &run.tables, &violations, faults);
    insta::assert_snapshot!(figures, @"sent 24, acknowledged 19, repeats 1, changes 13; faults 63 (processes.kill_after_calls 60, sockets.cut 3); lost 1, duplicated 0, reordered 0, leaked 0, other 0; sealed 12, entries 93; converged in 1.1 s");
}
