//! The fuzzing targets (`fuzz/`), run as an ordinary test: over what fuzzing has found worth keeping, and over what comes of that
//! by small changes. What the targets hold is written where they are.

#[expect(unreachable_pub, reason = "a library where it is fuzzed")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use anyhow::{Context as _, Result};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use targets::{TARGETS, Target};

/// Changed inputs for each target.
const CASES: u32 = 400;

/// A small change.
#[derive(Debug, Clone)]
enum Edit {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Delete(Index, Index),
    /// A piece of the input itself, again.
    Repeat(Index, Index),
    /// The end of another input.
    Splice(Index, Index, Index),
}

/// What decoders trip over, and bytes.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let telling = [
        "\"",
        "{",
        "}",
        "[",
        "]",
        "\\u0000",
        "\\ud800",
        "-1",
        "1e999",
        "9007199254740993",
        "18446744073709551616",
        "null",
        "~",
        "!",
        ".",
        "=",
        "\n",
        "&a ",
        "*a ",
        "é",
        "\u{202e}",
    ];
    prop_oneof![
        proptest::sample::select(telling.map(|text| text.as_bytes().to_vec()).to_vec()),
        proptest::collection::vec(any::<u8>(), 1..4),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        (at(), b' '..=b'~').prop_map(|(at, byte)| Edit::Replace(at, byte)),
        (at(), piece()).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (at(), at()).prop_map(|(from, to)| Edit::Delete(from, to)),
        (at(), at()).prop_map(|(from, to)| Edit::Repeat(from, to)),
        (at(), at(), at()).prop_map(|(at, other, from)| Edit::Splice(at, other, from)),
    ]
}

impl Edit {
    fn make(&self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let span = |from: &Index, to: &Index, len: usize| {
            let (one, other) = (from.index(len + 1), to.index(len + 1));
            one.min(other)..one.max(other)
        };
        match self {
            Self::Replace(at, byte) if !input.is_empty() => *at.get_mut(input) = *byte,
            Self::Replace(_, byte) => input.push(*byte),
            Self::Insert(at, piece) => {
                let at = at.index(input.len() + 1);
                input.splice(at..at, piece.iter().copied());
            }
            Self::Delete(from, to) => {
                input.drain(span(from, to, input.len()));
            }
            Self::Repeat(from, to) => {
                let span = span(from, to, input.len());
                let again = input[span.clone()].to_vec();
                input.splice(span.start..span.start, again);
            }
            Self::Splice(at, other, from) => {
                let other = other.get(corpus);
                input.truncate(at.index(input.len() + 1));
                input.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
        }
    }
}

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
