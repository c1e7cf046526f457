//! The `wigwag` command: register, log in, chat.
//!
//! [`Cli`] is the command line. `commands` has one file per command, with its arguments and help. A
//! profile stores the device's identity and its read positions; every command except
//! `profiles`, `redrive` and `smoke` uses one. Data goes to standard output (one JSON object per
//! line with `--json`), notes go to standard error.
//!
//! A message is stored in the profile before it is sent. The cursor moves only after the messages
//! before it were printed. So a process that is killed neither loses a message nor sends one twice.

mod account;
mod cli;
mod command_error;
mod command_hint;
#[expect(clippy::doc_markdown, reason = "doc comments there are help texts, not Markdown")]
mod commands;
mod connection;
#[expect(clippy::doc_markdown, reason = "doc comments there are help texts, not Markdown")]
mod global;
mod names;
mod output;
mod password;
mod profile;
mod rendering;
mod signals;
mod users;

pub use cli::Cli;

use cli::Command;
use command_error::CommandError;
use global::GlobalOptions;
use output::Printer;
use profile::Profiles;

/// What every command works with.
struct Context {
    global: GlobalOptions,
    profiles: Profiles,
    printer: Printer,
}

/// Runs a command and returns the exit code.
pub async fn run(cli: Cli) -> i32 {
    let mut printer = Printer::new(cli.global.json);
    let profiles = match Profiles::open(cli.global.profile_dir.clone()) {
        Ok(profiles) => profiles,
        Err(failure) => return printer.failure(&failure),
    };
    let mut context = Context {
        global: cli.global,
        profiles,
        printer,
    };
    match command(&mut context, cli.command).await {
        Ok(()) => command_error::EXIT_OK,
        Err(failure) => context.printer.failure(&failure),
    }
}

async fn command(context: &mut Context, command: Command) -> Result<(), CommandError> {
    match command {
        // These two end well when they are interrupted; that is how one leaves them.
        Command::Chat(args) => commands::chat::run(context, args).await,
        Command::Tail(args) => commands::tail::run(context, args).await,
        other => tokio::select! {
            result = short_command(context, other) => result,
            () = signals::interrupted() => Err(CommandError::Interrupted),
        },
    }
}

async fn short_command(context: &mut Context, command: Command) -> Result<(), CommandError> {
    match command {
        Command::Register(args) => commands::register::run(context, args).await,
        Command::Login(args) => commands::login::run(context, args).await,
        Command::Send(args) => commands::send::run(context, args).await,
        Command::Sync(args) => commands::sync::run(context, args).await,
        Command::Me => commands::me::run(context).await,
        Command::Token => commands::token::run(context).await,
        Command::History(args) => commands::history::run(context, args).await,
        Command::Group(command) => commands::group::run(context, command).await,
        Command::Room(command) => commands::room::run(context, command).await,
        Command::Signal(args) => commands::signal::run(context, args).await,
        Command::Friend(command) => commands::friend::run(context, command).await,
        Command::Block(command) => commands::block::run(context, command).await,
        Command::Redrive(args) => commands::redrive::run(context, args).await,
        Command::Smoke => commands::smoke::run(context).await,
        Command::Profiles => commands::profiles::run(context),
        Command::Chat(_) | Command::Tail(_) => unreachable!("handled by the caller"),
    }
}
