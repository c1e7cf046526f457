//! Compiles the functions with cargo, or finds binaries that another tool compiled.
//!
//! Runs one `cargo build` per directory, with all binaries of that directory. It does not pass
//! `-p`, so that features are unified over the workspace and nothing is compiled twice. Cargo knows
//! what is up to date and lets one build at a time into a target directory, so any number of
//! processes may call this as often as they like.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use tokio::process::Command;

use crate::template::model::Function;

/// The source of the `bootstrap` binaries.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bootstraps {
    /// `cargo build`, for this machine.
    Build {
        /// With `--release`.
        release: bool,
    },
    /// `DIR/<logical id>/bootstrap`, as `sam build` makes them, or `DIR/<binary>/bootstrap`, as
    /// `cargo lambda build` does.
    Given(PathBuf),
}

impl Default for Bootstraps {
    fn default() -> Self {
        Self::Build { release: false }
    }
}

/// Why there is no binary.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// `CodeUri` is not a directory.
    #[error("{function}: CodeUri {} is not a directory", directory.display())]
    NoDirectory {
        /// Logical id.
        function: String,
        /// `CodeUri`, from the template's directory.
        directory: PathBuf,
    },
    /// There is no cargo.
    #[error("cannot run {}; it is needed to build the functions", cargo.display())]
    NoCargo {
        /// The command.
        cargo: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Cargo failed. It has printed the reason to standard error.
    #[error("cargo could not build {} in {} ({status}); see its output above", binaries.join(", "), directory.display())]
    Failed {
        /// Names of the binaries.
        binaries: Vec<String>,
        /// The directory in which it ran.
        directory: PathBuf,
        /// How it exited.
        status: ExitStatus,
    },
    /// An expected binary is missing.
    #[error("{function}: there is no binary {binary} in {}", directory.display())]
    NoBinary {
        /// Logical id.
        function: String,
        /// The binary, or the paths that were tried.
        binary: String,
        /// The directory in which it was expected.
        directory: PathBuf,
    },
}

/// The `bootstrap` of each function, by logical id.
pub async fn bootstraps(
    functions: &BTreeMap<String, Function>,
    source: &Bootstraps,
) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    match source {
        Bootstraps::Build { release } => build(functions, *release).await,
        Bootstraps::Given(directory) => functions
            .values()
            .map(|function| Ok((function.logical_id.clone(), find(directory, function)?)))
            .collect(),
    }
}

fn find(directory: &Path, function: &Function) -> Result<PathBuf, BuildError> {
    let candidates = [&function.logical_id, &function.binary].map(|name| directory.join(name).join("bootstrap"));
    let found = candidates.into_iter().find(|path| path.is_file());
    let found = found.and_then(|path| path.canonicalize().ok());
    found.ok_or_else(|| {
        no_binary(
            function,
            format!("{0}/bootstrap or {1}/bootstrap", function.logical_id, function.binary),
            directory,
        )
    })
}

async fn build(functions: &BTreeMap<String, Function>, release: bool) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    let mut directories: BTreeMap<PathBuf, Vec<&Function>> = BTreeMap::new();
    for function in functions.values() {
        let directory = function.code_uri.canonicalize().ok().filter(|path| path.is_dir());
        let directory = directory.ok_or_else(|| BuildError::NoDirectory {
            function: function.logical_id.clone(),
            directory: function.code_uri.clone(),
        })?;
        directories.entry(directory).or_default().push(function);
    }
    let mut bootstraps = BTreeMap::new();
    for (directory, functions) in directories {
        let binaries: BTreeSet<&str> = functions.iter().map(|function| function.binary.as_str()).collect();
        let built = cargo_build(&directory, &binaries, release).await?;
        for function in functions {
            let path = built.get(&function.binary);
            let path = path.ok_or_else(|| no_binary(function, function.binary.clone(), &directory))?;
            bootstraps.insert(function.logical_id.clone(), path.clone());
        }
    }
    Ok(bootstraps)
}

/// A cargo command that behaves as in a shell.
///
/// `cargo run` and `cargo test` set variables about their package. They are removed here: build
/// scripts of dependencies run again when these change, so builds from here and from a shell would
/// undo each other.
pub fn cargo() -> std::process::Command {
    let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.to_str().is_some_and(is_about_a_package)) {
        cargo.env_remove(name);
    }
    cargo
}

fn is_about_a_package(variable: &str) -> bool {
    let names = ["CARGO_CRATE_NAME", "CARGO_BIN_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    let families = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_EXE_"];
    names.contains(&variable) || families.iter().any(|family| variable.starts_with(family))
}

/// Builds these binaries and returns their paths.
async fn cargo_build(
    directory: &Path,
    binaries: &BTreeSet<&str>,
    release: bool,
) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    let mut cargo = cargo();
    let program = PathBuf::from(cargo.get_program());
    let no_cargo = |source| BuildError::NoCargo {
        cargo: program.clone(),
        source,
    };
    cargo
        .arg("build")
        .arg("--message-format=json-render-diagnostics")
        .args(release.then_some("--release"))
        .args(binaries.iter().flat_map(|binary| ["--bin", binary]))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit()); // its progress, and what it finds wrong
    let child = Command::from(cargo).kill_on_drop(true).spawn().map_err(no_cargo)?;
    let output = child.wait_with_output().await.map_err(no_cargo)?;
    if !output.status.success() {
        return Err(BuildError::Failed {
            binaries: binaries.iter().map(|binary| (*binary).to_owned()).collect(),
            directory: directory.to_owned(),
            status: output.status,
        });
    }
    Ok(executables(&output.stdout))
}

/// The binaries in cargo's messages, by name.
fn executables(messages: &[u8]) -> BTreeMap<String, PathBuf> {
    let messages = messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    messages
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, PathBuf::from(message["executable"].as_str()?)))
        })
        .collect()
}

fn no_binary(function: &Function, binary: String, directory: &Path) -> BuildError {
    BuildError::NoBinary {
        function: function.logical_id.clone(),
        binary,
        directory: directory.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn function(code_uri: &Path, binary: &str) -> BTreeMap<String, Function> {
        let function = Function {
            logical_id: "Work".to_owned(),
            name: "local-Work".to_owned(),
            code_uri: code_uri.to_owned(),
            binary: binary.to_owned(),
            memory_mb: 128,
            timeout_s: 3,
            reserved_concurrency: None,
            environment: BTreeMap::new(),
            logs_json: false,
        };
        BTreeMap::from([("Work".to_owned(), function)])
    }

    /// Each test needs a package name of its own. With `CARGO_TARGET_DIR` set, cargo takes two
    /// packages of one name for one.
    fn package(name: &str, main: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
        fs::write(directory.path().join("Cargo.toml"), manifest).unwrap();
        fs::create_dir(directory.path().join("src")).unwrap();
        fs::write(directory.path().join("src/main.rs"), main).unwrap();
        directory
    }

    #[tokio::test]
    async fn a_binary_is_built_and_found() {
        let package = package("worker", "fn main() {}");
        let built = bootstraps(&function(package.path(), "worker"), &Bootstraps::default())
            .await
            .unwrap();
        assert!(built["Work"].is_file());
    }

    #[tokio::test]
    async fn code_that_does_not_compile_is_an_error() {
        let package = package("broken", "fn main() { nonsense }");
        let error = bootstraps(&function(package.path(), "broken"), &Bootstraps::default())
            .await
            .unwrap_err();
        assert!(
            error.to_string().starts_with("cargo could not build broken in "),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_code_uri_that_is_not_a_directory_is_an_error() {
        let error = bootstraps(&function(Path::new("/nowhere"), "worker"), &Bootstraps::default())
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "Work: CodeUri /nowhere is not a directory");
    }

    #[tokio::test]
    async fn given_binaries_are_found_by_logical_id_or_by_name() {
        let given = tempfile::tempdir().unwrap();
        let source = Bootstraps::Given(given.path().to_owned());
        let error = bootstraps(&function(given.path(), "worker"), &source)
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("Work: there is no binary Work/bootstrap or worker/bootstrap in "),
            "{error}"
        );
        for name in ["worker", "Work"] {
            fs::create_dir(given.path().join(name)).unwrap();
            fs::write(given.path().join(name).join("bootstrap"), "").unwrap();
            let found = bootstraps(&function(given.path(), "worker"), &source).await.unwrap();
            assert!(found["Work"].ends_with(Path::new(name).join("bootstrap")));
        }
    }

    /// Cargo sets some of these variables for this test itself.
    #[test]
    fn cargo_gets_no_variables_of_the_package_that_calls_it() {
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let cargo = cargo();
        let removed = |name: &str| cargo.get_envs().any(|(key, value)| key == name && value.is_none());
        for name in [
            "CARGO_MANIFEST_DIR",
            "CARGO_MANIFEST_PATH",
            "CARGO_PKG_NAME",
            "CARGO_PKG_VERSION",
        ] {
            assert!(removed(name), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_BUILD_JOBS", "PATH"] {
            assert!(!removed(name), "{name}");
        }
    }

    #[test]
    fn only_binaries_are_taken_from_the_messages() {
        let messages = br#"{"reason":"compiler-artifact","target":{"name":"lib"},"executable":null}
not json
{"reason":"compiler-artifact","target":{"name":"worker"},"executable":"/target/debug/worker"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(
            executables(messages),
            BTreeMap::from([("worker".to_owned(), PathBuf::from("/target/debug/worker"))])
        );
    }
}
