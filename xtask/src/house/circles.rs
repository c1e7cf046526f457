//! Import circles: files of a crate that use each other, directly or through others.

use super::modules::Modules;
use super::source::{Checkout, RustFile};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Files that a circle may have: two that belong together do no harm.
const HARMLESS: usize = 2;

pub(super) fn measure(checkout: &Checkout) -> Value {
    let mut crates: BTreeMap<&str, Vec<(&str, &RustFile)>> = BTreeMap::new();
    for file in checkout.server() {
        let folder = checkout.crate_of(&file.path);
        let below = file.path.strip_prefix(&format!("{folder}/src/"));
        if let Some(below) = below {
            crates.entry(folder).or_default().push((below, file));
        }
    }
    let circles = crates.values().flat_map(|files| circles(files));
    let mut circles: Vec<Vec<&str>> = circles.filter(|circle| circle.len() > HARMLESS).collect();
    circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    json!({
        "of more than two files": circles.len(),
        "files of the largest": circles.first().map_or(0, Vec::len),
        "largest": circles.first().map(|circle| circle.join(", ")),
    })
}

/// The strongly connected components of a crate's files.
fn circles<'a>(files: &[(&str, &'a RustFile)]) -> Vec<Vec<&'a str>> {
    let edges = Modules::read(files).edges();
    let reached: Vec<BTreeSet<usize>> = (0..files.len()).map(|from| reachable(from, &edges)).collect();
    let mut circles = BTreeSet::new();
    for (from, to) in reached.iter().enumerate() {
        if to.contains(&from) {
            let circle: BTreeSet<usize> = to
                .iter()
                .copied()
                .filter(|&other| reached[other].contains(&from))
                .collect();
            circles.insert(circle);
        }
    }
    let paths = |circle: BTreeSet<usize>| circle.into_iter().map(|index| files[index].1.path.as_str()).collect();
    circles.into_iter().map(paths).collect()
}

/// What can be reached from a file in one step or more.
fn reachable(from: usize, edges: &BTreeSet<(usize, usize)>) -> BTreeSet<usize> {
    let (mut reached, mut waiting) = (BTreeSet::new(), vec![from]);
    while let Some(next) = waiting.pop() {
        for &(_, to) in edges.range((next, 0)..=(next, usize::MAX)) {
            if reached.insert(to) {
                waiting.push(to);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::checkout;
    use super::*;

    /// The circles of a crate with these files.
    fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
        let crate_files = files.iter().map(|(path, text)| (format!("shared/a/src/{path}"), *text));
        let mut all: Vec<(String, &str)> = crate_files.collect();
        all.push(("shared/a/Cargo.toml".to_owned(), ""));
        let borrowed: Vec<(&str, &str)> = all.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let checkout = checkout(&borrowed);
        let files: Vec<(&str, &RustFile)> = checkout
            .server()
            .map(|file| (file.path.strip_prefix("shared/a/src/").unwrap(), file))
            .collect();
        let named = circles(&files).into_iter().map(|circle| circle.join(" "));
        named.map(|circle| circle.replace("shared/a/src/", "")).collect()
    }

    #[test]
    fn the_server_has_no_circle_of_more_than_two_files() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let measured = measure(&Checkout::read(root.as_ref()).unwrap());
        assert_eq!(measured["of more than two files"], 0, "{measured:#}");
    }

    #[test]
    fn three_files_that_use_each_other_in_turn_are_a_circle() {
        let files = [
            ("lib.rs", "mod one; mod two; mod three;"),
            ("one.rs", "use crate::two::Two; pub struct One;"),
            ("two.rs", "pub struct Two(super::three::Three);"),
            ("three/mod.rs", "pub fn f(_: &crate::one::One) {} pub struct Three;"),
        ];
        assert_eq!(circles_of(&files), ["one.rs two.rs three/mod.rs"]);
    }

    #[test]
    fn a_name_is_followed_through_reexports_to_the_file_that_defines_it() {
        let files = [
            ("lib.rs", "mod one; mod two; pub use one::One; pub use two::*;"),
            ("one.rs", "use crate::Two; pub struct One;"),
            ("two.rs", "use super::One as First; pub struct Two;"),
        ];
        assert_eq!(circles_of(&files), ["one.rs two.rs"]);
    }

    #[test]
    fn a_parent_that_only_declares_and_reexports_is_in_no_circle() {
        let files = [
            ("lib.rs", "mod one; pub use one::One; pub struct Shared;"),
            ("one.rs", "use crate::Shared; pub struct One(Shared);"),
        ];
        assert_eq!(circles_of(&files), Vec::<String>::new());
        let using = [
            ("lib.rs", "mod one; pub use one::One; pub struct Shared(One);"),
            files[1],
        ];
        assert_eq!(circles_of(&using), ["lib.rs one.rs"]);
    }

    #[test]
    fn names_from_other_crates_and_from_tests_make_no_circle() {
        let files = [
            ("lib.rs", "mod one; mod two;"),
            ("one.rs", "use std::two::Two; use two::Other; pub struct One;"),
            (
                "two.rs",
                "use crate::one::One; pub struct Two; #[cfg(test)] mod tests { use crate::one::One; }",
            ),
        ];
        assert_eq!(circles_of(&files), Vec::<String>::new());
    }
}
