//! `wigwag redrive`: what workers gave up, and back to them with it.
//!
//! Flow: the dead-letter queue, found from whichever queue is named → counted → its messages received, shown and made visible
//! again → where that is wanted, all of them back by a move task, watched to its end; or some of them back, or out, one by one.

mod discard;
mod queue;
mod task;

use crate::Context;
use crate::account::now_ms;
use crate::args::Redrive;
use crate::exit::Failure;
use crate::output::printable;
use crate::shown::span;
use queue::{Letter, Queues, Status, Verdict};
use serde_json::{Value, json};
use std::time::Duration;
use task::{Fate, TaskInfo};
use tokio::time::sleep;

/// Between looks at the move task.
const POLL: Duration = Duration::from_millis(500);

pub(crate) async fn run(context: &mut Context, args: Redrive) -> Result<(), Failure> {
    let queues = Queues::find(&args).await?;
    if !args.discard.is_empty() {
        return discard::run(context, &queues, &args).await;
    }
    let count = queues.count().await?;
    let letters = if count == 0 {
        Vec::new()
    } else {
        queues.look(usize::from(args.limit)).await?
    };
    summarise(context, &queues, count, &letters)?;
    let mut unreadable = 0;
    for letter in letters.iter().filter(|letter| is_meant(letter, args.group)) {
        unreadable += u64::from(!show(context, letter)?);
    }
    if !args.send_back || count == 0 {
        return Ok(());
    }
    if args.only_readable || args.group.is_some() {
        return send_back_some(context, &queues, &args).await;
    }
    send_back(context, &queues, unreadable).await
}

/// Whether a message is of the group that is meant, if one is.
fn is_meant(letter: &Letter, group: Option<u64>) -> bool {
    let of = || TaskInfo::read(&letter.body).ok().and_then(|task| task.group());
    group.is_none_or(|group| of().or_else(|| letter.group()) == Some(group))
}

fn summarise(context: &mut Context, queues: &Queues, count: u64, letters: &[Letter]) -> Result<(), Failure> {
    let oldest = letters.iter().map(|letter| letter.sent_at_ms).min();
    let hidden = count.saturating_sub(u64::try_from(letters.len()).unwrap_or(u64::MAX));
    let data = json!({ "queue_url": queues.dead, "count": count, "oldest_at_ms": oldest, "not_shown": hidden });
    let line = match (count, oldest) {
        (0, _) => "no tasks in the dead-letter queue".to_owned(),
        (_, None) => format!("{count} tasks in the dead-letter queue, none of which can be seen right now"),
        (_, Some(at_ms)) => {
            let age = span(now_ms().saturating_sub(at_ms));
            let hidden = match hidden {
                0 => String::new(),
                hidden => format!("; {hidden} of them are not shown"),
            };
            format!("{count} tasks in the dead-letter queue, the oldest from {age} ago{hidden}")
        }
    };
    context.printer.print("dead_letters", &data, &line)
}

/// Shows a task; answers whether it can be read.
fn show(context: &mut Context, letter: &Letter) -> Result<bool, Failure> {
    let task = TaskInfo::read(&letter.body);
    let why = match (&letter.reason, &task) {
        (Some(reason), _) => reason.clone(),
        (None, Err(error)) => error.to_string(),
        (None, Ok(_)) => "it failed each time it was tried".to_owned(),
    };
    let fate = task.as_ref().map_or(Fate::ComesBack, |task| task.fate(now_ms()));
    let (what, mut data) = if let Ok(task) = &task {
        (task.to_string(), task.to_json())
    } else {
        // Not what it says: it may hold a message.
        let bytes = letter.body.len();
        let data = json!({ "task": Value::Null, "bytes": bytes });
        (format!("{bytes} bytes that cannot be read"), data)
    };
    let facts = json!({
        "message_id": letter.id,
        "ordering": letter.ordering,
        "sent_at_ms": letter.sent_at_ms,
        "received": letter.received,
        "why": why,
        "sent_back": fate.name(),
    });
    crate::output::merge(&mut data, &facts);
    let age = span(now_ms().saturating_sub(letter.sent_at_ms));
    let line = format!(
        "- {}; from {age} ago, received {} times here; {}; sent back, it {}\n  {}",
        printable(&what),
        letter.received,
        printable(&why),
        fate.in_words(),
        letter.id
    );
    context.printer.print("dead_letter", &data, &line)?;
    Ok(task.is_ok())
}

async fn send_back(context: &mut Context, queues: &Queues, unreadable: u64) -> Result<(), Failure> {
    if unreadable > 0 {
        let line = format!(
            "({unreadable} of them cannot be read, and will come back; --only-readable leaves such, and --discard takes them out)"
        );
        context
            .printer
            .note("will_come_back", &json!({ "count": unreadable }), &line)?;
    }
    queues.begin_move().await?;
    let mut told = None;
    loop {
        let moving = queues.look_at_move().await?;
        let data = json!({ "moved": moving.moved, "of": moving.of });
        match moving.status {
            Status::Running => {
                if told != Some(moving.moved) {
                    told = Some(moving.moved);
                    let line = format!("(sent back {} of {})", moving.moved, moving.of);
                    context.printer.note("sending_back", &data, &line)?;
                }
            }
            Status::Completed => {
                let line = format!("sent back {} tasks", moving.moved);
                return context.printer.print("sent_back", &data, &line);
            }
            Status::Ended(how) => {
                let message = format!("sent back {} of {} tasks, then: {how}", moving.moved, moving.of);
                return Err(Failure::refused(None, message));
            }
        }
        sleep(POLL).await;
    }
}

/// One by one. What stands in front of others of its message group hides those behind the first ten, so it is gone through until nothing
/// more is found.
async fn send_back_some(context: &mut Context, queues: &Queues, args: &Redrive) -> Result<(), Failure> {
    let mut moved = 0;
    loop {
        let (round, sorted) = queues
            .sort_out(|letter| {
                let is_readable = TaskInfo::read(&letter.body).is_ok();
                let goes = is_meant(letter, args.group) && (is_readable || !args.only_readable);
                Ok(if goes { Verdict::SendBack } else { Verdict::Keep })
            })
            .await;
        moved += round;
        if round == 0 {
            sorted?;
            break;
        }
        let line = format!("(sent back {moved})");
        context
            .printer
            .note("sending_back", &json!({ "moved": moved }), &line)?;
        sorted?;
    }
    let left = queues.count().await?;
    let line = format!("sent back {moved} tasks; {left} are left");
    context
        .printer
        .print("sent_back", &json!({ "moved": moved, "left": left }), &line)
}
