//! The local stack is generic: it depends on no crate of the application, and knows none of its
//! words.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Words of a chat. Queues have messages and groups too, so those words say nothing.
const CHAT_WORDS: [&str; 16] = [
    "chat",
    "chats",
    "conversation",
    "conversations",
    "fanout",
    "friend",
    "friends",
    "inbox",
    "inboxes",
    "membership",
    "messenger",
    "nickname",
    "presence",
    "roster",
    "timeline",
    "timelines",
];

/// Crates of this folder. Other names that start like this belong to the application.
const OWN_CRATES: [&str; 2] = ["wigwag-local", "wigwag_local"];

const TEXT_FILES: [&str; 9] = ["json", "md", "py", "rs", "sh", "snap", "toml", "txt", "yaml"];

fn local() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_in(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("read a directory of the local stack") {
        let path = entry.expect("read an entry of a directory").path();
        if path.is_dir() {
            files_in(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn text_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    files_in(local(), &mut files);
    files.retain(|file| {
        let extension = file.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| TEXT_FILES.contains(&extension)) && !file.ends_with(file!())
    });
    assert!(files.len() > 100, "found only {} files", files.len());
    files
}

fn manifest(path: &Path) -> Table {
    let text = fs::read_to_string(path).expect("read a manifest");
    text.parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names of all tables of dependencies: plain, for tests, for builds, and per target.
fn dependencies(manifest: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (key, value) in manifest {
        let Value::Table(table) = value else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                found.extend(table.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            "target" => {
                let targets = table.values().filter_map(Value::as_table);
                found.extend(targets.flat_map(dependencies));
            }
            _ => {}
        }
    }
    found
}

/// The crates of the workspace, by the paths that `[workspace.dependencies]` and members name.
fn crates_of_the_workspace(root: &Table) -> BTreeSet<String> {
    let members = root["workspace"]["members"]
        .as_array()
        .expect("the workspace lists its members");
    let directories = members
        .iter()
        .map(|member| local().join("..").join(member.as_str().expect("a member is a path")));
    directories
        .map(|directory| manifest(&directory.join("Cargo.toml")))
        .map(|manifest| {
            manifest["package"]["name"]
                .as_str()
                .expect("a package has a name")
                .to_owned()
        })
        .collect()
}

#[test]
fn the_local_stack_depends_on_no_crate_of_the_application() {
    let root = manifest(&local().join("../Cargo.toml"));
    let crates = crates_of_the_workspace(&root);
    assert!(crates.contains("wigwag-local") && crates.len() > 5, "{crates:?}");
    let mut checked = 0;
    for file in text_files().iter().filter(|file| file.ends_with("Cargo.toml")) {
        for (name, value) in dependencies(&manifest(file)) {
            let shared = root["workspace"]["dependencies"].get(&name);
            let is_path = |value: &Value| value.get("path").is_some();
            let package = |value: &Value| Some(value.get("package")?.as_str()?.to_owned());
            let package = package(&value).or_else(|| shared.and_then(package)).unwrap_or(name);
            let is_own = is_path(&value) || shared.is_some_and(is_path) || crates.contains(&package);
            assert!(!is_own, "{}: {package} is a crate of this repository", file.display());
            checked += 1;
        }
    }
    assert!(checked > 20, "checked only {checked} dependencies");
}

#[test]
fn the_local_stack_knows_no_word_of_a_chat() {
    for file in text_files() {
        let text = fs::read_to_string(&file)
            .expect("read a file of the local stack")
            .to_lowercase();
        for (number, line) in text.lines().enumerate() {
            let words = line.split(|character: char| !character.is_alphanumeric());
            let found = words.clone().find(|word| CHAT_WORDS.contains(word));
            assert_eq!(found, None, "{}:{}", file.display(), number + 1);
        }
    }
}

#[test]
fn the_code_of_the_local_stack_names_no_other_crate_of_the_repository() {
    let code = |file: &PathBuf| file.extension().is_some_and(|extension| extension != "md");
    for file in text_files().into_iter().filter(code) {
        let text = fs::read_to_string(&file)
            .expect("read a file of the local stack")
            .to_lowercase();
        for (number, line) in text.lines().enumerate() {
            let rest = OWN_CRATES
                .iter()
                .fold(line.to_owned(), |line, own| line.replace(own, ""));
            assert!(!rest.contains("wigwag"), "{}:{}: {line}", file.display(), number + 1);
        }
    }
}
