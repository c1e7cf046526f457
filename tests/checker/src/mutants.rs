//! Bugs that are put in on purpose, to show that the checker sees them.
//!
//! They are in a build of its own: one binary that is every function (`tests/mutants`), compiled with the feature `plant`, beside the ordinary
//! ones. The bug that a stack's functions then have is named in their environment, by a line more in the template.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::Command;
use wigwag_cluster::{altered_template, template};
use wigwag_invariants::Promise::{self, Answered, G1, G2, G3, G6, G7, Pushed};
use wigwag_local::build::Bootstraps;
use wigwag_local::faults::Plan;

/// The variable that names the bug.
pub const VARIABLE: &str = "WIGWAG_PLANT";

/// A bug that a build with the feature `plant` has when it is named in [`VARIABLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutant {
    /// As on the command line.
    pub name: &'static str,
    /// What it does, in a few words.
    pub what: &'static str,
    /// What it breaks: that it is seen means that one of these is.
    pub breaks: &'static [Promise],
    /// Whether it shows only where a writer has died between two writes: more of them do then.
    pub needs_deaths: bool,
}

/// Those that there are.
pub const MUTANTS: &[Mutant] = &[
    anywhere(
        "read-past-hole",
        "a page's cursor goes to its last row, past holes",
        &[G3],
    ),
    anywhere(
        "cursor-to-counter",
        "a cursor passes what is still being written",
        &[G3],
    ),
    after_deaths(
        "ack-before-log",
        "a message is acknowledged before it is written",
        &[G1],
    ),
    anywhere("repeat-gets-new-seq", "a repeat is stored anew", &[G2]),
    anywhere("repeat-dropped", "a repeat is not answered", &[Answered]),
    after_deaths("repeat-unfinished", "a repeat is answered, and not finished", &[G1, G7]),
    anywhere(
        "disconnect-unchecked",
        "$disconnect removes whichever connection stands",
        &[Pushed],
    ),
    anywhere("redelivery-copies-again", "a task that comes again copies again", &[G2]),
    after_deaths("no-seal", "readers give no hole up", &[G3, Answered]),
    after_deaths(
        "seal-ignores-late-writer",
        "a late writer writes over a seal",
        &[G3, G7],
    ),
    anywhere("push-to-removed", "who has left a super group is still pushed", &[G6]),
    anywhere("copy-to-removed", "who has left a group still gets copies", &[G6]),
    anywhere(
        "history-before-join",
        "members read what was said before they joined",
        &[G6],
    ),
    anywhere(
        "become-untold",
        "that a group became a super group is in no inbox",
        &[G1, G7],
    ),
    after_deaths(
        "super-judged-now",
        "a message is judged by what its group is when it is finished",
        &[G1],
    ),
    anywhere("dissolve-unchecked", "a group that has ended takes messages", &[G6]),
    anywhere("mute-unchecked", "who is muted may send", &[G6]),
    anywhere(
        "history-stays-open",
        "a history that was opened is not closed again",
        &[G6],
    ),
];

const fn anywhere(name: &'static str, what: &'static str, breaks: &'static [Promise]) -> Mutant {
    Mutant {
        name,
        what,
        breaks,
        needs_deaths: false,
    }
}

const fn after_deaths(name: &'static str, what: &'static str, breaks: &'static [Promise]) -> Mutant {
    Mutant {
        name,
        what,
        breaks,
        needs_deaths: true,
    }
}

/// What happens to processes where more of them are to die.
const DEATHS: &str = "processes = { kill_after_calls = { rate = 0.2, calls = 8 } }";

/// The functions, by the names of their binaries.
const FUNCTIONS: [&str; 6] = ["api", "authorizer", "connect", "default", "disconnect", "fanout"];

/// The template's last line of what all functions have in their environment.
const ENVIRONMENT: &str = "        RUST_LOG: !Ref LogLevel\n";

impl Mutant {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        MUTANTS.iter().find(|mutant| mutant.name == name).copied()
    }

    /// The plan under which it is looked for: this one, or with more deaths in it.
    ///
    /// # Errors
    /// None, as long as plans are written as they are now.
    pub fn faults(&self, plan: &Plan) -> Result<Plan> {
        let mut plan = plan.clone();
        if self.needs_deaths {
            plan.processes = Plan::parse(DEATHS)?.processes;
        }
        Ok(plan)
    }
}

/// The build with bugs in it, laid out for stacks. They need it until they have started.
#[derive(Debug)]
pub struct MutantBuild {
    /// The binary that is all functions.
    pub binary: PathBuf,
    directory: TempDir,
}

impl MutantBuild {
    /// Compiles it, which takes no time where it is up to date.
    ///
    /// # Errors
    /// Cargo says no, and has said why on standard error.
    pub async fn build() -> Result<Self> {
        let binary = cargo_build().await?;
        let directory = tempfile::tempdir()?;
        for function in FUNCTIONS {
            let place = directory.path().join(function);
            std::fs::create_dir(&place)?;
            symlink(&binary, place.join("bootstrap")).context("lay the planted functions out")?;
        }
        Ok(Self { binary, directory })
    }

    /// For a stack.
    pub fn bootstraps(&self) -> Bootstraps {
        Bootstraps::Given(self.directory.path().to_owned())
    }

    /// The project's template with this bug in it. It is gone when this is dropped.
    ///
    /// # Errors
    /// It cannot be written, or the project's template gives its functions no environment.
    pub fn template(&self, mutant: Mutant) -> Result<PathBuf> {
        let directory = self.directory.path().join(format!("template of {}", mutant.name));
        std::fs::create_dir_all(&directory)?;
        let build = format!("{ENVIRONMENT}        {VARIABLE}: {}\n", mutant.name);
        altered_template(&directory, &[(ENVIRONMENT, &build)])
    }
}

/// Without `-p`, as the functions are built: what is not ours is then compiled once for both.
async fn cargo_build() -> Result<PathBuf> {
    let template = template();
    let mut cargo = wigwag_local::build::cargo();
    cargo
        .args(["build", "--bin", "planted", "--features", "wigwag-mutants/plant"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(template.parent().context("a template has a directory")?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit()); // its progress, and what it finds wrong
    let output = Command::from(cargo)
        .kill_on_drop(true)
        .spawn()
        .context("run cargo")?
        .wait_with_output()
        .await?;
    ensure!(output.status.success(), "cargo could not build the planted functions");
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let mut messages = messages.filter_map(|connection| serde_json::from_slice::<Value>(connection).ok());
    let binary = messages.find_map(|message| {
        let is_it = message["target"]["name"] == "planted";
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    });
    binary.context("cargo names no binary")
}
