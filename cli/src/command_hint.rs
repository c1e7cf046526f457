//! Command lines to suggest to the user, with the same server and profiles as this one.

use crate::global::{FrameEncoding, GlobalOptions};
use std::env;

/// A command line to paste. `rest` starts with the command.
pub(crate) fn command(global: &GlobalOptions, rest: &str) -> String {
    command_line(&program(), global, rest)
}

/// How this program was started.
fn program() -> String {
    // Cargo sets this for a program that it runs.
    if env::var_os("CARGO_PKG_NAME").is_some_and(|package| package == env!("CARGO_PKG_NAME")) {
        return "cargo run -p wigwag --".to_owned();
    }
    env::args()
        .next()
        .map_or_else(|| "wigwag".to_owned(), |program| quoted(&program))
}

fn command_line(program: &str, global: &GlobalOptions, rest: &str) -> String {
    let url = global
        .url
        .as_ref()
        .map(|url| format!(" --url {}", quoted(url.as_str())));
    let ws_url = global
        .ws_url
        .as_ref()
        .map(|url| format!(" --ws-url {}", quoted(url.as_str())));
    let profiles = global.profile_dir.as_ref();
    let profiles = profiles.map(|path| format!(" --profile-dir {}", quoted(&path.to_string_lossy())));
    let frames = (global.frames == FrameEncoding::Json).then(|| " --frames json".to_owned());
    let flags: String = [url, ws_url, profiles, frames].into_iter().flatten().collect();
    format!("{program}{flags} {rest}")
}

/// Quotes a word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,~".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_repeats_the_given_options() {
        let mut global = GlobalOptions {
            url: None,
            ws_url: None,
            json: true,
            frames: FrameEncoding::Protobuf,
            profile_dir: None,
            profile: "alice".to_owned(),
        };
        assert_eq!(command_line("wigwag", &global, "me"), "wigwag me");
        global.url = Some("http://127.0.0.1:4810/".parse().unwrap());
        global.ws_url = Some("ws://127.0.0.1:4811/prod".parse().unwrap());
        global.profile_dir = Some("/home/al ice's".into());
        global.frames = FrameEncoding::Json;
        assert_eq!(
            command_line("wigwag", &global, "chat --as bob --with alice"),
            r"wigwag --url http://127.0.0.1:4810/ --ws-url ws://127.0.0.1:4811/prod --profile-dir '/home/al ice'\''s' --frames json chat --as bob --with alice"
        );
    }
}
