//! A case: one thing that AWS does, as a function that fails if the target does something else.

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
    /// Fails if the target does something else.
    pub(crate) run: fn(Arc<Target>) -> BoxFuture<'static, Result<()>>,
}

/// Defines `fn cases() -> Vec<Case>` for the cases of a module: async functions of a `&Target`.
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

/// The result of a case.
#[derive(Debug, Clone)]
pub(crate) enum CaseVerdict {
    /// The target does what AWS does.
    Conforms,
    /// The target does something else, and the difference is marked as known.
    Known(&'static str),
    /// The target does something else.
    Fails(String),
    /// The target does what AWS does, although a difference is marked as known.
    Outdated(&'static str),
}

impl Case {
    /// Runs the case and judges its result. A panic counts as a failure.
    pub(crate) async fn judge(&self, target: Arc<Target>, known: Option<&'static Difference>) -> CaseVerdict {
        let outcome = AssertUnwindSafe((self.run)(target)).catch_unwind().await;
        judge(outcome.unwrap_or_else(|_| Err(anyhow!("panicked; see above"))), known)
    }
}

/// A mark excuses a failure. A case that conforms must not be marked.
fn judge(outcome: Result<()>, known: Option<&'static Difference>) -> CaseVerdict {
    match (outcome, known) {
        (Ok(()), None) => CaseVerdict::Conforms,
        (Ok(()), Some(known)) if known.always => CaseVerdict::Outdated(known.reason),
        (_, Some(known)) => CaseVerdict::Known(known.reason),
        (Err(error), None) => CaseVerdict::Fails(cut(&format!("{error:#}"))),
    }
}

/// Shortens the text, because some errors show whole events and frames.
fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(LONGEST).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

impl CaseVerdict {
    /// Whether the run can still succeed.
    pub(crate) fn passes(&self) -> bool {
        matches!(self, Self::Conforms | Self::Known(_))
    }

    /// The text for the table.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Conforms => "conforms".to_owned(),
            Self::Known(reason) => format!("known difference ({reason})"),
            Self::Fails(error) => format!("FAILS: {error}"),
            Self::Outdated(reason) => {
                format!("FAILS: it conforms, so remove its mark from known.rs ({reason})")
            }
        }
    }
}

/// Checks the rules of [`judge`].
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
