//! What is known to differ from AWS, target by target, and why.
//!
//! A mark excuses its case from failing, and forbids it to conform, so that no mark outlives its difference. The documentation
//! lists what is here; a test compares the two.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::target::Kind;

/// A case in which a target does otherwise than AWS.
#[derive(Debug)]
pub(crate) struct Difference {
    /// Name of the case.
    pub(crate) case: &'static str,
    /// What the target does instead.
    pub(crate) reason: &'static str,
    /// Whether the case can never conform.
    pub(crate) always: bool,
}

impl Difference {
    /// One that is always seen.
    pub(crate) const fn always(case: &'static str, reason: &'static str) -> Self {
        Self {
            case,
            reason,
            always: true,
        }
    }

    /// One that is seen by chance; its reason says so.
    pub(crate) const fn sometimes(case: &'static str, reason: &'static str) -> Self {
        Self {
            case,
            reason,
            always: false,
        }
    }
}

/// None: what the local stack does otherwise than AWS is to be mended.
const LOCAL: [Difference; 0] = [];

/// Of ministack 1.5.33.
const MINISTACK: [Difference; 0] = [];

/// What is known of the kind of target.
pub(crate) fn differences(kind: Kind) -> &'static [Difference] {
    match kind {
        Kind::Local => &LOCAL,
        Kind::Ministack => &MINISTACK,
        Kind::Localstack | Kind::Aws => &[],
    }
}

/// The mark of the case, if it has one.
pub(crate) fn of(kind: Kind, case: &str) -> Option<&'static Difference> {
    differences(kind).iter().find(|difference| difference.case == case)
}

/// Each mark names a case, once, and the documentation has all of them.
pub(crate) fn check_the_marks(cases: &[&str]) -> Result<()> {
    for (kind, page) in [
        (Kind::Local, "docs/local-stack.md"),
        (Kind::Ministack, "localstack/README.md"),
    ] {
        let marks = differences(kind);
        for mark in marks {
            ensure!(
                cases.contains(&mark.case),
                "{} of {} is no case",
                mark.case,
                kind.name()
            );
            let count = marks.iter().filter(|other| other.case == mark.case).count();
            ensure!(count == 1, "{} of {} is marked {count} times", mark.case, kind.name());
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let table = table(marks);
        ensure!(text.contains(&table), "{page} is to have this, and has not:\n\n{table}");
    }
    Ok(())
}

/// The marks as the documentation has them.
fn table(marks: &[Difference]) -> String {
    if marks.is_empty() {
        return String::new();
    }
    let mut table = "| case | what it does instead |\n|---|---|\n".to_owned();
    for mark in marks {
        let sometimes = if mark.always { "" } else { " (by chance)" };
        let _ = writeln!(table, "| `{}` | {}{sometimes} |", mark.case, mark.reason);
    }
    table
}
