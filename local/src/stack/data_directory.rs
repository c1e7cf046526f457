//! The data directory of a stack, which only one stack can use at a time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::StackStartError;

/// Makes the directory, readable by its owner only, and locks it against other stacks.
pub(super) fn open(path: &Path) -> Result<File, StackStartError> {
    let lock = || {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let file = File::create(path.join("lock"))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::other("another stack is using it"),
            TryLockError::Error(error) => error,
        })?;
        Ok(file)
    };
    lock().map_err(|source| StackStartError::DataDirectory {
        path: path.to_owned(),
        source,
    })
}
