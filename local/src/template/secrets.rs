//! Values for secret parameters that nobody gave: made up once, and kept where there is a directory to keep them in, so that a
//! stack that starts again on the same data has the same keys.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::kept;

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
        let mut values: BTreeMap<String, String> = kept::read(file)?;
        if let Some(value) = values.get(name) {
            return Ok(value.clone());
        }
        let value = random_hex();
        values.insert(name.to_owned(), value.clone());
        kept::write(file, &values)?;
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
