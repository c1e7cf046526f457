//! `wigwag redrive --discard`: out with what nobody needs, after it was written down.

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
            let path = write_down(letter, &args.into)?;
            written.push((letter.id.clone(), path));
            Ok(Disposition::Discard)
        })
        .await;
    for (id, path) in written.iter().take(gone) {
        let data = json!({ "message_id": id, "file": path.display().to_string() });
        let line = format!("discarded {id}, which is in {} now", path.display());
        context.printer.print("discarded", &data, &line)?;
    }
    sorted?;
    if wanted.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = wanted.into_iter().collect();
    Err(CommandError::Other(anyhow::anyhow!(
        "there is no {} to be seen; of a message group only the first ten are, so deal with those that show, or look again in a minute",
        ids.join(" and no ")
    )))
}

/// Writes a message into a file for its owner alone: it holds what somebody said.
fn write_down(letter: &DeadLetter, into: &Path) -> Result<PathBuf, CommandError> {
    let path = into.join(format!("dead-letter-{}.json", letter.id));
    let whole = json!({
        "message_id": letter.id,
        "ordering": letter.ordering,
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
    write().with_context(|| format!("cannot write {}; what it is for was not taken out", path.display()))?;
    Ok(path)
}
