//! `wigwag sync`: what has come since the last time.

use crate::Context;
use crate::args::Sync;
use crate::exit::Failure;
use crate::link::{self, Purpose};
use crate::peer::Names;
use wigwag_client::Event;

pub(crate) async fn run(context: &mut Context, args: Sync) -> Result<(), Failure> {
    let (held, api, ws_url) = super::signed_in(context).await?;
    let cursor = args.from.unwrap_or(held.cursor());
    let (client, mut events) = link::connect(context, &held, &ws_url, Purpose::Both(cursor)).await?;
    let mut names = Names::new(api);
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0
        && let Some(event) = events.next().await
    {
        let is_end = matches!(event, Event::GroupsCaughtUp);
        left -= u64::from(matches!(event, Event::Message(_) | Event::GroupMessage(_)));
        super::tail::receive(context, &held, &mut names, event).await?;
        if is_end {
            break;
        }
    }
    client.close().await;
    Ok(())
}
