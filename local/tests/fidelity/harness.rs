//! What the tests share: the probe binary, functions that run it, and waiting without sleeping.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use wigwag_local::faults::Injector;
use wigwag_local::lambda::{FunctionStartError, Lambda, LambdaConfig, Output, OutputLine, Tuning};
use wigwag_local::meter::Meter;
use wigwag_local::template::model::Function;

/// How long a test waits for anything. It is generous: the machine may be busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The probe binary, built once.
pub(crate) fn probe() -> PathBuf {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    PROBE.get_or_init(build_probe).clone()
}

fn build_probe() -> PathBuf {
    let built = wigwag_local::build::cargo()
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")) // all of the workspace, with its features
        .args(["build", "--bin", "probe", "--message-format=json"])
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8(built.stdout).expect("cargo writes UTF-8");
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "probe")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("cargo names the executable")
}

/// A function of the probe. No test reaches its timeout by accident.
pub(crate) fn function(id: &str) -> Function {
    Function {
        logical_id: id.to_owned(),
        name: format!("stack-{id}"),
        code_uri: PathBuf::from("."),
        binary: "probe".to_owned(),
        memory_mb: 256,
        timeout_s: 60,
        reserved_concurrency: None,
        environment: BTreeMap::new(),
        logs_json: false,
    }
}

/// Running functions, and the lines that they print.
pub(crate) struct Functions {
    pub(crate) lambda: Lambda,
    pub(crate) lines: mpsc::UnboundedReceiver<OutputLine>,
}

impl Functions {
    pub(crate) fn start(functions: impl IntoIterator<Item = Function>) -> Self {
        Self::try_start(functions, BTreeMap::new(), Tuning::default()).expect("the functions start")
    }

    pub(crate) fn tuned(functions: impl IntoIterator<Item = Function>, tuning: Tuning) -> Self {
        Self::try_start(functions, BTreeMap::new(), tuning).expect("the functions start")
    }

    pub(crate) fn try_start(
        functions: impl IntoIterator<Item = Function>,
        environment: BTreeMap<String, BTreeMap<String, String>>,
        mut tuning: Tuning,
    ) -> Result<Self, FunctionStartError> {
        let functions: BTreeMap<_, _> = functions.into_iter().map(|one| (one.logical_id.clone(), one)).collect();
        let bootstraps = functions.keys().map(|id| (id.clone(), probe())).collect();
        let (sender, lines) = mpsc::unbounded_channel();
        tuning.output = Output::Channel(sender);
        let config = LambdaConfig {
            functions,
            bootstraps,
            environment,
            meter: Meter::default(),
            faults: Injector::default(),
        };
        Ok(Self {
            lambda: Lambda::start_with(config, &tuning)?,
            lines,
        })
    }

    /// The next event that the function printed.
    pub(crate) async fn event(&mut self, function: &str) -> Value {
        loop {
            let line = within(self.lines.recv()).await.expect("the functions still run");
            if let Some(event) = line.text.strip_prefix("event ").filter(|_| line.function == function) {
                return serde_json::from_str(event).expect("the probe prints JSON");
            }
        }
    }

    /// Waits until the function prints this line.
    pub(crate) async fn line(&mut self, function: &str, text: &str) {
        loop {
            let line = within(self.lines.recv()).await.expect("the functions still run");
            if line.function == function && line.text == text {
                return;
            }
        }
    }
}

/// The output of the future. Fails the test if it takes too long.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("this takes too long")
}

/// Waits until the condition is true.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let checking = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(DEADLINE, checking).await.is_ok(),
        "timed out before: {what}"
    );
}

/// Whether a process with this id exists and is not a zombie.
pub(crate) fn is_running(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().next())
        .is_some_and(|state| state != "Z")
}
