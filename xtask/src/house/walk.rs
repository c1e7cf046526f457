//! The files that a 1:1 message goes through, as a document lists them.
//!
//! The document puts the list between two markers, each on a line of its own, and names each file
//! in backquotes. A file that does not exist is an error, so that the list cannot go out of date
//! unseen.

use anyhow::{Context as _, Result, ensure};
use std::path::Path;

const BEGIN: &str = "<!-- files of a 1:1 message -->";
const END: &str = "<!-- end of files -->";

/// The files that a document lists, in its order; nothing if the document has no such list.
pub(super) fn files(document: &Path, root: &Path) -> Result<Option<Vec<String>>> {
    let text = std::fs::read_to_string(document).with_context(|| format!("read {}", document.display()))?;
    let Some(files) = listed(&text) else { return Ok(None) };
    for file in &files {
        ensure!(
            root.join(file).is_file(),
            "{} lists {file}, which does not exist; correct the list",
            document.display()
        );
    }
    Ok(Some(files))
}

/// Paths of Rust files in backquotes between the markers, each once.
fn listed(text: &str) -> Option<Vec<String>> {
    let after = text.lines().skip_while(|line| line.trim() != BEGIN).skip(1);
    let list: Vec<&str> = after.take_while(|line| line.trim() != END).collect();
    if list.is_empty() {
        return None;
    }
    let mut files: Vec<String> = Vec::new();
    for quoted in list.join("\n").split('`').skip(1).step_by(2) {
        if super::source::has_extension(quoted, "rs") && !files.iter().any(|file| file == quoted) {
            files.push(quoted.to_owned());
        }
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_between_the_markers_is_listed_once() {
        let list = "1. `a/b.rs` reads with `decode`, and\n2. [`c.rs`](c.rs) writes; then `a/b.rs`.\n";
        let text = format!("`x.rs` comes before `{BEGIN}`\n{BEGIN}\n{list}{END}\n`y.rs`");
        assert_eq!(listed(&text).unwrap(), ["a/b.rs", "c.rs"]);
        assert_eq!(listed("`x.rs`"), None);
    }

    #[test]
    fn a_listed_file_that_does_not_exist_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let document = folder.path().join("walk.md");
        std::fs::write(&document, format!("{BEGIN}\n`gone.rs`\n{END}\n")).unwrap();
        let error = files(&document, folder.path()).unwrap_err().to_string();
        assert!(error.contains("lists gone.rs, which does not exist"), "{error}");
    }
}
