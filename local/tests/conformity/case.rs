//! A case: what AWS does, as a function that fails where the target does otherwise.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::known::Difference;
use crate::target::Target;

/// The longest text of an error, in characters.
const LONGEST: usize = 600;

/// One thing that AWS does.
pub(crate) struct Case {
    /// `area::what_aws_does`.
    pub(crate) name: String,
    /// Fails where the target does otherwise.
    pub(crate) run: fn(Arc<Target>) -> BoxFuture<'static, Result<()>>,
}

/// The cases of a module, as `fn cases() -> Vec<Case>`: async functions of a `&Target`.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        pub(crate) fn cases() -> Vec<$crate::case::Case> {
            let area = module_path!().rsplit("::").next().unwrap_or_default();
            vec![$($crate::case::Case {
                name: format!("{area}::{}", stringify!($name)),
                run: |target| Box::pin(async move { $name(&target).await }),
            }),*]
        }
    };
}
pub(crate) use cases;

/// What came of a case.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// The target does what AWS does.
    Conforms,
    /// It does not, which is known.
    Known(&'static str),
    /// It does not.
    Fails(String),
    /// It does, though it is said not to.
    Outdated(&'static str),
}

impl Case {
    /// Runs the case and judges what came of it. A panic is a failure as any other.
    pub(crate) async fn judge(&self, target: Arc<Target>, known: Option<&'static Difference>) -> Verdict {
        let outcome = AssertUnwindSafe((self.run)(target)).catch_unwind().await;
        judge(outcome.unwrap_or_else(|_| Err(anyhow!("panicked; see above"))), known)
    }
}

/// A mark excuses a failure, and what needs no excuse must have none.
fn judge(outcome: Result<()>, known: Option<&'static Difference>) -> Verdict {
    match (outcome, known) {
        (Ok(()), None) => Verdict::Conforms,
        (Ok(()), Some(known)) if known.always => Verdict::Outdated(known.reason),
        (_, Some(known)) => Verdict::Known(known.reason),
        (Err(error), None) => Verdict::Fails(cut(&format!("{error:#}"))),
    }
}

/// As much of it as one wants to read: some errors show whole events and frames.
fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(LONGEST).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

impl Verdict {
    /// Whether the run may go on to succeed.
    pub(crate) fn passes(&self) -> bool {
        matches!(self, Self::Conforms | Self::Known(_))
    }

    /// As the table has it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Conforms => "conforms".to_owned(),
            Self::Known(reason) => format!("known difference ({reason})"),
            Self::Fails(error) => format!("FAILS: {error}"),
            Self::Outdated(reason) => {
                format!("FAILS: it conforms, so its mark in known.rs must go ({reason})")
            }
        }
    }
}

/// Holds the rules of [`judge`].
pub(crate) fn check_the_rules() -> Result<()> {
    static ALWAYS: Difference = Difference::always("", "why");
    static SOMETIMES: Difference = Difference::sometimes("", "why");
    let passes = |outcome: Result<()>, known| judge(outcome, known).passes();
    let fails = || Err(anyhow!("no"));
    anyhow::ensure!(passes(Ok(()), None) && !passes(fails(), None));
    anyhow::ensure!(!passes(Ok(()), Some(&ALWAYS)) && passes(fails(), Some(&ALWAYS)));
    anyhow::ensure!(passes(Ok(()), Some(&SOMETIMES)) && passes(fails(), Some(&SOMETIMES)));
    Ok(())
}
