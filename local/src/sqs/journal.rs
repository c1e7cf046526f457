//! The file that keeps queues over a restart: one line for each call, with all of its changes.
//!
//! ```text
//! open:   read lines ─► queues ─► write all as the first line of a new file ─► rename it
//! append: one write of one line, before the call is answered
//! mend:   after a failed write, truncate the file after its last whole line ─► queues
//! ```
//!
//! Invariants:
//! - An answered call survives the end of the process, however it ends.
//! - A refused write is neither in the file nor in the queues; neither is a line without its end.
//! - The file is rewritten when it is larger than a megabyte and twice its last compact size.
//!
//! Why a file of our own, and why lines are not synced: `local/docs/queues.md`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::queues::{AllQueues, JournalEntry};

/// The file is not rewritten before it has grown by this much.
const SLACK_BYTES: u64 = 1024 * 1024;

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Length of the file up to the end of its last whole line.
    bytes: u64,
    compact_at_bytes: u64,
    /// Whether the last write failed, so that the queues differ from the file.
    is_torn: bool,
}

impl Journal {
    /// Restores the content of the file, if it exists, and prepares it for more.
    pub(super) fn open(path: &Path, queues: &mut AllQueues) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => replay(&bytes, queues)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let (file, bytes) = rewrite(path, queues)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes,
            compact_at_bytes: (bytes + SLACK_BYTES) * 2,
            is_torn: false,
        })
    }

    /// Writes down what happened; `queues` is the state after it. After an error, call
    /// [`Journal::mend`].
    pub(super) fn append(&mut self, entries: &[JournalEntry], queues: &AllQueues) -> io::Result<()> {
        self.is_torn = true;
        let line = line(entries)?;
        write_all(&mut self.file, &line)?;
        self.is_torn = false;
        self.bytes += u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.bytes > self.compact_at_bytes {
            match rewrite(&self.path, queues) {
                Ok((file, bytes)) => (self.file, self.bytes) = (file, bytes),
                Err(error) => tracing::warn!(%error, "could not rewrite the file of the queues; it keeps growing"),
            }
            self.compact_at_bytes = (self.bytes + SLACK_BYTES) * 2;
        }
        Ok(())
    }

    /// After a failed write, resets the file and the queues to the state before it.
    pub(super) fn mend(&mut self, queues: &mut AllQueues) -> io::Result<()> {
        if !self.is_torn {
            return Ok(());
        }
        self.file.set_len(self.bytes)?;
        let mut kept = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut kept)?;
        queues.forget();
        replay(&kept, queues)?;
        self.is_torn = false;
        Ok(())
    }
}

fn replay(bytes: &[u8], queues: &mut AllQueues) -> io::Result<()> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    for (index, line) in lines.filter(|line| line.ends_with(b"\n")).enumerate() {
        let entries: Vec<JournalEntry> = serde_json::from_slice(line).map_err(|error| unreadable(index, &error))?;
        for entry in &entries {
            queues.apply(entry);
        }
    }
    Ok(())
}

fn unreadable(index: usize, error: &serde_json::Error) -> io::Error {
    let text = format!(
        "line {} cannot be read ({error}). To continue with the {index} lines before it, keep only those \
         (`head -n {index}`); to start with empty queues, delete the file",
        index + 1
    );
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Writes a second file and renames it, so that a crash leaves the old content or the new.
fn rewrite(path: &Path, queues: &AllQueues) -> io::Result<(File, u64)> {
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write_new(&unfinished, queues).and_then(|written| {
        fs::rename(&unfinished, path)?;
        Ok(written)
    });
    if written.is_err() {
        // On a full disk it would take the space of the next lines. If removing it fails, the next
        // attempt replaces it.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn write_new(path: &Path, queues: &AllQueues) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let line = line(&queues.snapshot())?;
    write_all(&mut file, &line)?;
    sync(&file)?;
    Ok((file, u64::try_from(line.len()).unwrap_or(u64::MAX)))
}

fn line(entries: &[JournalEntry]) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entries)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(not(test))]
fn write_all(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    io::Write::write_all(file, bytes)
}

#[cfg(not(test))]
fn sync(file: &File) -> io::Result<()> {
    file.sync_all()
}

#[cfg(test)]
use tests::{sync, write_all};

#[cfg(test)]
mod tests;
