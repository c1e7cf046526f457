//! Values for secret parameters that nobody gave: made up once, and kept where there is a directory to keep them in, so that a
//! stack that starts again on the same data has the same keys.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where made-up values are kept.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    file: Option<PathBuf>,
}

impl Secrets {
    /// New values at each start.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Kept in `secrets.json` in this directory, which exists; readable by its owner alone.
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            file: Some(directory.join("secrets.json")),
        }
    }

    /// The value kept under this name, or a new one of 64 hexadecimal characters.
    pub(super) fn value(&self, name: &str) -> io::Result<String> {
        let Some(file) = &self.file else {
            return Ok(random_hex());
        };
        let mut kept = read(file)?;
        if let Some(value) = kept.get(name) {
            return Ok(value.clone());
        }
        let value = random_hex();
        kept.insert(name.to_owned(), value.clone());
        write(file, &kept)?;
        Ok(value)
    }
}

fn read(file: &Path) -> io::Result<BTreeMap<String, String>> {
    match fs::read(file) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// Through a second file, so that a crash leaves the old content or the new, nothing between.
fn write(file: &Path, values: &BTreeMap<String, String>) -> io::Result<()> {
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
    output.write_all(&serde_json::to_vec_pretty(values)?)?;
    output.sync_all()?;
    fs::rename(&unfinished, file)
}

fn random_hex() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_kept_value_is_the_same_at_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let first = Secrets::in_directory(directory.path()).value("Key").unwrap();
        let other = Secrets::in_directory(directory.path()).value("Other").unwrap();
        assert_eq!(Secrets::in_directory(directory.path()).value("Key").unwrap(), first);
        assert_ne!(first, other);
    }

    #[test]
    fn only_the_owner_can_read_kept_values() {
        let directory = tempfile::tempdir().unwrap();
        Secrets::in_directory(directory.path()).value("Key").unwrap();
        let mode = fs::metadata(directory.path().join("secrets.json"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn values_without_a_directory_are_new_each_time() {
        assert_ne!(
            Secrets::in_memory().value("Key").unwrap(),
            Secrets::in_memory().value("Key").unwrap()
        );
    }
}
