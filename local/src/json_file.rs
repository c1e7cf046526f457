//! Small JSON files in a data directory. Only their owner can read them, because they hold secrets.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The content of the file, or the default if there is no file.
pub(crate) fn read<T: DeserializeOwned + Default>(file: &Path) -> io::Result<T> {
    match fs::read(file) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(error),
    }
}

/// Writes a second file and renames it, so that a crash leaves either the old content or the new.
pub(crate) fn write(file: &Path, content: &impl Serialize) -> io::Result<()> {
    let unfinished = file.with_extension("json.new");
    fs::remove_file(&unfinished).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let mut output = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    output.write_all(&serde_json::to_vec_pretty(content)?)?;
    output.sync_all()?;
    fs::rename(&unfinished, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_written_file_is_read_back_and_only_its_owner_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kept.json");
        assert_eq!(read::<Vec<String>>(&file).unwrap(), Vec::<String>::new());
        for content in [vec!["a"], vec!["b", "c"]] {
            write(&file, &content).unwrap();
            assert_eq!(read::<Vec<String>>(&file).unwrap(), content);
        }
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
