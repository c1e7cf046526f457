//! `wigwag sync`: prints the messages that arrived since the last time.

use crate::Context;
use crate::command_error::CommandError;
use crate::connection::{self, Purpose};
use crate::names::Names;
use clap::Args;
use wigwag_client::Event;

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// Start after this seq of the inbox; 0 prints everything
    #[arg(long, value_name = "SEQ")]
    pub(crate) from: Option<u64>,
    /// Print at most this many messages
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<u64>,
}

pub(crate) async fn run(context: &mut Context, args: SyncArgs) -> Result<(), CommandError> {
    let (held, api, ws_url) = super::signed_in(context).await?;
    let cursor = args.from.unwrap_or(held.cursor());
    let (client, mut events) = connection::connect(context, &held, &ws_url, Purpose::Both(cursor)).await?;
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
