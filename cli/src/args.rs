//! What can be asked for on the command line.

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use wigwag_client::limits::{MAX_INTEGER, MUTE_MAX_S};
use wigwag_client::{Encoding, MessageType, Url};

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
  wigwag tail --as bob --json | jq .content
  wigwag group create --as alice 'book club' bob carol
  wigwag chat --as bob --group 1234567890";

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
    /// How frames of the WebSocket are written; json goes without a subprotocol, which some emulators do not negotiate
    #[arg(long, global = true, value_enum, default_value_t = Frames::Protobuf)]
    pub(crate) frames: Frames,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Talk with someone, in a group or in a room; makes an account if there is none yet
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
    /// Print an access token of the profile, for other clients
    #[command(after_help = "\
It is good for a day at most, and renewed first where it is about to end and the profile keeps the password.

Examples:
  wscat -c \"ws://127.0.0.1:3001/prod?token=$(wigwag token --as alice)\"
  curl -H \"Authorization: Bearer $(wigwag token --as alice)\" http://127.0.0.1:3000/me")]
    Token,
    /// Print the conversation with someone or in a group
    History(History),
    /// Make groups, and say who is in them and may do what
    #[command(subcommand)]
    Group(GroupCommand),
    /// Look into rooms
    #[command(subcommand)]
    Room(RoomCommand),
    /// Send something that is for now alone, and stored nowhere
    Signal(Signal),
    /// Add, remove and list friends
    #[command(subcommand)]
    Friend(FriendCommand),
    /// Refuse someone's messages, or take them again
    #[command(subcommand)]
    Block(BlockCommand),
    /// List the local profiles
    Profiles,
    /// For operators: show what workers gave up, and send it back to them
    Redrive(Redrive),
    /// For operators: whether a deployment works, by two users that are made for it
    #[command(after_help = SMOKE_HELP)]
    Smoke,
}

const SMOKE_HELP: &str = "\
Registers two users with made-up phone numbers, lets them talk, one of them leave and come back, and makes a group of them. Each step
is printed when it is done; the first that fails ends it. The accounts stay; the group is dissolved.

Examples:
  wigwag smoke
  wigwag smoke --url https://abc.execute-api.eu-central-1.amazonaws.com --ws-url wss://def.execute-api.eu-central-1.amazonaws.com/prod";

/// How frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Frames {
    Protobuf,
    Json,
}

impl From<Frames> for Encoding {
    fn from(frames: Frames) -> Self {
        match frames {
            Frames::Protobuf => Self::Protobuf,
            Frames::Json => Self::Json,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Lines of standard input are sent; what arrives is printed as `bob: text`. A message of one's own is marked ✓ once it is
durable. If the profile does not exist, an account with a random phone number and password is made, and the password is
kept in the profile, so that the log-in can be renewed.

In a group, changes of it are printed as `* alice added bob`. In a room, messages go to whoever is in it now and are kept
nowhere; a ✓ means that one is on its way. What comes from elsewhere is printed too, and says from where.

Examples:
  wigwag chat --as alice --with bob
  wigwag chat --as alice --with 1234567890
  wigwag chat --as alice --group 1234567890
  wigwag chat --as alice --room 42
  printf 'one\\ntwo\\n' | wigwag chat --as alice --with bob          sends two messages and ends
  wigwag chat --as alice --with bob --json --stay < lines           sends, then keeps receiving")]
#[command(group = ArgGroup::new("place").required(true).args(["with", "group", "room"]))]
pub(crate) struct Chat {
    /// A user id or the name of a local profile; waits for a profile that does not exist yet
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) with: Option<String>,
    /// A group or super group that the profile is in
    #[arg(long, value_name = "ID", value_parser = id)]
    pub(crate) group: Option<u64>,
    /// A room; any number names one
    #[arg(long, value_name = "ID", value_parser = id)]
    pub(crate) room: Option<u64>,
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
#[command(after_help = "\
A profile is one device. --device-of makes another device of an account that a profile here has, with its password where that is kept.

Examples:
  wigwag login --as carol --phone-number +15550001234
  wigwag login --as carol-phone --device-of carol")]
pub(crate) struct Login {
    /// As registered [default: the profile's]
    #[arg(long)]
    pub(crate) phone_number: Option<String>,
    /// The local profile whose account it is
    #[arg(long, value_name = "NAME", conflicts_with = "phone_number")]
    pub(crate) device_of: Option<String>,
    #[command(flatten)]
    pub(crate) password: Password,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A message that was sent and is not answered in time stays in the profile, and the next command that sends repeats it under
the same number, so that it cannot arrive twice. Without a connection nothing is sent, and nothing kept.

Examples:
  wigwag send --as alice --to bob 'hello'
  wigwag send --as alice --to 1234567890 --type picture - < cat.jpg
  wigwag send --as alice --group 1234567890 'hello all'")]
#[command(group = ArgGroup::new("place").required(true).args(["to", "group"]))]
pub(crate) struct Send {
    /// A user id or the name of a local profile
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) to: Option<String>,
    /// A group or super group that the profile is in
    #[arg(long, value_name = "ID", value_parser = id)]
    pub(crate) group: Option<u64>,
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
#[command(group = ArgGroup::new("place").required(true).args(["with", "group"]))]
pub(crate) struct History {
    /// A user id or the name of a local profile
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) with: Option<String>,
    /// A group or super group that the profile is or was in
    #[arg(long, value_name = "ID", value_parser = id)]
    pub(crate) group: Option<u64>,
    /// At most so many messages, the newest
    #[arg(long, default_value_t = 20, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Only what stands before this seq of the conversation, for reading on backwards
    #[arg(long, value_name = "SEQ")]
    pub(crate) before: Option<u64>,
}

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("place").required(true).args(["to", "room"]),
    group = ArgGroup::new("what").required(true).args(["typing", "text"]),
    after_help = "\
It reaches whoever is online now, or nobody: that it was relayed does not mean that somebody has it. For a room, this
enters it, signals, and leaves.

Examples:
  wigwag signal --as alice --to bob --typing
  wigwag signal --as alice --room 42 --text 'x=1'"
)]
pub(crate) struct Signal {
    /// A user id or the name of a local profile
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) to: Option<String>,
    /// A room
    #[arg(long, value_name = "ID", value_parser = id)]
    pub(crate) room: Option<u64>,
    /// That somebody is typing
    #[arg(long)]
    pub(crate) typing: bool,
    /// Whatever the other side understands, 16 KB at most
    #[arg(long)]
    pub(crate) text: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RoomCommand {
    /// List who is in a room right now, one line per device
    Users {
        /// The room
        #[arg(value_name = "ID", value_parser = id)]
        room: u64,
    },
}

#[derive(Debug, Args)]
pub(crate) struct InGroup {
    /// The group's id
    #[arg(value_name = "GROUP", value_parser = id)]
    pub(crate) group: u64,
}

#[derive(Debug, Args)]
pub(crate) struct GroupUsers {
    /// The group's id
    #[arg(value_name = "GROUP", value_parser = id)]
    pub(crate) group: u64,
    /// User ids or names of local profiles, 100 at most
    #[arg(value_name = "ID|NAME", required = true)]
    pub(crate) who: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GroupUser {
    /// The group's id
    #[arg(value_name = "GROUP", value_parser = id)]
    pub(crate) group: u64,
    /// A user id or the name of a local profile
    #[arg(value_name = "ID|NAME")]
    pub(crate) who: String,
}

#[derive(Debug, Args)]
pub(crate) struct GroupSwitch {
    /// The group's id
    #[arg(value_name = "GROUP", value_parser = id)]
    pub(crate) group: u64,
    /// Ends it
    #[arg(long)]
    pub(crate) off: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleName {
    Member,
    Admin,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  wigwag group create --as alice 'book club' bob carol
  wigwag group add --as alice 1234567890 dave
  wigwag group mute --as alice 1234567890 dave --for 10m
  wigwag chat --as bob --group 1234567890")]
pub(crate) enum GroupCommand {
    /// Make a group, whose owner the profile then is
    Create {
        /// What it is called
        #[arg(value_name = "NAME")]
        name: String,
        /// The other members to begin with: user ids or names of local profiles, 100 at most
        #[arg(value_name = "ID|NAME")]
        who: Vec<String>,
        /// Make it a super group: up to 100,000 members, who read its log instead of getting copies
        #[arg(long = "super")]
        super_group: bool,
        /// Let members read what was sent before they joined
        #[arg(long)]
        open_history: bool,
    },
    /// Add members
    Add(GroupUsers),
    /// Remove members
    Remove(GroupUsers),
    /// List the members, in the order in which they joined
    Members(InGroup),
    /// Leave a group; one that was dissolved too, so that it is listed no more
    Leave(InGroup),
    /// Make a member the owner; the owner becomes an admin
    HandOver(GroupUser),
    /// Make a member an admin, or a plain member again
    Role {
        #[command(flatten)]
        user: GroupUser,
        /// What they are from now on
        #[arg(value_enum)]
        role: RoleName,
    },
    /// Keep a member from sending for a while
    Mute {
        #[command(flatten)]
        user: GroupUser,
        /// For how long, a year at most: 90, 90s, 10m, 2h or 7d
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        seconds: u64,
    },
    /// Let a muted member send again
    Unmute(GroupUser),
    /// Give a group another name
    Rename {
        /// The group's id
        #[arg(value_name = "GROUP", value_parser = id)]
        group: u64,
        /// What it is called from now on
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Let only the owner and admins send
    MuteAll(GroupSwitch),
    /// Let members read what was sent before they joined
    OpenHistory(GroupSwitch),
    /// Turn a group into a super group, for ever
    Super(InGroup),
    /// End a group, for ever
    Dissolve(InGroup),
    /// List the groups that the profile is in
    List,
    /// Show a group
    Show(InGroup),
}

/// An id as the server takes it: JSON clients keep it as a plain number.
fn id(text: &str) -> Result<u64, String> {
    let id = text.parse().ok().filter(|id| (1..=MAX_INTEGER).contains(id));
    id.ok_or_else(|| format!("an id is a number from 1 to {MAX_INTEGER}"))
}

/// A time as people write it, in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(digits) => (digits, &text[digits.len()..]),
        None => (text, "s"),
    };
    let factor = match unit {
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => 1,
    };
    let number: Option<u64> = digits.parse().ok().and_then(|n: u64| n.checked_mul(factor));
    number
        .filter(|seconds| (1..=MUTE_MAX_S).contains(seconds))
        .ok_or_else(|| "a time is written as 90, 90s, 10m, 2h or 7d, and is a year at most".to_owned())
}

#[derive(Debug, Args)]
#[command(after_help = "\
Shows the tasks in the dead-letter queue of the fan-out: what each is for, how often it was received and why it lies there.
Looking takes nothing out: the messages are received, and made visible again at once. Of a message group, which is one
shard of one group's members, only the first ten can be seen. What messages say is not shown.

With each it is said what comes of it if it is sent back. --send-back sends all of them to the queue that the workers read,
once the cause is mended; what cannot be read comes back here. With --only-readable or --group those alone go that are meant,
one by one, in the order of their group. Until then the tasks wait, for as long as the dead-letter queue keeps them (14 days).

--discard takes out what nobody needs any more, by the ids that looking shows. Each is first written to a file, for its owner
alone, as it holds what the message says: dead-letter-ID.json, in --into.

Credentials are taken from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN alone. From a profile of the
AWS command line:  eval \"$(aws configure export-credentials --profile NAME --format env)\"
A queue on this machine needs none. They must allow sqs:GetQueueAttributes, GetQueueUrl, ReceiveMessage,
ChangeMessageVisibility and ListDeadLetterSourceQueues; for --send-back also StartMessageMoveTask, ListMessageMoveTasks,
DeleteMessage and SendMessage; for --discard DeleteMessage.

Examples:
  wigwag redrive --queue-url https://sqs.eu-central-1.amazonaws.com/123456789012/fanout.fifo
  wigwag redrive --queue-url http://127.0.0.1:4566/000000000000/local-FanoutQueue.fifo --send-back --json
  wigwag redrive --queue-url URL --send-back --only-readable --group 1234567890
  wigwag redrive --queue-url URL --discard 5fea7756-0ea4-451a-a703-a558b933e274 --into /var/tmp")]
pub(crate) struct Redrive {
    /// The queue that the workers read, or its dead-letter queue
    #[arg(long, value_name = "URL")]
    pub(crate) queue_url: Url,
    /// Where SQS is [default: AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, where the queue is, or the region's]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<Url>,
    /// AWS region [default: AWS_REGION, AWS_DEFAULT_REGION, or the queue's]
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Show at most so many tasks
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    /// Show, and send back, those of this group alone
    #[arg(long, value_name = "ID", value_parser = id, conflicts_with = "discard")]
    pub(crate) group: Option<u64>,
    /// Send all of them back to the workers
    #[arg(long)]
    pub(crate) send_back: bool,
    /// Send back only what can be read, and leave the rest
    #[arg(long, requires = "send_back")]
    pub(crate) only_readable: bool,
    /// Take a task out for good, after it was written to a file; may be given several times
    #[arg(long, value_name = "ID", conflicts_with = "send_back")]
    pub(crate) discard: Vec<String>,
    /// The directory of those files
    #[arg(long, value_name = "DIR", default_value = ".", requires = "discard")]
    pub(crate) into: PathBuf,
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
        assert!(matches!(cli.command, Command::Chat(Chat { with: Some(with), .. }) if with == "bob"));
    }

    #[test]
    fn a_conversation_is_with_one_alone() {
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

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(
            ["90", "90s", "10m", "2h", "7d"].map(seconds),
            [90, 90, 600, 7200, 604_800].map(Ok)
        );
        for wrong in ["", "m", "0", "-1", "1w", "366d", "99999999999999999999d", "1.5h", "µ"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
