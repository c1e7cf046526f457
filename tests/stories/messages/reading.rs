//! Pages: by SYNC, by PULL, and over HTTP.
use super::texts;
use anyhow::Result;
use wigwag_cluster::Cluster;
use wigwag_protocol::http::History;
use wigwag_protocol::pb::PullInputMsg;
use wigwag_protocol::{OutputFrame, Payload, Request, limits};

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_content_arrives_by_push_by_sync_and_by_pull() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let (mut a, mut b) = (cluster.device(&ada).await?, cluster.json_device(&bob).await?);
    let large = "x".repeat(limits::CONTENT_BYTES);
    a.tell(bob.user_id, 1, &large).await?;
    a.tell(bob.user_id, 2, &large).await?;
    assert_eq!(b.pushed().await?.content.len(), limits::CONTENT_BYTES);
    let page = b.sync(0, 0).await?;
    assert_eq!(
        (page.messages.len(), page.cursor, page.has_more),
        (1, 1, true),
        "one fits a frame"
    );
    assert_eq!(b.sync(1, 0).await?.messages[0].content, large.as_bytes());
    let pull = PullInputMsg {
        session_type: 1,
        target_id: ada.user_id,
        ..PullInputMsg::default()
    };
    match b.ask(Request::Pull(pull)).await?.payload {
        Payload::Pull(page) => assert_eq!((page.messages.len(), page.next_seq, page.has_more), (1, 2, true)),
        other => panic!("{other:?}"),
    }
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_read_in_ranges_by_both_and_by_nobody_else() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let (mut a, mut b) = (cluster.device(&ada).await?, cluster.device(&bob).await?);
    for client_id in 1..=5 {
        a.tell(bob.user_id, client_id, &client_id.to_string()).await?;
    }
    let pull = |target_id, begin_seq, end_seq, limit, descending| {
        Request::Pull(PullInputMsg {
            session_type: 1,
            target_id,
            begin_seq,
            end_seq,
            limit,
            descending,
        })
    };
    let page = |output: OutputFrame| match output.payload {
        Payload::Pull(page) => page,
        other => panic!("{other:?}"),
    };
    let range = page(b.ask(pull(ada.user_id, 2, 4, 0, false)).await?);
    assert_eq!(
        (texts(&range.messages), range.next_seq, range.max_seq),
        (vec!["2", "3", "4"], 0, 5)
    );
    let newest = page(b.ask(pull(ada.user_id, 0, 0, 2, true)).await?);
    assert_eq!((texts(&newest.messages), newest.next_seq), (vec!["5", "4"], 3));
    let older = page(b.ask(pull(ada.user_id, 0, newest.next_seq, 10, true)).await?);
    assert_eq!((texts(&older.messages), older.next_seq), (vec!["3", "2", "1"], 0));
    let mut e = cluster.device(&eve).await?;
    assert!(
        page(e.ask(pull(bob.user_id, 0, 0, 0, false)).await?)
            .messages
            .is_empty()
    );
    let path = format!("/history/{}?begin_seq=4", ada.user_id);
    let history: History = cluster.get(&path, Some(&bob.token)).await?;
    assert_eq!((texts(&history.messages), history.next_seq), (vec!["4", "5"], 0));
    cluster.stop().await;
    Ok(())
}
