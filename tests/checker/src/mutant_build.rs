//! Builds the mutants: the mutated copy of the workspace, and in it one binary that can be every
//! function (`tests/mutants`). A stack's functions are the mutant that their environment names, by a
//! line that is added to the template.

use crate::mutants::Mutant;
use crate::overlay;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::Mutex;
use wigwag_cluster::{altered_template, template};
use wigwag_local::build::Bootstraps;

/// The environment variable that names the mutant.
pub const VARIABLE: &str = "WIGWAG_MUTANT";

/// The names of the functions' binaries.
const FUNCTIONS: [&str; 6] = ["api", "authorizer", "connect", "default", "disconnect", "fanout"];

/// The last line of the template for the environment of all functions.
const ENVIRONMENT: &str = "        RUST_LOG: !Ref LogLevel\n";

/// The mutant build, laid out for stacks. A stack needs it until it has started.
#[derive(Debug)]
pub struct MutantBuild {
    /// The binary that can be every function.
    pub binary: PathBuf,
    directory: TempDir,
}

impl MutantBuild {
    /// Compiles it. That takes no time if it is up to date.
    ///
    /// # Errors
    /// Cargo fails. It has printed why on standard error.
    pub async fn build() -> Result<Self> {
        let binary = cargo_build().await?;
        let directory = tempfile::tempdir()?;
        for function in FUNCTIONS {
            let folder = directory.path().join(function);
            std::fs::create_dir(&folder)?;
            symlink(&binary, folder.join("bootstrap")).context("lay the mutant functions out")?;
        }
        Ok(Self { binary, directory })
    }

    /// The bootstraps for a stack.
    pub fn bootstraps(&self) -> Bootstraps {
        Bootstraps::Given(self.directory.path().to_owned())
    }

    /// The project's template with this mutant switched on. The file goes when this is dropped.
    ///
    /// # Errors
    /// It cannot be written, or the template gives its functions no environment.
    pub fn template(&self, mutant: Mutant) -> Result<PathBuf> {
        let directory = self.directory.path().join(format!("template of {}", mutant.name));
        std::fs::create_dir_all(&directory)?;
        let environment = format!("{ENVIRONMENT}        {VARIABLE}: {}\n", mutant.name);
        altered_template(&directory, &[(ENVIRONMENT, &environment)])
    }
}

/// Writes the copy and builds it in the target folder of the workspace. Without `-p`, like the
/// functions, so that dependencies are compiled once for both.
async fn cargo_build() -> Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    let _alone = ONE_AT_A_TIME.lock().await;
    let template = template();
    let workspace = template.parent().context("a template has a folder")?.canonicalize()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let copy = target.join("mutants");
    overlay::write(&workspace, &copy)?;
    let mut cargo = wigwag_local::build::cargo();
    cargo
        .args(["build", "--bin", "mutants", "--message-format=json-render-diagnostics"])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(&copy)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit()); // progress and errors
    let output = Command::from(cargo)
        .kill_on_drop(true)
        .spawn()
        .context("run cargo")?
        .wait_with_output()
        .await?;
    ensure!(output.status.success(), "cargo could not build the mutants");
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let mut messages = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let binary = messages.find_map(|message| {
        let is_it = message["target"]["name"] == "mutants";
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    });
    binary.context("cargo did not name the binary")
}
