//! Super groups: announced to who is online, read from the log by everyone else, copied to nobody.

use crate::groups::{changes, texts};
use anyhow::{Context as _, Result};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use wigwag_client::{Client, ConnectOptions, Event, Events, TokenSource};
use wigwag_cluster::{Account, World};
use wigwag_protocol::Code;
use wigwag_protocol::pb::{GroupChangeType, SessionType};
use wigwag_store::TimelineId;
use wigwag_store::timeline::Missing;

const GROUP: SessionType = SessionType::Group;

#[tokio::test(flavor = "multi_thread")]
async fn who_is_online_is_pushed_what_everybody_reads_from_the_log() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let tablet = world.another_device(&ada, "tablet").await?;
    let (mut a, mut t, mut b) = (
        world.device(&ada).await?,
        world.device(&tablet).await?,
        world.device(&bob).await?,
    );
    let group = world.super_group(&ada, &[&bob, &eve]).await?;
    // It is told of in the inbox too, because one who is away must learn that there is something to read.
    for device in [&mut a, &mut t, &mut b] {
        let told = [device.pushed().await?, device.pushed().await?];
        let mut seqs = told.each_ref().map(|message| message.seq);
        seqs.sort_unstable();
        assert_eq!(seqs, [0, 1]);
        assert!(told.iter().all(|message| message.conversation_seq == 1));
        assert!(
            told.iter()
                .all(|message| message.group_change.as_ref().is_some_and(|change| change.super_group))
        );
    }
    for (client_id, text) in (1..).zip(["one", "two", "three"]) {
        let ack = a.tell_to(GROUP, group, client_id, text).await?;
        assert_eq!((ack.seq, ack.conversation_seq), (0, client_id + 1));
        for device in [&mut t, &mut b] {
            let message = device.pushed().await?;
            assert_eq!((message.seq, message.conversation_seq), (0, client_id + 1));
            assert_eq!(texts(&[message]), [text]);
        }
    }
    world.settled().await?;
    let mut e = world.device(&eve).await?;
    let inbox = e.catch_up(0).await?;
    assert_eq!(
        (texts(&inbox).len(), changes(&inbox)),
        (0, vec![GroupChangeType::Created])
    );
    let page = e.pull_group(group).await?;
    assert_eq!(
        (texts(&page.messages), page.max_seq),
        (vec!["one".into(), "two".into(), "three".into()], 4)
    );
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_becomes_a_super_group_is_copied_up_to_there() -> Result<()> {
    use GroupChangeType::{BecameSuper, Created, MembersRemoved};
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let (mut a, mut b) = (world.device(&ada).await?, world.device(&bob).await?);
    let group = world.group(&ada, &[&bob, &eve]).await?;
    a.tell_to(GROUP, group, 1, "copied").await?;
    let update = json!({ "group_id": group, "super_group": true });
    assert_eq!(world.outcome("/group/update", &ada, &update).await?, Code::OK);
    let ack = a.tell_to(GROUP, group, 2, "announced").await?;
    assert_eq!(ack.seq, 0);
    let again = a.tell_to(GROUP, group, 2, "announced").await?;
    assert_eq!(again, ack, "a repeat gets the same answer");
    let remove = json!({ "group_id": group, "user_ids": [bob.user_id] });
    assert_eq!(world.outcome("/group/remove", &ada, &remove).await?, Code::OK);
    a.tell_to(GROUP, group, 3, "without bob").await?;
    world.settled().await?;
    let inbox = b.catch_up(0).await?;
    assert_eq!(
        (texts(&inbox), changes(&inbox)),
        (vec!["copied".into()], vec![Created, BecameSuper, MembersRemoved])
    );
    let page = b.pull_group(group).await?;
    assert_eq!(texts(&page.messages), ["copied", "announced"]);
    assert_eq!(changes(&page.messages), [Created, BecameSuper, MembersRemoved]);
    let last = page.messages.last().map(|message| message.conversation_seq);
    assert_eq!(last, Some(page.max_seq), "bob's removal is the last that bob learns of");
    let refused = b.say_to(GROUP, group, 1, "from outside").await?;
    assert_eq!(refused.code, Code::NOT_A_MEMBER.number());
    let page = world.device(&eve).await?.pull_group(group).await?;
    assert_eq!(texts(&page.messages), ["copied", "announced", "without bob"]);
    assert!(world.dead_letters().await?.is_empty());
    world.stop().await;
    Ok(())
}

/// An app that looks often, and follows a group from here.
async fn following(world: &World, who: &Account, group: u64, cursor: u64) -> Result<(Client, Events)> {
    let token = TokenSource::fixed(&who.token);
    let mut options = ConnectOptions::new(world.stack.websocket_url.parse()?, who.user_id, token);
    options.super_groups = BTreeMap::from([(group, cursor)]);
    options.timing.heartbeat = Duration::from_millis(200);
    options.timing.super_group_closing = Duration::from_millis(500);
    Ok(Client::connect(options).await?)
}

/// The conversation seqs of a group's log, until the group has ended; and where it did.
async fn until_the_end(events: &mut Events) -> Result<(Vec<u64>, u64)> {
    let mut seqs = Vec::new();
    loop {
        let event = tokio::time::timeout(Duration::from_mins(1), events.next()).await;
        match event.context("wait for the end")?.context("the events ended")? {
            Event::GroupMessage(message) => seqs.push(message.conversation_seq),
            Event::GroupEnded { cursor, .. } => return Ok((seqs, cursor)),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_dissolved_or_left_is_over_also_for_an_app_that_began_after_that() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let mut a = world.device(&ada).await?;
    let group = world.super_group(&ada, &[&bob, &eve]).await?;
    a.tell_to(GROUP, group, 1, "hello").await?;
    let (client, mut events) = following(&world, &bob, group, 1).await?;
    let remove = json!({ "group_id": group, "user_ids": [eve.user_id] });
    assert_eq!(world.outcome("/group/remove", &ada, &remove).await?, Code::OK);
    let dissolve = json!({ "group_id": group });
    assert_eq!(world.outcome("/group/dissolve", &ada, &dissolve).await?, Code::OK);
    let refused = a.say_to(GROUP, group, 2, "anybody?").await?;
    assert_eq!(refused.code, Code::GROUP_DISSOLVED.number());
    world.settled().await?;
    // A repeat takes a seq and gives it up, also behind the end.
    let (store, log) = (world.store(), TimelineId::group(group));
    let head = store.reserve(&log, 1, Missing::Refuse, 0).await?.context("no log")?;
    assert_eq!(store.seal(&log, head.seq, 0).await?, None);
    let page = a.pull_group(group).await?;
    assert!(page.ended && page.max_seq == 5, "{page:?}");
    let (seqs, cursor) = until_the_end(&mut events).await?;
    // It may have read the end before the repeat.
    assert!(seqs == [2, 3, 4] && (4..=5).contains(&cursor), "{seqs:?} {cursor}");
    client.close().await;
    let (client, mut events) = following(&world, &bob, group, 4).await?;
    assert_eq!(until_the_end(&mut events).await?, (vec![], page.max_seq));
    client.close().await;
    let (client, mut events) = following(&world, &eve, group, 3).await?;
    assert_eq!(until_the_end(&mut events).await?, (vec![], 3));
    client.close().await;
    world.stop().await;
    Ok(())
}
