//! Turns what the meter counted into the cost of one operation.

use super::table::{Cost, cost};
use wigwag_local::meter::{AwsRow, Reading};

fn is_push(row: &AwsRow) -> bool {
    row.operation == "PostToConnection"
}

/// The cost of one of `times` operations, of the rows that are wanted. Requests include pushes.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(super) fn per_time(reading: &Reading, times: u64, wanted: impl Fn(&AwsRow) -> bool) -> Cost {
    // Each process reads the key of the tokens once; no operation does.
    let total = reading.aws_total(|row| wanted(row) && row.service != "secretsmanager");
    let pushes = reading.aws_total(|row| wanted(row) && is_push(row));
    let times = times as f64;
    cost(
        total.write_units / times,
        total.read_units / times,
        total.requests as f64 / times,
        pushes.requests as f64 / times,
    )
}

/// The cost per message and member, and the pushes per message and device. Requests are without
/// pushes.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(super) fn per_member(reading: &Reading, copies: u64, pushed: u64) -> Cost {
    // The queue is polled all the time. Only the polls that return something belong to the
    // messages: one for each batch, which is one invocation.
    let is_poll = |row: &AwsRow| row.operation == "ReceiveMessage";
    let batches = reading.functions.get("FanoutFunction").map_or(0, |row| row.invocations);
    let work = reading.aws_total(|row| !is_push(row) && !is_poll(row));
    let posts = reading.aws_total(is_push);
    let copies = copies as f64;
    cost(
        work.write_units / copies,
        work.read_units / copies,
        (work.requests + batches) as f64 / copies,
        posts.requests as f64 / pushed as f64,
    )
}
