//! `wigwag history`: the newest part of a conversation, oldest first.

use crate::Context;
use crate::args::History;
use crate::exit::Failure;
use crate::peer::{Names, resolve};
use wigwag_client::{Api, Message, Range};

pub(crate) async fn run(context: &mut Context, args: History) -> Result<(), Failure> {
    let peer_id = resolve(&context.profiles, &args.with)?;
    let (held, api, _) = super::signed_in(context).await?;
    let me = held.user_id();
    let messages = newest(&api, peer_id, &args).await?;
    let mut names = Names::new(api);
    if args.with.parse::<u64>().is_err() {
        names.call(peer_id, args.with);
    }
    for message in messages.iter().rev() {
        let own = message.sender_id == me;
        let from = if own {
            "you".to_owned()
        } else {
            names.of(message.sender_id).await
        };
        context.printer.message(message, &from, own)?;
    }
    Ok(())
}

/// Page by page, newest first, until there are enough.
async fn newest(api: &Api, peer_id: u64, args: &History) -> Result<Vec<Message>, Failure> {
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
        let page = api.history(peer_id, range).await?;
        messages.extend(page.messages);
        if !page.has_more || page.next_seq == 0 {
            break;
        }
        end_seq = page.next_seq;
    }
    messages.truncate(wanted);
    Ok(messages)
}
