//! Checks a target against what is known about AWS, from outside: the local stack, another
//! emulator, or AWS itself.
//!
//! The template `local/fixtures/conformity.yaml` is deployed there. All its functions are the probe
//! (`local/fixtures/probe`), which does what its events say and records each event in a queue. A
//! case says what AWS does, and fails if the target does something else. `known.rs` marks the known
//! differences of emulators. `unknown.rs` has cases about things that nobody knows about AWS: they
//! print what they see. By default the target is the local stack, in this process;
//! `local/docs/conformity.md` says how to choose another.

mod case;
mod closing;
mod connections;
mod expect;
mod handshake;
mod http_api;
mod known;
mod messages;
mod queue;
mod queues;
#[path = "../../fixtures/probe/src/signed.rs"]
mod signed;
mod socket;
mod target;
mod unknown;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use case::{Case, CaseVerdict};
use target::{Target, TargetKind};

/// Cases that run at once, unless `--test-threads` says otherwise. Most of them mostly wait.
const AT_ONCE: usize = 8;

/// What all cases share.
struct Suite {
    runtime: Runtime,
    kind: TargetKind,
    /// Started by the first case that needs it.
    target: OnceCell<Result<Arc<Target>, String>>,
    /// With the number of the case.
    verdicts: Mutex<Vec<(usize, String, CaseVerdict)>>,
}

impl Suite {
    fn target(&self) -> Result<Arc<Target>, Failed> {
        let starting = async || {
            Target::start(self.kind)
                .await
                .map(Arc::new)
                .map_err(|error| format!("{error:#}"))
        };
        let started = self.runtime.block_on(self.target.get_or_init(starting));
        started
            .clone()
            .map_err(|error| format!("there is no target: {error}").into())
    }

    fn run(&self, number: usize, case: &Case) -> Result<(), Failed> {
        let known = known::find(self.kind, &case.name);
        let verdict = self.runtime.block_on(case.judge(self.target()?, known));
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.push((number, case.name.clone(), verdict.clone()));
        if verdict.passes() {
            Ok(())
        } else {
            Err(verdict.shown().into())
        }
    }

    fn print_table(&self) {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.sort_by_key(|(number, ..)| *number);
        let width = verdicts.iter().map(|(_, name, _)| name.len()).max().unwrap_or_default();
        println!("\nWhat is known about AWS, on {}:\n", self.kind.name());
        for (_, name, verdict) in verdicts.iter() {
            println!("  {name:width$}  {}", verdict.shown());
        }
        let count = |is: fn(&CaseVerdict) -> bool| verdicts.iter().filter(|(.., verdict)| is(verdict)).count();
        println!(
            "\n{} conform, {} known differences, {} fail",
            count(|verdict| matches!(verdict, CaseVerdict::Conforms)),
            count(|verdict| matches!(verdict, CaseVerdict::Known(_))),
            count(|verdict| !verdict.passes()),
        );
    }

    fn stop(&self) {
        if let Some(Ok(target)) = self.target.get() {
            self.runtime.block_on(target.stop());
        }
    }
}

fn cases() -> Vec<Case> {
    [
        handshake::cases(),
        messages::cases(),
        closing::cases(),
        connections::cases(),
        http_api::cases(),
        queues::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn trials(suite: &Arc<Suite>) -> Vec<Trial> {
    let cases = cases();
    let names: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    let marks = move || {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok(known::check_the_marks(&names)?)
    };
    let mut trials = vec![
        Trial::test("rules::a_mark_excuses_a_failure_and_nothing_else", || {
            Ok(case::check_the_rules()?)
        }),
        Trial::test("rules::the_documentation_has_the_marks", marks),
        Trial::test("rules::the_documentation_has_what_is_unknown", || {
            let unknown = unknown::cases();
            let names: Vec<&str> = unknown.iter().map(|case| case.name.as_str()).collect();
            Ok(known::check_the_unknown(&names)?)
        }),
    ];
    for (number, case) in cases.into_iter().enumerate() {
        let suite = Arc::clone(suite);
        trials.push(Trial::test(case.name.clone(), move || suite.run(number, &case)));
    }
    // The local stack has no unknowns, so these cases run only on request.
    if std::env::var_os("CONFORMITY_TARGET").is_some() {
        trials.extend(unknown::cases().into_iter().map(|case| {
            let suite = Arc::clone(suite);
            let observe = move || {
                let target = suite.target()?;
                Ok(suite.runtime.block_on((case.run)(target))?)
            };
            Trial::test(case.name.clone(), observe).with_ignored_flag(true)
        }));
    }
    trials
}

fn suite() -> Result<Arc<Suite>> {
    Ok(Arc::new(Suite {
        runtime: Runtime::new().context("start a runtime")?,
        kind: TargetKind::from_env()?,
        target: OnceCell::new(),
        verdicts: Mutex::default(),
    }))
}

fn main() -> ExitCode {
    // HTTPS clients need a cryptography provider, even for plain HTTP. None is installed yet.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let suite = match suite() {
        Ok(suite) => suite,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let conclusion = libtest_mimic::run(&arguments, trials(&suite));
    suite.stop();
    if !arguments.list {
        suite.print_table();
    }
    conclusion.exit_code()
}
