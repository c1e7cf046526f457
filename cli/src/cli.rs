//! The command line: the global options and one variant per command.
//!
//! The arguments of a command are in its own file under `commands`.

use crate::commands::{
    block, chat, friend, group, history, login, redrive, register, room, send, signal, smoke, sync, tail, token,
};
use crate::global::GlobalOptions;
use clap::{Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0    success; for chat and tail also after Ctrl-C
  1    the command failed
  2    the command line is wrong
  3    the server refused
  4    the server could not be reached or did not answer in time
  130  interrupted

Examples:
  wigwag chat --as alice --with bob        in one terminal, and in another
  wigwag chat --as bob --with alice
  wigwag send --as alice --to bob 'see you'
  wigwag tail --as bob --json | jq .content
  wigwag group create --as alice 'book club' bob carol
  wigwag chat --as bob --group 1234567890";

/// Serverless instant messaging from the command line
#[derive(Debug, Parser)]
#[command(name = "wigwag", version, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Chat with a user, in a group or in a room; creates an account if the profile has none
    Chat(chat::ChatArgs),
    /// Create an account and log in
    Register(register::RegisterArgs),
    /// Log in to an account
    Login(login::LoginArgs),
    /// Send one message and wait until it is stored durably
    Send(send::SendArgs),
    /// Print messages as they arrive, starting after the last one printed
    Tail(tail::TailArgs),
    /// Print the messages that arrived since the last time, then stop
    Sync(sync::SyncArgs),
    /// Show the profile's account as the server has it
    Me,
    /// Print an access token of the profile, for use with other clients
    #[command(after_help = token::HELP)]
    Token,
    /// Print the conversation with a user or in a group
    History(history::HistoryArgs),
    /// Create and manage groups
    #[command(subcommand)]
    Group(group::GroupCommand),
    /// Look into rooms
    #[command(subcommand)]
    Room(room::RoomCommand),
    /// Send a signal, which reaches only devices that are online now and is not stored
    Signal(signal::SignalArgs),
    /// Add, remove and list friends
    #[command(subcommand)]
    Friend(friend::FriendCommand),
    /// Block or unblock a user's messages
    #[command(subcommand)]
    Block(block::BlockCommand),
    /// List the local profiles
    Profiles,
    /// For operators: show the tasks that workers gave up, and send them back
    Redrive(redrive::RedriveArgs),
    /// For operators: check that a deployment works, using two new accounts
    #[command(after_help = smoke::HELP)]
    Smoke,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_may_follow_the_command() {
        let cli = Cli::parse_from(["wigwag", "chat", "--as", "alice", "--with", "bob", "--json"]);
        assert_eq!((cli.global.profile.as_str(), cli.global.json), ("alice", true));
        assert!(matches!(cli.command, Command::Chat(chat::ChatArgs { with: Some(with), .. }) if with == "bob"));
    }

    #[test]
    fn a_conversation_has_exactly_one_target() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        for line in [
            "wigwag chat",
            "wigwag chat --with bob --group 5",
            "wigwag chat --group 5 --room 6",
            "wigwag send hi",
            "wigwag send --to bob --group 5 hi",
            "wigwag history",
            "wigwag signal --to bob",
            "wigwag signal --typing",
            "wigwag signal --to bob --typing --text x",
            "wigwag group mute 5 bob",
            "wigwag group add 5",
            "wigwag chat --room 0",
            "wigwag chat --room 9007199254740992",
            "wigwag group show club",
            "wigwag history --with bob --limit 0",
            "wigwag login --phone-number 1 --device-of bob",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        for line in [
            "wigwag chat --group 5",
            "wigwag chat --room 5",
            "wigwag send --group 5 hi",
            "wigwag history --group 5",
            "wigwag signal --room 5 --text x",
            "wigwag group role 5 bob admin",
            "wigwag group mute 5 bob --for 10m",
            "wigwag group create club",
        ] {
            parse(line).unwrap();
        }
    }
}
