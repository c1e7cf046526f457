//! The local stack runs any SAM template, and knows nothing of chat.

use super::root;
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// Words of chat, in lower case. None of them has a meaning in AWS.
const WORDS: [&str; 17] = [
    "chat",
    "inbox",
    "friend",
    "conversation",
    "timeline",
    "fanout",
    "fan-out",
    "messenger",
    "super group",
    "super_group",
    "supergroup",
    "group log",
    "client_id",
    "upmsg",
    "messagetype",
    "sessiontype",
    "wigwag",
];

/// The local stack's own names, which have the project's name in them.
const OWN_NAMES: [&str; 2] = ["wigwag-local", "wigwag_local"];

/// Files of text under a folder. A file that is no text has no words.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = read_dir(folder).unwrap_or_else(|error| panic!("list {}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// The words of chat in a text. A document may name the project that the local stack belongs to.
fn words_of_chat(text: &str, is_document: bool) -> Vec<&'static str> {
    let mut text = text.to_lowercase();
    for own in OWN_NAMES {
        text = text.replace(own, "");
    }
    let looked_for = WORDS.into_iter().filter(|word| !(is_document && *word == "wigwag"));
    looked_for.filter(|word| text.contains(word)).collect()
}

#[test]
fn the_local_stack_has_no_word_of_chat_in_it() {
    let folder = root().join("local");
    let mut faults = Vec::new();
    for path in files(&folder) {
        let Ok(text) = read_to_string(&path) else { continue };
        let is_document = path.extension().is_some_and(|ending| ending == "md");
        for word in words_of_chat(&text, is_document) {
            faults.push(format!("{}: {word}", path.display()));
        }
    }
    assert!(
        faults.is_empty(),
        "the local stack must not know of chat:\n{}",
        faults.join("\n")
    );
}

#[test]
fn a_word_of_chat_is_found_in_any_case_and_the_local_stacks_own_name_is_none() {
    assert_eq!(words_of_chat("struct InboxHead;", false), ["inbox"]);
    assert_eq!(words_of_chat("use wigwag_local::stack;", false), Vec::<&str>::new());
    assert_eq!(words_of_chat("use wigwag_store::Store;", false), ["wigwag"]);
    assert_eq!(words_of_chat("Part of Wigwag.", true), Vec::<&str>::new());
}
