//! Super groups: announced to who is online, read from the log by everyone else, copied to nobody.

use crate::groups::{changes, texts};
use anyhow::Result;
use serde_json::json;
use wigwag_protocol::Code;
use wigwag_protocol::pb::{GroupChangeType, SessionType};
use wigwag_tests::World;

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
