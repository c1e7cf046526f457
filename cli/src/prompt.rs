//! Asking for a password at the terminal.

use crate::args::Password;
use crate::exit::Failure;
use anyhow::Context as _;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

impl Password {
    /// The password that was given, or else is asked for.
    pub(crate) fn get(&self) -> Result<String, Failure> {
        match &self.password {
            Some(password) => Ok(password.clone()),
            None => ask(),
        }
    }
}

fn ask() -> Result<String, Failure> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage(
            "no password: give it by WIGWAG_PASSWORD, or run this at a terminal",
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

/// Runs `read` while the terminal does not show what is typed.
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
    eprint!("(it will show) ");
    read()
}
