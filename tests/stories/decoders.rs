//! The fuzzing targets (`fuzz/`) as ordinary tests, on the committed corpus and on small changes of
//! it. `fuzz/src/lib.rs` says what each target asserts.

mod edits;

#[expect(unreachable_pub, reason = "the same file is a library for fuzzing")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use anyhow::{Context as _, Result};
use edits::edit;
use proptest::prelude::any;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use targets::{TARGETS, Target};

/// Changed inputs for each target.
const CASES: u32 = 400;

/// The committed inputs of a target.
fn corpus(target: &str) -> Result<Vec<Vec<u8>>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let files = fs::read_dir(&directory).with_context(|| format!("list {}", directory.display()))?;
    let mut paths = files.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    paths.iter().map(|path| Ok(fs::read(path)?)).collect()
}

fn holds(name: &str, target: Target) -> Result<()> {
    let corpus = corpus(name)?;
    assert!(!corpus.is_empty(), "{name} has no inputs");
    for input in &corpus {
        target(input);
    }
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let changed = (any::<Index>(), proptest::collection::vec(edit(), 1..6));
    let ran = TestRunner::new(config).run(&changed, |(first, edits)| {
        let mut input = first.get(&corpus).clone();
        for edit in edits {
            edit.make(&mut input, &corpus);
        }
        target(&input);
        Ok(())
    });
    ran.map_err(|error| anyhow::anyhow!("{name}: {error}"))
}

macro_rules! targets {
    ($($name:ident)+) => {
        $(
            #[test]
            fn $name() -> Result<()> {
                holds(stringify!($name), targets::$name)
            }
        )+

        #[test]
        fn every_target_is_run_here_and_has_a_binary() -> Result<()> {
            let here = BTreeSet::from([$(stringify!($name)),+]);
            assert_eq!(here, TARGETS.iter().map(|(name, _)| *name).collect());
            let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/Cargo.toml"))?;
            for name in here {
                assert!(manifest.contains(&format!("fuzz_targets/{name}.rs")), "{name}");
            }
            Ok(())
        }
    };
}

targets! { api fault_plan http_bodies input_frame output_batch sockets stored task template token workers }
