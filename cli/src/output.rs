//! Data on standard output, notes on standard error.

use crate::command_error::CommandError;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io::{self, IsTerminal as _, Write as _};
use wigwag_client::{Message, MessageType, Url};

/// Prints for people, or with `--json` one object per line for programs. Everything is flushed at
/// once, because the caller may then forget what was printed.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    /// Whether a half-typed line may be on the line of the next output.
    shares_terminal: bool,
    /// The text of the message on the terminal's last line, if it still waits for its ✓.
    unmarked: Option<String>,
}

/// Longest text that is marked in place. A longer one may have wrapped.
const MARK_IN_PLACE_CHARS: usize = 60;

/// Returns to the start of the line and erases it.
const ERASE_LINE: &str = "\r\x1b[2K";

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            shares_terminal: !json && io::stdin().is_terminal() && io::stdout().is_terminal(),
            unmarked: None,
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a line, or an object with `event` as its first field.
    pub(crate) fn print(&mut self, event: &str, data: &impl Serialize, line: &str) -> Result<(), CommandError> {
        let text = if self.json {
            object(event, data)
        } else {
            line.to_owned()
        };
        self.write_line(&text)
    }

    /// Prints a note, which is not data. With `--json` it is an object too.
    pub(crate) fn note(&mut self, event: &str, data: &impl Serialize, line: &str) -> Result<(), CommandError> {
        if self.json {
            return self.write_line(&object(event, data));
        }
        self.unmarked = None;
        let erase = if self.shares_terminal { ERASE_LINE } else { "" };
        eprintln!("{erase}{line}");
        Ok(())
    }

    /// Shows a typed line as a message that is being sent.
    pub(crate) fn typed(&mut self, text: &str) -> Result<(), CommandError> {
        if !self.shares_terminal {
            return Ok(());
        }
        let line = format!("\x1b[1A{ERASE_LINE}you: {} ·", printable(text));
        self.unmarked = None;
        self.write_line(&line)?;
        if text.chars().count() <= MARK_IN_PLACE_CHARS {
            self.unmarked = Some(text.to_owned());
        }
        Ok(())
    }

    /// Marks a message as durable, or as relayed if `receipt` says so.
    pub(crate) fn sent(&mut self, text: &str, receipt: &impl Serialize) -> Result<(), CommandError> {
        let line = format!("you: {} ✓", printable(text));
        if self.unmarked.as_deref() == Some(text) {
            self.unmarked = None;
            // Save the cursor, rewrite the line above, restore the cursor: a half-typed line stays.
            return write(&format!("\x1b7\x1b[1A{ERASE_LINE}{line}\x1b8"));
        }
        let mut data = json!({ "text": text });
        merge(&mut data, receipt);
        self.print("sent", &data, &line)
    }

    /// Prints a message. `line` is the form for people.
    pub(crate) fn message(&mut self, message: &Message, from: &str, own: bool, line: &str) -> Result<(), CommandError> {
        let mut data = json!({ "from": from, "own": own });
        merge(&mut data, message);
        self.print("message", &data, line)
    }

    /// Prints why the command failed, and returns the exit code.
    pub(crate) fn failure(&mut self, failure: &CommandError) -> i32 {
        let exit = failure.exit_code();
        if matches!(failure, CommandError::OutputClosed) {
            return exit;
        }
        if self.json {
            let code = match failure {
                CommandError::Refused { code, .. } => code.map(wigwag_client::Code::name),
                _ => None,
            };
            let data = json!({ "message": failure.to_string(), "code": code, "exit": exit });
            // If standard output is closed, nobody can be told.
            let _ = self.write_line(&object("error", &data));
        }
        let erase = if self.shares_terminal { ERASE_LINE } else { "" };
        eprintln!("{erase}wigwag: {failure}");
        exit
    }

    fn write_line(&mut self, line: &str) -> Result<(), CommandError> {
        self.unmarked = None;
        let erase = if self.shares_terminal && !line.starts_with('\x1b') {
            ERASE_LINE
        } else {
            ""
        };
        write(&format!("{erase}{line}\n"))
    }
}

/// Writes to standard output at once.
fn write(text: &str) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(CommandError::printing)
}

/// One line of JSON: `event` first, then the fields of `data`.
fn object(event: &str, data: &impl Serialize) -> String {
    let mut object = json!({ "event": event });
    merge(&mut object, data);
    object.to_string()
}

/// Adds the fields of `data`, which is a struct or an object.
pub(crate) fn merge(object: &mut Value, data: &impl Serialize) {
    let fields = match serde_json::to_value(data) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    if let Value::Object(object) = object {
        object.extend(fields);
    }
}

/// The content of a message, for people.
pub(crate) fn content(message: &Message) -> String {
    let kind = match message.message_type() {
        MessageType::Picture => "picture",
        MessageType::Voice => "voice",
        MessageType::GroupChange => "group change",
        MessageType::Text | MessageType::Unspecified => {
            return printable(&String::from_utf8_lossy(&message.content));
        }
    };
    format!("[{kind}, {} bytes]", message.content.len())
}

/// Escapes control characters, so that a message cannot change the terminal. Further lines are
/// indented.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => "\n    ".to_owned(),
            '\t' => c.to_string(),
            c if c.is_control() => c.escape_default().to_string(),
            c => c.to_string(),
        })
        .collect()
}

/// A URL without the trailing slash that parsing adds.
pub(crate) fn plain(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_control_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r"), "a\\u{1b}[2Jb\\r");
        assert_eq!(printable("two\nlines"), "two\n    lines");
    }

    #[test]
    fn an_object_starts_with_its_event_and_includes_the_message() {
        let message = Message {
            content: b"hi \"bob\"\n".to_vec(),
            seq: 3,
            ..Message::default()
        };
        let line = object("message", &message);
        assert!(line.starts_with(r#"{"event":"message","#), "{line}");
        assert!(!line.contains('\n'));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["content"], &value["seq"]), (&json!("hi \"bob\"\n"), &json!(3)));
    }

    #[test]
    fn content_that_is_not_text_is_described() {
        let picture = Message {
            message_type: MessageType::Picture.into(),
            content: vec![0xff; 3],
            ..Message::default()
        };
        assert_eq!(content(&picture), "[picture, 3 bytes]");
    }
}
