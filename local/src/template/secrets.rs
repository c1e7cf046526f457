//! Values for secret parameters that were not given. They are generated once and, if there is a
//! data directory, kept in it, so that a stack that starts again on the same data has the same
//! keys.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::json_file;

/// Keeps the generated values.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    file: Option<PathBuf>,
}

impl Secrets {
    /// Generates new values at each start.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Keeps them in `secrets.json` in this directory, which must exist. Only its owner can read
    /// the file.
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            file: Some(directory.join("secrets.json")),
        }
    }

    /// The value that is kept under this name, or a new one of 64 hexadecimal digits.
    pub(super) fn value(&self, name: &str) -> io::Result<String> {
        let Some(file) = &self.file else {
            return Ok(random_hex());
        };
        let mut values: BTreeMap<String, String> = json_file::read(file)?;
        if let Some(value) = values.get(name) {
            return Ok(value.clone());
        }
        let value = random_hex();
        values.insert(name.to_owned(), value.clone());
        json_file::write(file, &values)?;
        Ok(value)
    }
}

fn random_hex() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_value_is_the_same_at_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let first = Secrets::in_directory(directory.path()).value("Key").unwrap();
        let other = Secrets::in_directory(directory.path()).value("Other").unwrap();
        assert_eq!(Secrets::in_directory(directory.path()).value("Key").unwrap(), first);
        assert_ne!(first, other);
    }

    #[test]
    fn values_without_a_directory_are_new_each_time() {
        assert_ne!(
            Secrets::in_memory().value("Key").unwrap(),
            Secrets::in_memory().value("Key").unwrap()
        );
    }
}
