//! Lines of standard input, read by a separate thread, because a read cannot be cancelled.

use std::io::{self, BufRead as _};
use tokio::sync::mpsc;

/// An item of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A line without its line break.
    Line(String),
    /// The input cannot be read any further.
    Broken(String),
}

/// Starts reading. The channel closes at the end of the input.
pub(super) fn read() -> mpsc::Receiver<Input> {
    let (give, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().split(b'\n') {
            let input = match line {
                Ok(bytes) => Input::Line(text(&bytes)),
                Err(error) => Input::Broken(error.to_string()),
            };
            let is_end = matches!(input, Input::Broken(_));
            if give.blocking_send(input).is_err() || is_end {
                break;
            }
        }
    });
    lines
}

/// Decodes a line. Invalid UTF-8 is replaced instead of ending the chat.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.strip_suffix('\r').unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_break_is_removed() {
        assert_eq!(text(b" hi \r"), " hi ");
        assert_eq!(text("你好".as_bytes()), "你好");
        assert_eq!(text(b"a\xffb"), "a\u{fffd}b");
    }
}
