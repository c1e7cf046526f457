//! `wigwag redrive`: what workers gave up, and back to them with it.
//!
//! Flow: the dead-letter queue, found from whichever queue is named → counted → its messages received, shown and made visible
//! again → where that is wanted, a move task, watched to its end.

mod queue;
mod task;

use crate::Context;
use crate::account::now_ms;
use crate::args::Redrive;
use crate::exit::Failure;
use crate::output::printable;
use crate::shown::span;
use queue::{Letter, Queues, Status};
use serde_json::{Value, json};
use std::time::Duration;
use task::TaskInfo;
use tokio::time::sleep;

/// Between looks at the move task.
const POLL: Duration = Duration::from_millis(500);

/// Most characters shown of what cannot be read.
const EXCERPT_CHARS: usize = 120;

pub(crate) async fn run(context: &mut Context, args: Redrive) -> Result<(), Failure> {
    let queues = Queues::find(&args).await?;
    let count = queues.count().await?;
    let letters = if count == 0 {
        Vec::new()
    } else {
        queues.look(usize::from(args.limit)).await?
    };
    summarise(context, &queues, count, &letters)?;
    let mut unreadable = 0;
    for letter in &letters {
        unreadable += u64::from(!show(context, letter)?);
    }
    if args.send_back && count > 0 {
        return send_back(context, &queues, unreadable).await;
    }
    Ok(())
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
    let (what, mut data) = if let Ok(task) = &task {
        (task.to_string(), task.to_json())
    } else {
        let excerpt: String = letter.body.chars().take(EXCERPT_CHARS).collect();
        let data = json!({ "task": Value::Null, "body": excerpt });
        (format!("cannot be read: {excerpt}"), data)
    };
    let facts = json!({
        "message_id": letter.id,
        "ordering": letter.ordering,
        "sent_at_ms": letter.sent_at_ms,
        "received": letter.received,
        "why": why,
    });
    crate::output::merge(&mut data, &facts);
    let age = span(now_ms().saturating_sub(letter.sent_at_ms));
    let line = format!(
        "- {}; from {age} ago, received {} times here; {}",
        printable(&what),
        letter.received,
        printable(&why)
    );
    context.printer.print("dead_letter", &data, &line)?;
    Ok(task.is_ok())
}

async fn send_back(context: &mut Context, queues: &Queues, unreadable: u64) -> Result<(), Failure> {
    if unreadable > 0 {
        let line = format!("({unreadable} of them cannot be read, and will come back)");
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
