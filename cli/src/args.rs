//! What can be asked for on the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use wigwag_client::{MessageType, Url};

const EXIT_CODES: &str = "\
Exit codes:
  0    it worked; chat and tail: also when left with Ctrl-C
  1    it failed
  2    the command line is wrong
  3    the server refused
  4    the server was not reached, or did not answer in time
  130  interrupted

Examples:
  wigwag chat --as alice --with bob        in one terminal, and in another
  wigwag chat --as bob --with alice
  wigwag send --as alice --to bob 'see you'
  wigwag tail --as bob --json | jq .content";

/// Serverless instant messaging from the command line
#[derive(Debug, Parser)]
#[command(name = "wigwag", version, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// HTTP API [default: the profile's, or http://127.0.0.1:3000]
    #[arg(long, global = true, env = "WIGWAG_URL", value_name = "URL")]
    pub(crate) url: Option<Url>,
    /// WebSocket API with its stage [default: the profile's, or ws://127.0.0.1:3001/prod]
    #[arg(long, global = true, env = "WIGWAG_WS_URL", value_name = "URL")]
    pub(crate) ws_url: Option<Url>,
    /// Print one JSON object per line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Where profiles are kept [default: $XDG_CONFIG_HOME/wigwag or ~/.config/wigwag]
    #[arg(long, global = true, env = "WIGWAG_HOME", value_name = "DIR")]
    pub(crate) profile_dir: Option<PathBuf>,
    /// The local profile to act as
    #[arg(long = "as", global = true, value_name = "NAME", default_value = "default")]
    pub(crate) profile: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Talk with someone; makes an account if there is none yet
    Chat(Chat),
    /// Open an account and log in
    Register(Register),
    /// Log in with an account
    Login(Login),
    /// Send one message and wait until it is durable
    Send(Send),
    /// Print messages as they come, from where the profile left off
    Tail(Tail),
    /// Print what has come since the last time, and stop
    Sync(Sync),
    /// Show who the profile is to the server
    Me,
    /// Print the conversation with someone
    History(History),
    /// Add, remove and list friends
    #[command(subcommand)]
    Friend(FriendCommand),
    /// Refuse someone's messages, or take them again
    #[command(subcommand)]
    Block(BlockCommand),
    /// List the local profiles
    Profiles,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Lines of standard input are sent; what arrives is printed as `bob: text`. A message of one's own is marked ✓ once it is
durable. If the profile does not exist, an account with a random phone number and password is made, and the password is
kept in the profile, so that the log-in can be renewed.

Examples:
  wigwag chat --as alice --with bob
  wigwag chat --as alice --with 1234567890
  printf 'one\\ntwo\\n' | wigwag chat --as alice --with bob          sends two messages and ends
  wigwag chat --as alice --with bob --json --stay < lines           sends, then keeps receiving")]
pub(crate) struct Chat {
    /// A user id or the name of a local profile; waits for a profile that does not exist yet
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) with: String,
    /// Name shown to others, for a new account [default: the profile's name]
    #[arg(long)]
    pub(crate) nickname: Option<String>,
    /// Keep receiving after the end of standard input
    #[arg(long)]
    pub(crate) stay: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Password {
    /// Read from WIGWAG_PASSWORD or asked for where it is not given; other users of the machine can see a command line
    #[arg(long, env = "WIGWAG_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// Keep the password in the profile, so that the log-in can be renewed without asking
    #[arg(long)]
    pub(crate) save_password: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wigwag register --as carol --phone-number +15550001234 --nickname Carol")]
pub(crate) struct Register {
    /// 7 to 15 digits, with or without a leading +
    #[arg(long)]
    pub(crate) phone_number: String,
    /// Name shown to others
    #[arg(long)]
    pub(crate) nickname: String,
    #[command(flatten)]
    pub(crate) password: Password,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wigwag login --as carol --phone-number +15550001234")]
pub(crate) struct Login {
    /// As registered [default: the profile's]
    #[arg(long)]
    pub(crate) phone_number: Option<String>,
    #[command(flatten)]
    pub(crate) password: Password,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A message that is not answered in time stays in the profile, and the next command that sends repeats it under the same
number, so that it cannot arrive twice.

Examples:
  wigwag send --as alice --to bob 'hello'
  wigwag send --as alice --to 1234567890 --type picture - < cat.jpg")]
pub(crate) struct Send {
    /// A user id or the name of a local profile
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) to: String,
    /// What is sent, 16 KB at most; - reads standard input
    #[arg(value_name = "TEXT")]
    pub(crate) content: String,
    /// What kind of content it is
    #[arg(long = "type", value_enum, default_value_t = Kind::Text)]
    pub(crate) kind: Kind,
    /// How many seconds to wait until it is durable
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub(crate) timeout: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Text,
    Picture,
    Voice,
}

impl From<Kind> for MessageType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Picture => Self::Picture,
            Kind::Voice => Self::Voice,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// Begin after this seq of the inbox instead; 0 prints everything
    #[arg(long, value_name = "SEQ")]
    pub(crate) from: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// Begin after this seq of the inbox instead; 0 prints everything
    #[arg(long, value_name = "SEQ")]
    pub(crate) from: Option<u64>,
    /// Print at most so many messages
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// A user id or the name of a local profile
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) with: String,
    /// At most so many messages, the newest
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    pub(crate) limit: u32,
    /// Only what stands before this seq of the conversation, for reading on backwards
    #[arg(long, value_name = "SEQ")]
    pub(crate) before: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Who {
    /// A user id or the name of a local profile
    #[arg(value_name = "ID|NAME")]
    pub(crate) who: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FriendCommand {
    /// Count someone as a friend; they say for themselves whether you are theirs
    Add(Who),
    /// Count someone as a friend no more
    Remove(Who),
    /// List friends
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BlockCommand {
    /// Take no more messages from someone
    Add(Who),
    /// Take messages from someone again
    Remove(Who),
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
    fn global_options_may_stand_behind_the_command() {
        let cli = Cli::parse_from(["wigwag", "chat", "--as", "alice", "--with", "bob", "--json"]);
        assert_eq!((cli.global.profile.as_str(), cli.global.json), ("alice", true));
        assert!(matches!(cli.command, Command::Chat(Chat { with, .. }) if with == "bob"));
    }
}
