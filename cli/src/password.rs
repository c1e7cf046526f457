//! Passwords: options and prompt.

use crate::command_error::CommandError;
use anyhow::Context as _;
use clap::Args;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

/// The options of commands that need a password.
#[derive(Debug, Args)]
pub(crate) struct PasswordArgs {
    /// The password [default: ask for it]; other users of this machine can see the command line
    #[arg(long, env = "WIGWAG_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// Keep the password in the profile, so that the login can be renewed without asking
    #[arg(long)]
    pub(crate) save_password: bool,
}

impl PasswordArgs {
    /// Returns the given password, or asks for one.
    pub(crate) fn get(&self) -> Result<String, CommandError> {
        match &self.password {
            Some(password) => Ok(password.clone()),
            None => ask(),
        }
    }
}

fn ask() -> Result<String, CommandError> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(CommandError::usage(
            "no password: set WIGWAG_PASSWORD, or run this in a terminal",
        ));
    }
    eprint!("Password: ");
    io::stderr().flush().context("cannot write to the terminal")?;
    let mut line = String::new();
    let read = without_echo(&stdin, || stdin.lock().read_line(&mut line));
    eprintln!();
    read.context("cannot read the password")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Runs `read` with the terminal's echo turned off.
#[cfg(unix)]
fn without_echo<T>(stdin: &io::Stdin, read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
    let before = tcgetattr(stdin)?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(stdin, SetArg::TCSAFLUSH, &silent)?;
    let outcome = read();
    tcsetattr(stdin, SetArg::TCSAFLUSH, &before)?;
    outcome
}

#[cfg(not(unix))]
fn without_echo<T>(_: &io::Stdin, read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    eprint!("(the password will be visible) ");
    read()
}
