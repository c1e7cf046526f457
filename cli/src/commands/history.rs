//! `wigwag history`: the newest part of a conversation, oldest first.

use crate::Context;
use crate::args::History;
use crate::exit::Failure;
use crate::peer::{Names, resolve};
use crate::shown::{self, Here};
use wigwag_client::{Api, Message, Range};

pub(crate) async fn run(context: &mut Context, args: History) -> Result<(), Failure> {
    let here = match (&args.with, args.group) {
        (Some(with), _) => Here::Peer(resolve(&context.profiles, with)?),
        (None, Some(group_id)) => Here::Group(group_id),
        (None, None) => return Err(Failure::usage("whose history? --with or --group")),
    };
    let (held, api, _) = super::signed_in(context).await?;
    let messages = newest(&api, here, &args).await?;
    let mut names = Names::new(api);
    if let (Here::Peer(peer_id), Some(with)) = (here, args.with)
        && with.parse::<u64>().is_err()
    {
        names.call(peer_id, with);
    }
    for message in messages.iter().rev() {
        shown::message(&mut context.printer, &mut names, held.user_id(), here, message).await?;
    }
    Ok(())
}

/// Page by page, newest first, until there are enough.
async fn newest(api: &Api, here: Here, args: &History) -> Result<Vec<Message>, Failure> {
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
            Here::Group(group_id) => api.group_history(group_id, range).await?,
            Here::Peer(peer_id) => api.history(peer_id, range).await?,
            Here::Room(_) | Here::Nowhere => return Ok(messages),
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
