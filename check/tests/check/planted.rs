//! Bugs on purpose: the checker sees each of them, and no ordinary build has one.

use anyhow::Result;
use std::fs;
use std::path::Path;
use std::process::Command;
use wigwag_check::plants::{PLANTS, Planted, VARIABLE};
use wigwag_local::build::{Bootstraps, bootstraps};
use wigwag_local::template;

#[tokio::test]
async fn the_planted_build_has_exactly_the_bugs_of_the_list() -> Result<()> {
    let planted = Planted::build().await?;
    let names = String::from_utf8(Command::new(&planted.binary).output()?.stdout)?;
    let listed: Vec<&str> = PLANTS.iter().map(|plant| plant.name).collect();
    assert_eq!(names.lines().collect::<Vec<_>>(), listed);
    Ok(())
}

#[tokio::test]
async fn no_ordinary_build_has_anything_of_the_bugs() -> Result<()> {
    let planted = Planted::build().await?;
    assert!(names_the_variable(&planted.binary)?, "this looks for the wrong thing");
    let stack = template::load(&wigwag_tests::template(), &template::Options::default())?;
    for (function, bootstrap) in bootstraps(&stack.functions, &Bootstraps::default()).await? {
        assert!(!names_the_variable(&bootstrap)?, "{function} can have bugs");
    }
    Ok(())
}

fn names_the_variable(binary: &Path) -> Result<bool> {
    let (bytes, name) = (fs::read(binary)?, VARIABLE.as_bytes());
    let mut begins = bytes.iter().enumerate().filter(|(_, byte)| **byte == name[0]);
    Ok(begins.any(|(at, _)| bytes[at..].starts_with(name)))
}
