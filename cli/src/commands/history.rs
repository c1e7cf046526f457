//! `wigwag history`: prints the newest part of a conversation, oldest message first.

use crate::Context;
use crate::command_error::CommandError;
use crate::global::parse_id;
use crate::names::Names;
use crate::rendering::{self, Focus};
use crate::users::resolve;
use clap::{ArgGroup, Args};
use wigwag_client::{Api, Message, Range};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").required(true).args(["with", "group"]))]
pub(crate) struct HistoryArgs {
    /// A user id or the name of a local profile
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) with: Option<String>,
    /// A group or super group that the profile is or was a member of
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    pub(crate) group: Option<u64>,
    /// Print at most this many messages, the newest ones
    #[arg(long, default_value_t = 20, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Only messages before this seq of the conversation, to page backwards
    #[arg(long, value_name = "SEQ")]
    pub(crate) before: Option<u64>,
}

pub(crate) async fn run(context: &mut Context, args: HistoryArgs) -> Result<(), CommandError> {
    let here = match (&args.with, args.group) {
        (Some(with), _) => Focus::Peer(resolve(&context.profiles, with)?),
        (None, Some(group_id)) => Focus::Group(group_id),
        (None, None) => return Err(CommandError::usage("give --with or --group")),
    };
    let api = super::api(context).await?;
    let user_id = context.profiles.existing(&context.global.profile)?.user_id;
    let messages = newest(&api, here, &args).await?;
    let mut names = Names::new(api);
    if let (Focus::Peer(peer_id), Some(with)) = (here, args.with)
        && with.parse::<u64>().is_err()
    {
        names.call(peer_id, with);
    }
    for message in messages.iter().rev() {
        rendering::message(&mut context.printer, &mut names, user_id, here, message).await?;
    }
    Ok(())
}

/// Reads pages, newest first, until there are enough messages.
async fn newest(api: &Api, here: Focus, args: &HistoryArgs) -> Result<Vec<Message>, CommandError> {
    let mut messages = Vec::new();
    let mut end_seq = match args.before {
        Some(0 | 1) => return Ok(messages),
        Some(before) => before - 1,
        None => 0,
    };
    let wanted = usize::try_from(args.limit).unwrap_or(usize::MAX);
    while messages.len() < wanted {
        let limit = u32::try_from(wanted - messages.len()).unwrap_or(u32::MAX);
        let range = Range {
            end_seq,
            ..Range::newest(limit)
        };
        let page = match here {
            Focus::Group(group_id) => api.group_history(group_id, range).await?,
            Focus::Peer(peer_id) => api.history(peer_id, range).await?,
            Focus::Room(_) | Focus::None => return Ok(messages),
        };
        messages.extend(page.messages);
        if !page.has_more || page.next_seq == 0 {
            break;
        }
        end_seq = page.next_seq;
    }
    messages.truncate(wanted);
    Ok(messages)
}
