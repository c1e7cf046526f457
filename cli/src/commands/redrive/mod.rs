//! `wigwag redrive`: shows the tasks that workers gave up, sends them back or discards them.
//!
//! It finds the dead-letter queue, counts its messages, receives them, prints them and makes them
//! visible again. `--send-back` moves all of them with an SQS move task and follows it to its end.
//! Selected tasks are sent back or discarded one by one.

mod dead_letter;
mod discard;
mod queue;
mod sqs;
mod task;

use crate::Context;
use crate::account::now_ms;
use crate::command_error::CommandError;
use crate::global::parse_id;
use crate::output::printable;
use crate::rendering::format_duration;
use clap::Args;
use dead_letter::DeadLetter;
use queue::{Disposition, MoveStatus, Queues};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use task::RedriveEffect;
use tokio::time::sleep;
use wigwag_client::Url;

#[derive(Debug, Args)]
#[command(after_help = "\
Lists the tasks in the dead-letter queue of the fan-out: what each one does, how often it was received
and why it is there. Listing removes nothing: it receives the messages and makes them visible again at
once. SQS shows at most the first ten of a message group, which is one shard of one group's members.
The content of chat messages is never shown.

For each task, the list says what happens if you send it back. Fix the cause first; --send-back then
sends all tasks to the queue that the workers read. A task that they cannot read comes back here. With
--only-readable or --group, only the selected tasks are sent, one by one, in the order of their group.
Until then the tasks wait for as long as the dead-letter queue keeps them (14 days).

--discard removes the tasks with these ids. Each one is first saved as dead-letter-ID.json in the
directory --into. Only the owner can read the file, since it holds the content of the message.

Credentials come only from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. To take them
from a profile of the AWS CLI:  eval \"$(aws configure export-credentials --profile NAME --format env)\"
A queue on this machine needs none. The required permissions are sqs:GetQueueAttributes, GetQueueUrl,
ReceiveMessage, ChangeMessageVisibility and ListDeadLetterSourceQueues; for --send-back also
StartMessageMoveTask, ListMessageMoveTasks, DeleteMessage and SendMessage; for --discard DeleteMessage.

Examples:
  wigwag redrive --queue-url https://sqs.eu-central-1.amazonaws.com/123456789012/fanout.fifo
  wigwag redrive --queue-url http://127.0.0.1:4566/000000000000/local-FanoutQueue.fifo --send-back --json
  wigwag redrive --queue-url URL --send-back --only-readable --group 1234567890
  wigwag redrive --queue-url URL --discard 5fea7756-0ea4-451a-a703-a558b933e274 --into /var/tmp")]
pub(crate) struct RedriveArgs {
    /// The queue that the workers read, or its dead-letter queue
    #[arg(long, value_name = "URL")]
    queue_url: Url,
    /// SQS endpoint [default: AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, the queue's host or the
    /// region's]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<Url>,
    /// AWS region [default: AWS_REGION, AWS_DEFAULT_REGION, or the queue's]
    #[arg(long)]
    region: Option<String>,
    /// Show at most this many tasks
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Show and send back only the tasks of this group
    #[arg(long, value_name = "ID", value_parser = parse_id, conflicts_with = "discard")]
    group: Option<u64>,
    /// Send all tasks back to the workers
    #[arg(long)]
    send_back: bool,
    /// Send back only the tasks that can be read
    #[arg(long, requires = "send_back")]
    only_readable: bool,
    /// Save this task to a file and remove it from the queue; can be repeated
    #[arg(long, value_name = "ID", conflicts_with = "send_back")]
    discard: Vec<String>,
    /// The directory for the saved tasks
    #[arg(long, value_name = "DIR", default_value = ".", requires = "discard")]
    into: PathBuf,
}

/// Interval between checks of the move task.
const POLL: Duration = Duration::from_millis(500);

pub(crate) async fn run(context: &mut Context, args: RedriveArgs) -> Result<(), CommandError> {
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
    for letter in letters.iter().filter(|letter| is_selected(letter, args.group)) {
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

/// Whether a task belongs to the selected group, if one is selected.
fn is_selected(letter: &DeadLetter, group: Option<u64>) -> bool {
    let task_group = || task::read(&letter.body).ok().as_ref().and_then(task::group);
    group.is_none_or(|group| task_group().or_else(|| letter.group()) == Some(group))
}

fn summarise(context: &mut Context, queues: &Queues, count: u64, letters: &[DeadLetter]) -> Result<(), CommandError> {
    let oldest = letters.iter().map(|letter| letter.sent_at_ms).min();
    let hidden = count.saturating_sub(u64::try_from(letters.len()).unwrap_or(u64::MAX));
    let data = json!({ "queue_url": queues.dead, "count": count, "oldest_at_ms": oldest, "not_shown": hidden });
    let line = match (count, oldest) {
        (0, _) => "no tasks in the dead-letter queue".to_owned(),
        (_, None) => format!("{count} tasks in the dead-letter queue, but none can be seen right now"),
        (_, Some(at_ms)) => {
            let age = format_duration(now_ms().saturating_sub(at_ms));
            let hidden = match hidden {
                0 => String::new(),
                hidden => format!("; {hidden} are not shown"),
            };
            format!("{count} tasks in the dead-letter queue, the oldest from {age} ago{hidden}")
        }
    };
    context.printer.print("dead_letters", &data, &line)
}

/// Prints a task. Returns whether it can be read.
fn show(context: &mut Context, letter: &DeadLetter) -> Result<bool, CommandError> {
    let task = task::read(&letter.body);
    let why = match (&letter.reason, &task) {
        (Some(reason), _) => reason.clone(),
        (None, Err(error)) => error.clone(),
        (None, Ok(_)) => "it failed on every try".to_owned(),
    };
    let effect = task
        .as_ref()
        .map_or(RedriveEffect::ComesBack, |task| task::redrive_effect(task, now_ms()));
    let (what, mut data) = if let Ok(task) = &task {
        (task::description(task), task::to_json(task))
    } else {
        // Do not print the body, which may hold a message.
        let bytes = letter.body.len();
        let data = json!({ "task": Value::Null, "bytes": bytes });
        (format!("{bytes} bytes that cannot be read"), data)
    };
    let facts = json!({
        "message_id": letter.id,
        "ordering": letter.message_group,
        "sent_at_ms": letter.sent_at_ms,
        "received": letter.received,
        "why": why,
        "sent_back": effect.name(),
    });
    crate::output::merge(&mut data, &facts);
    let age = format_duration(now_ms().saturating_sub(letter.sent_at_ms));
    let line = format!(
        "- {}; {age} old, received {} times here; {}; sent back, it {}\n  {}",
        printable(&what),
        letter.received,
        printable(&why),
        effect.description(),
        letter.id
    );
    context.printer.print("dead_letter", &data, &line)?;
    Ok(task.is_ok())
}

async fn send_back(context: &mut Context, queues: &Queues, unreadable: u64) -> Result<(), CommandError> {
    if unreadable > 0 {
        let line = format!(
            "({unreadable} of them cannot be read and will come back; --only-readable leaves them here, --discard removes them)"
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
            MoveStatus::Running => {
                if told != Some(moving.moved) {
                    told = Some(moving.moved);
                    let line = format!("(sent back {} of {})", moving.moved, moving.of);
                    context.printer.note("sending_back", &data, &line)?;
                }
            }
            MoveStatus::Completed => {
                let line = format!("sent back {} tasks", moving.moved);
                return context.printer.print("sent_back", &data, &line);
            }
            MoveStatus::Ended(how) => {
                let message = format!("sent back {} of {} tasks, then: {how}", moving.moved, moving.of);
                return Err(CommandError::refused(None, message));
            }
        }
        sleep(POLL).await;
    }
}

/// Sends tasks back one by one. Since SQS shows only the first ten of a message group, it repeats
/// until nothing more is found.
async fn send_back_some(context: &mut Context, queues: &Queues, args: &RedriveArgs) -> Result<(), CommandError> {
    let mut moved = 0;
    loop {
        let (round, sorted) = queues
            .dispose(|letter| {
                let is_readable = task::read(&letter.body).is_ok();
                let goes = is_selected(letter, args.group) && (is_readable || !args.only_readable);
                Ok(if goes { Disposition::SendBack } else { Disposition::Keep })
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
