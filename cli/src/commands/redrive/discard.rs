//! `wigwag redrive --discard`: saves tasks to files and removes them from the queue.

use super::RedriveArgs;
use super::dead_letter::DeadLetter;
use super::queue::{Disposition, Queues};
use crate::Context;
use crate::command_error::CommandError;
use anyhow::Context as _;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub(super) async fn run(context: &mut Context, queues: &Queues, args: &RedriveArgs) -> Result<(), CommandError> {
    let mut wanted: BTreeSet<&str> = args.discard.iter().map(String::as_str).collect();
    let mut written = Vec::new();
    let (gone, sorted) = queues
        .dispose(|letter| {
            if !wanted.remove(letter.id.as_str()) {
                return Ok(Disposition::Keep);
            }
            let path = save_to_file(letter, &args.into)?;
            written.push((letter.id.clone(), path));
            Ok(Disposition::Discard)
        })
        .await;
    for (id, path) in written.iter().take(gone) {
        let data = json!({ "message_id": id, "file": path.display().to_string() });
        let line = format!("discarded {id}, saved in {}", path.display());
        context.printer.print("discarded", &data, &line)?;
    }
    sorted?;
    if wanted.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = wanted.into_iter().collect();
    Err(CommandError::Other(anyhow::anyhow!(
        "cannot see {}; SQS shows only the first ten of a message group, so handle those first, or try again in a minute",
        ids.join(" and ")
    )))
}

/// Writes a task to a file that only its owner can read, because it holds the content of a message.
fn save_to_file(letter: &DeadLetter, into: &Path) -> Result<PathBuf, CommandError> {
    let path = into.join(format!("dead-letter-{}.json", letter.id));
    let whole = json!({
        "message_id": letter.id,
        "ordering": letter.message_group,
        "sent_at_ms": letter.sent_at_ms,
        "received": letter.received,
        "why": letter.reason,
        "body": letter.body,
    });
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path)?;
        writeln!(file, "{whole:#}")?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}; the task was not removed", path.display()))?;
    Ok(path)
}
