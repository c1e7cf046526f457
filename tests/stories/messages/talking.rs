//! A message, on every device of both users.
use super::texts;
use anyhow::Result;
use wigwag_cluster::Cluster;

#[tokio::test(flavor = "multi_thread")]
async fn two_users_talk_in_either_encoding() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let (mut a, mut b) = (cluster.device(&ada).await?, cluster.json_device(&bob).await?);
    let ack = a.tell(bob.user_id, 1, "hello").await?;
    assert_eq!((ack.client_id, ack.seq, ack.conversation_seq), (1, 1, 1));
    let got = b.pushed().await?;
    assert_eq!(
        (got.sender_id, got.receiver_id, got.seq, got.conversation_seq),
        (ada.user_id, bob.user_id, 1, 1)
    );
    assert_eq!(
        (texts(std::slice::from_ref(&got)), got.send_time),
        (vec!["hello"], ack.send_time)
    );
    b.tell(ada.user_id, 1, "hi").await?;
    let got = a.pushed().await?;
    assert_eq!(
        (got.seq, got.conversation_seq, texts(std::slice::from_ref(&got))),
        (2, 2, vec!["hi"])
    );
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_senders_other_device_gets_a_copy_and_the_sending_one_does_not() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let tablet = cluster.another_device(&ada, "tablet").await?;
    let (mut a, mut t) = (cluster.device(&ada).await?, cluster.device(&tablet).await?);
    a.tell(bob.user_id, 1, "hello").await?;
    assert_eq!(t.pushed().await?.seq, 1);
    t.tell(bob.user_id, 1, "from the tablet").await?;
    let copy = a.pushed().await?;
    assert_eq!(
        (copy.seq, texts(std::slice::from_ref(&copy))),
        (2, vec!["from the tablet"]),
        "the sending device gets no push of its own message"
    );
    cluster.stop().await;
    Ok(())
}
