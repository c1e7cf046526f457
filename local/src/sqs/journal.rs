//! What keeps queues over a restart: a file with one line for each call that changed something, and all of its changes in it.
//!
//! A file of our own rather than tables in SQLite, because the queues live in memory anyway and change by [`Entry`]s alone: to
//! keep them is to append those, to read them is to let them happen again. Nothing has to be mapped to rows, and a call that
//! changes two queues is one line, so it is there as a whole or not at all.
//!
//! ```text
//! open:   read lines ─► queues ─► write all as the first line of a new file ─► rename it over the old one
//! append: one write of one line, before the call is answered
//! ```
//!
//! Invariants:
//! - what was answered survives the end of the process, however it ends; a crash of the machine may cost the last moments
//! - a line without its end, which a crash left behind, did not happen
//! - the file is written anew when it has grown to twice what it was after it was last written anew, and a megabyte

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::queues::{Entry, Queues};

/// A file smaller than twice this is not written anew.
const SLACK_BYTES: u64 = 1024 * 1024;

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    compact_at_bytes: u64,
}

impl Journal {
    /// Brings back what the file holds, if it exists, and makes it ready for more.
    pub(super) fn open(path: &Path, queues: &mut Queues) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => replay(&bytes, queues)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let (file, bytes) = write_anew(path, queues)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes,
            compact_at_bytes: (bytes + SLACK_BYTES) * 2,
        })
    }

    /// Writes down what happened; `queues` is what has become of it.
    pub(super) fn append(&mut self, entries: &[Entry], queues: &Queues) -> io::Result<()> {
        let line = line(entries)?;
        self.file.write_all(&line)?;
        self.bytes += u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.bytes > self.compact_at_bytes {
            (self.file, self.bytes) = write_anew(&self.path, queues)?;
            self.compact_at_bytes = (self.bytes + SLACK_BYTES) * 2;
        }
        Ok(())
    }
}

fn replay(bytes: &[u8], queues: &mut Queues) -> io::Result<()> {
    for line in bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| line.ends_with(b"\n"))
    {
        let entries: Vec<Entry> = serde_json::from_slice(line)?;
        for entry in &entries {
            queues.apply(entry);
        }
    }
    Ok(())
}

/// Through a second file, so that a crash leaves the old content or the new, nothing between.
fn write_anew(path: &Path, queues: &Queues) -> io::Result<(File, u64)> {
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    let line = line(&queues.snapshot())?;
    file.write_all(&line)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    Ok((file, u64::try_from(line.len()).unwrap_or(u64::MAX)))
}

fn line(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entries)?;
    line.push(b'\n');
    Ok(line)
}
