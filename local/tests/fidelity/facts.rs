//! Checks the table of facts and tests in `docs/local-stack.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Collects the names of all test functions in this directory.
fn tests_in(directory: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_in(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let after_attribute = text.split("test]").chain(text.split("(start_paused = true)]")).skip(1);
            let lines = after_attribute.filter_map(|rest| rest.trim_start().lines().next());
            let name = |line: &str| Some(line.split_once("fn ")?.1.split_once('(')?.0.to_owned());
            names.extend(lines.filter_map(name));
        }
    }
}

#[test]
fn every_fact_about_queues_names_tests_that_exist() {
    let local = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    for directory in ["src", "tests"] {
        tests_in(&local.join(directory), &mut tests);
    }
    let page = fs::read_to_string(local.join("docs/fidelity.md")).unwrap();
    let table = page.split("| fact | tests |").nth(1).unwrap();
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let held_by = row.rsplit('|').nth(1).unwrap();
        let names: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            assert!(tests.contains(name), "there is no test {name}: {row}");
        }
    }
}
