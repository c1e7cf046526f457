//! Bugs on purpose: the checker sees each of them, and no ordinary build has one.

use std::fs;
use std::path::Path;
use std::process::Command;
use wigwag_check::plants::{PLANTS, Planted, VARIABLE};
use wigwag_local::build::{Bootstraps, bootstraps};
use wigwag_local::template;

#[tokio::test]
async fn the_planted_build_has_exactly_the_bugs_of_the_list() {
    let planted = Planted::build().await.unwrap();
    let names = Command::new(planted.binary).output().unwrap().stdout;
    let names = String::from_utf8(names).unwrap();
    let listed: Vec<&str> = PLANTS.iter().map(|plant| plant.name).collect();
    assert_eq!(names.lines().collect::<Vec<_>>(), listed);
}

#[tokio::test]
async fn no_ordinary_build_has_anything_of_the_bugs() {
    let planted = Planted::build().await.unwrap();
    assert!(names_the_variable(&planted.binary), "this looks for the wrong thing");
    let stack = template::load(&wigwag_tests::template(), &template::Options::default()).unwrap();
    let ordinary = bootstraps(&stack.functions, &Bootstraps::default()).await.unwrap();
    for (function, bootstrap) in ordinary {
        assert!(!names_the_variable(&bootstrap), "{function} can have bugs");
    }
}

fn names_the_variable(binary: &Path) -> bool {
    let (bytes, name) = (fs::read(binary).unwrap(), VARIABLE.as_bytes());
    let mut begins = bytes.iter().enumerate().filter(|(_, byte)| **byte == name[0]);
    begins.any(|(at, _)| bytes[at..].starts_with(name))
}
