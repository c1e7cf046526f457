//! The `wigwag` command: register, log in, chat.
//!
//! [`Cli`] says what can be asked for, `commands` has one file per command. A [profile](profile) keeps who this device is and how
//! far it has read; every command but `profiles`, `redrive` and `smoke` locks one. Data goes to standard output (one JSON object per line with
//! `--json`), notes to standard error.
//!
//! Order of writing: a message is stored in the profile before it is sent, and the cursor moves only after what it
//! passes was printed. So a process that is killed neither loses nor doubles a message.

mod account;
#[expect(clippy::doc_markdown, reason = "doc comments there are help texts, not Markdown")]
mod args;
mod commands;
mod exit;
mod hint;
mod link;
mod output;
mod peer;
mod profile;
mod prompt;
mod shown;
mod signals;

pub use args::Cli;

use args::{BlockCommand, Command, FriendCommand};
use exit::Failure;
use output::Printer;
use profile::Profiles;

/// What every command works with.
struct Context {
    args: args::Global,
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
        args: cli.global,
        profiles,
        printer,
    };
    match command(&mut context, cli.command).await {
        Ok(()) => exit::OK,
        Err(failure) => context.printer.failure(&failure),
    }
}

async fn command(context: &mut Context, command: Command) -> Result<(), Failure> {
    match command {
        // These two end well when they are interrupted; that is how one leaves them.
        Command::Chat(args) => commands::chat::run(context, args).await,
        Command::Tail(args) => commands::tail::run(context, args).await,
        other => tokio::select! {
            result = short_command(context, other) => result,
            () = signals::interrupted() => Err(Failure::Interrupted),
        },
    }
}

async fn short_command(context: &mut Context, command: Command) -> Result<(), Failure> {
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
        Command::Friend(FriendCommand::Add(who)) => commands::friend::add(context, who).await,
        Command::Friend(FriendCommand::Remove(who)) => commands::friend::remove(context, who).await,
        Command::Friend(FriendCommand::List) => commands::friend::list(context).await,
        Command::Block(BlockCommand::Add(who)) => commands::block::set(context, who, true).await,
        Command::Block(BlockCommand::Remove(who)) => commands::block::set(context, who, false).await,
        Command::Redrive(args) => commands::redrive::run(context, args).await,
        Command::Smoke => commands::smoke::run(context).await,
        Command::Profiles => commands::profiles::run(context),
        Command::Chat(_) | Command::Tail(_) => unreachable!("handled by the caller"),
    }
}
