//! The lines that the functions of a cluster log.

use anyhow::{Context as _, Result};
use std::time::Duration;
use tokio::sync::mpsc;
use wigwag_local::lambda::{Output, OutputLine};

/// How long a test waits for a line before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Collects the lines of all functions of a cluster.
#[derive(Debug)]
pub struct FunctionLog {
    lines: mpsc::UnboundedReceiver<OutputLine>,
    seen: Vec<OutputLine>,
}

impl FunctionLog {
    /// A log, and the output that the cluster must be started with.
    pub fn new() -> (Output, Self) {
        let (sender, lines) = mpsc::unbounded_channel();
        let seen = Vec::new();
        (Output::Channel(sender), Self { lines, seen })
    }

    /// Waits until a function has logged a line that contains `words`; returns that line.
    pub async fn says(&mut self, function: &str, words: &str) -> Result<String> {
        let is_it = |line: &OutputLine| line.function == function && line.text.contains(words);
        if let Some(line) = self.seen.iter().find(|line| is_it(line)) {
            return Ok(line.text.clone());
        }
        loop {
            let next = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
            let line = next
                .with_context(|| format!("no line of {function} contains {words:?}"))?
                .context("no more lines")?;
            let found = is_it(&line).then(|| line.text.clone());
            self.seen.push(line);
            if let Some(text) = found {
                return Ok(text);
            }
        }
    }

    /// All lines until the stack stopped, each as `function text`.
    pub async fn all(mut self) -> Vec<String> {
        while let Some(line) = self.lines.recv().await {
            self.seen.push(line);
        }
        let lines = self.seen.into_iter();
        lines.map(|line| format!("{} {}", line.function, line.text)).collect()
    }
}
