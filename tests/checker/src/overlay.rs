//! The mutated copy of the workspace: its files, with every patch of `tests/mutants/patches` applied.
//!
//! The copy is written anew each time, but a file that has not changed is left as it is, so that cargo compiles only
//! what is new. All mutants are in one copy; a variable of the process chooses among them.

use anyhow::{Context as _, Result, anyhow, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that no build needs.
const LEFT_OUT: [&str; 4] = ["target", ".git", "docs", "corpus"];

/// Where the patches are, below the workspace.
const PATCHES: &str = "tests/mutants/patches";

/// The module that reads the variable, and the file that it becomes in the copy.
const MODULE: (&str, &str) = ("tests/mutants/mutant.rs", "shared/protocol/src/mutant.rs");

/// The declaration of that module.
const DECLARED: &str = "pub mod mutant;\n";

/// The version of our crates, and that of the copy: cargo then keeps their builds apart in one target
/// folder, and compiles what is not ours once for both.
const VERSIONS: (&str, &str) = ("version = \"0.1.0\"", "version = \"0.1.0-mutants\"");

/// The workspace leaves the binary of the mutants out; in the copy it is a member.
const MEMBERS: [(&str, &str); 2] = [
    ("exclude = [\"fuzz\", \"tests/mutants\"]", "exclude = [\"fuzz\"]"),
    ("members = [", "members = [\n    \"tests/mutants\","),
];

/// Names of the patches, which are the names of the mutants.
///
/// # Errors
/// The folder cannot be read.
pub fn names(workspace: &Path) -> Result<BTreeSet<String>> {
    let folder = workspace.join(PATCHES);
    let files = fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
    let mut names = BTreeSet::new();
    for file in files {
        let name = file?
            .file_name()
            .into_string()
            .map_err(|_| anyhow!("a patch has no readable name"))?;
        names.insert(name.trim_end_matches(".patch").to_owned());
    }
    Ok(names)
}

/// Writes the copy.
///
/// # Errors
/// A patch no longer applies: the error names it and the file. Or a file cannot be read or written.
pub fn write(workspace: &Path, copy: &Path) -> Result<()> {
    let mut files = BTreeMap::new();
    read(workspace, Path::new(""), &mut files)?;
    for name in names(workspace)? {
        patch(workspace, &name, &mut files).with_context(|| format!("apply the patch of the mutant {name}"))?;
    }
    let module = files
        .get(Path::new(MODULE.0))
        .context("the module of the mutants is missing")?;
    files.insert(PathBuf::from(MODULE.1), module.clone());
    edit(&mut files, "shared/protocol/src/lib.rs", |text| {
        Ok(format!("{text}\n{DECLARED}"))
    })?;
    edit(&mut files, "Cargo.toml", manifest)?;
    edit(&mut files, "Cargo.lock", |text| Ok(lock(&text)))?;
    remove_others(copy, Path::new(""), &files)?;
    for (path, content) in &files {
        let path = copy.join(path);
        if fs::read(&path).is_ok_and(|there| there == *content) {
            continue;
        }
        fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Changes a file of the copy.
fn edit(
    files: &mut BTreeMap<PathBuf, Vec<u8>>,
    path: &str,
    change: impl FnOnce(String) -> Result<String>,
) -> Result<()> {
    let content = files
        .get_mut(Path::new(path))
        .with_context(|| format!("there is no file {path}"))?;
    let text = String::from_utf8(content.clone()).with_context(|| format!("{path} is not text"))?;
    *content = change(text).with_context(|| format!("change {path}"))?.into_bytes();
    Ok(())
}

/// The manifest of the copy.
fn manifest(mut text: String) -> Result<String> {
    for (from, to) in MEMBERS.into_iter().chain([VERSIONS]) {
        ensure!(text.matches(from).count() == 1, "`{from}` is not there exactly once");
        text = text.replace(from, to);
    }
    Ok(text)
}

/// The lock file of the copy: packages without a source are ours.
fn lock(text: &str) -> String {
    let packages = text.split("[[package]]").map(|package| {
        if package.contains("source = ") {
            package.to_owned()
        } else {
            package.replacen(VERSIONS.0, VERSIONS.1, 1)
        }
    });
    packages.collect::<Vec<_>>().join("[[package]]")
}

/// Reads all files below a folder, by their path in the workspace.
fn read(workspace: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    let full = workspace.join(folder);
    for entry in fs::read_dir(&full).with_context(|| format!("list {}", full.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let path = folder.join(&name);
        if entry.file_type()?.is_dir() {
            read(workspace, &path, files)?;
        } else {
            let content = fs::read(entry.path()).with_context(|| format!("read {}", path.display()))?;
            files.insert(path, content);
        }
    }
    Ok(())
}

/// Applies a patch: one part for each file that it changes.
fn patch(workspace: &Path, name: &str, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    let text = fs::read_to_string(workspace.join(PATCHES).join(format!("{name}.patch")))?;
    ensure!(
        text.contains(&format!("mutant::is(\"{name}\")")),
        "the patch does not ask for its own name; guard the bug with `mutant::is(\"{name}\")`"
    );
    let starts: Vec<usize> = text
        .match_indices("--- a/")
        .map(|(at, _)| at)
        .filter(|&at| at == 0 || text.as_bytes()[at - 1] == b'\n')
        .collect();
    for (index, &start) in starts.iter().enumerate() {
        let part = &text[start..starts.get(index + 1).copied().unwrap_or(text.len())];
        let path = part.lines().next().and_then(|line| line.strip_prefix("--- a/"));
        let path = path.context("a part names no file")?;
        let part = diffy::Patch::from_str(part).with_context(|| format!("read the part for {path}"))?;
        edit(files, path, |before| Ok(diffy::apply(&before, &part)?))?;
    }
    Ok(())
}

/// Removes files of the copy that are not to be in it.
fn remove_others(copy: &Path, folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    let full = copy.join(folder);
    if !full.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(&full)? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "target" {
                remove_others(copy, &path, files)?;
            }
        } else if !files.contains_key(&path) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
