//! The output of functions: forwarded line by line. The last lines are kept for error messages.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Most lines that an error message shows.
const KEPT_LINES: usize = 20;

/// One line that a function printed to its standard output or error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLine {
    /// Logical id of the function.
    pub function: String,
    /// The text, without its line end.
    pub text: String,
}

/// The destination of the lines.
#[derive(Debug, Clone)]
pub enum Output {
    /// To this process's standard error, as `[LogicalId] text`.
    Stderr,
    /// To the receiver of the channel.
    Channel(mpsc::UnboundedSender<OutputLine>),
}

impl Output {
    fn write(&self, line: OutputLine) {
        match self {
            // A closed standard error or a dropped receiver must not stop a function.
            Self::Stderr => drop(writeln!(std::io::stderr().lock(), "[{}] {}", line.function, line.text)),
            Self::Channel(lines) => drop(lines.send(line)),
        }
    }
}

/// The last lines of one process.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    /// The lines, oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    fn push(&self, text: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(text);
    }
}

/// Forwards the lines of `stream` until it ends. Nothing is forwarded once the pools stop: every
/// process then reports that it has lost its Runtime API, which is expected.
pub(super) async fn forward(
    stream: impl AsyncRead + Unpin,
    function: String,
    output: Output,
    tail: Tail,
    stop: CancellationToken,
) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\r', '\n'])
            .to_owned();
        bytes.clear();
        tail.push(text.clone());
        if !stop.is_cancelled() {
            output.write(OutputLine {
                function: function.clone(),
                text,
            });
        }
    }
}

/// The lines in the form that ends an error message.
pub(super) fn indented(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + "\n    " + line)
}
