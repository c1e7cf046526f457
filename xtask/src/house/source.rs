//! The files of a checkout, and which of their lines are test code.

use super::comments::{Line, lines};
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, Item, Meta};

/// Folders whose files are all test code.
const TEST_FOLDERS: [&str; 3] = ["tests", "check", "fuzz"];

/// What git tracks in a checkout, as far as it is measured.
pub(super) struct Checkout {
    pub(super) rust: Vec<RustFile>,
    /// Path and content of what is not Rust: Markdown, scripts, settings.
    pub(super) texts: Vec<(String, String)>,
    /// The folders that have a `Cargo.toml`; the root is the empty string.
    pub(super) crates: BTreeSet<String>,
}

/// One file of Rust.
pub(super) struct RustFile {
    /// From the root of the checkout, with `/`.
    pub(super) path: String,
    pub(super) syntax: syn::File,
    pub(super) lines: Vec<Line>,
    is_test: bool,
    /// Lines of `#[cfg(test)]` items, counted from 1.
    test_lines: Vec<RangeInclusive<usize>>,
}

impl Checkout {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let listed = Command::new("git").arg("-C").arg(root).arg("ls-files").output();
        let listed = listed.context("run git ls-files")?;
        ensure!(listed.status.success(), "git knows no checkout at {}", root.display());
        let mut files = Vec::new();
        for path in String::from_utf8(listed.stdout)?.lines() {
            // A file that was deleted and not yet committed is still listed.
            if is_measured(path) && root.join(path).exists() {
                let text = std::fs::read_to_string(root.join(path)).with_context(|| format!("read {path}"))?;
                files.push((path.to_owned(), text));
            }
        }
        Self::from_files(files)
    }

    /// From paths and contents.
    pub(super) fn from_files(files: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let (mut rust, mut texts, mut crates) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (path, text) in files {
            if let Some(folder) = path.strip_suffix("Cargo.toml") {
                crates.insert(folder.trim_end_matches('/').to_owned());
            }
            if has_extension(&path, "rs") {
                rust.push(RustFile::parse(path, &text)?);
            } else {
                texts.push((path, text));
            }
        }
        let test_modules: Vec<String> = rust.iter().flat_map(RustFile::test_modules).collect();
        for file in &mut rust {
            let stem = file.path.trim_end_matches(".rs");
            let is_below = |module: &String| stem == module || stem.starts_with(&format!("{module}/"));
            file.is_test |= test_modules.iter().any(is_below);
        }
        Ok(Self { rust, texts, crates })
    }

    /// The crate that a file belongs to, by its folder.
    pub(super) fn crate_of(&self, path: &str) -> &str {
        let owners = self.crates.iter().filter(|folder| is_under(path, folder));
        owners.max_by_key(|folder| folder.len()).map_or("", String::as_str)
    }

    /// The files of the server that are not test code as a whole.
    pub(super) fn server(&self) -> impl Iterator<Item = &RustFile> {
        let is_server = |file: &&RustFile| is_under(&file.path, "shared") || is_under(&file.path, "functions");
        self.rust.iter().filter(is_server).filter(|file| !file.is_test)
    }
}

impl RustFile {
    fn parse(path: String, text: &str) -> Result<Self> {
        let syntax = syn::parse_file(text).with_context(|| format!("parse {path}"))?;
        let mut tests = TestItems::default();
        tests.visit_file(&syntax);
        let is_test = path.ends_with("/tests.rs") || path.split('/').any(|part| TEST_FOLDERS.contains(&part));
        Ok(Self {
            lines: lines(text),
            test_lines: tests.0,
            path,
            syntax,
            is_test,
        })
    }

    /// Whether all of the file is test code.
    pub(super) fn is_test(&self) -> bool {
        self.is_test
    }

    /// Whether a line, counted from 1, is test code.
    pub(super) fn is_test_line(&self, number: usize) -> bool {
        self.is_test || self.test_lines.iter().any(|range| range.contains(&number))
    }

    /// Paths, without their ending, of the modules that this file declares for tests alone.
    fn test_modules(&self) -> Vec<String> {
        let (folder, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let is_parent = ["lib.rs", "main.rs", "mod.rs"].contains(&name);
        let folder = if is_parent {
            folder
        } else {
            self.path.trim_end_matches(".rs")
        };
        let modules = self.syntax.items.iter().filter_map(|item| match item {
            Item::Mod(module) if module.content.is_none() && is_for_tests(&module.attrs) => Some(&module.ident),
            _ => None,
        });
        modules.map(|module| format!("{folder}/{module}")).collect()
    }
}

/// Whether an item exists only in tests.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string();
            condition == "test" || condition.starts_with("all (test")
        }
        _ => false,
    })
}

/// The attributes of the items that are measured.
pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Collects the lines of `#[cfg(test)]` items.
#[derive(Default)]
struct TestItems(Vec<RangeInclusive<usize>>);

impl TestItems {
    fn add(&mut self, item: proc_macro2::Span) {
        self.0.push(item.start().line..=item.end().line);
    }
}

impl<'ast> Visit<'ast> for TestItems {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes(item)) {
            self.add(item.span());
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if is_for_tests(&function.attrs) {
            self.add(function.span());
        }
    }
}

/// Whether a path is a folder or below it. Everything is below the empty one.
pub(super) fn is_under(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// Source, documents, scripts and settings; no corpus, no snapshots, no lock files.
fn is_measured(path: &str) -> bool {
    let is_named = ["rs", "md", "toml", "yaml", "yml", "sh", "py", "proto"].iter();
    path == ".ci/run" || (is_named.into_iter().any(|ending| has_extension(path, ending)) && !path.contains("/corpus/"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A checkout of these files.
    pub(in super::super) fn checkout(files: &[(&str, &str)]) -> Checkout {
        let owned = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Checkout::from_files(owned).unwrap()
    }

    #[test]
    fn test_code_is_found_by_folder_by_file_name_and_by_attribute() {
        let files = [
            ("shared/store/Cargo.toml", ""),
            (
                "shared/store/src/lib.rs",
                "fn a() {}\n#[cfg(test)]\nmod inline {\n}\n#[cfg(test)]\nmod apart;\n",
            ),
            ("shared/store/src/apart/deep.rs", ""),
            ("shared/store/src/head/tests.rs", ""),
            ("shared/store/tests/all.rs", ""),
            ("check/src/lib.rs", ""),
        ];
        let checkout = checkout(&files);
        let server: Vec<&str> = checkout.server().map(|file| file.path.as_str()).collect();
        assert_eq!(server, ["shared/store/src/lib.rs"]);
        let lib = &checkout.rust[0];
        let is_test: Vec<bool> = (1..=6).map(|line| lib.is_test_line(line)).collect();
        assert_eq!(is_test, [false, true, true, true, true, true]);
    }

    #[test]
    fn a_file_belongs_to_the_innermost_crate() {
        let files = [("local/Cargo.toml", ""), ("local/fixtures/probe/Cargo.toml", "")];
        let checkout = checkout(&files);
        assert_eq!(checkout.crate_of("local/src/lib.rs"), "local");
        assert_eq!(
            checkout.crate_of("local/fixtures/probe/src/main.rs"),
            "local/fixtures/probe"
        );
    }
}
