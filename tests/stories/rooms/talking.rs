//! Messages in a room.
use super::{ROOM, hears, sorted, users};
use anyhow::Result;
use wigwag_cluster::Cluster;
use wigwag_protocol::Code;
use wigwag_protocol::pb::AckType;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_a_room_reaches_everyone_in_it_and_nobody_else() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let (mut a, mut b, mut e) = (
        cluster.device(&ada).await?,
        cluster.json_device(&bob).await?,
        cluster.device(&eve).await?,
    );
    let outside = a.say_to(ROOM, 7, 0, "anybody here?").await?;
    assert_eq!(outside.code, Code::NOT_IN_ROOM.number());
    for device in [&mut a, &mut b, &mut e] {
        assert_eq!(device.enter(7).await?, 0);
    }
    assert_eq!(a.enter(7).await?, 0, "already there");
    assert_eq!(
        users(&cluster, &ada, 7).await?,
        sorted(vec![ada.user_id, bob.user_id, eve.user_id])
    );
    let ack = a.tell_to(ROOM, 7, 0, "one").await?;
    assert_eq!((ack.r#type(), ack.seq, ack.conversation_seq), (AckType::Relayed, 0, 0));
    hears(&mut b, "one").await?;
    hears(&mut e, "one").await?;
    assert_eq!(e.enter(8).await?, 7, "entering another leaves the first");
    b.tell_to(ROOM, 7, 0, "two").await?;
    hears(&mut a, "two").await?;
    let outside = e.say_to(ROOM, 7, 0, "from the other room").await?;
    assert_eq!(outside.code, Code::NOT_IN_ROOM.number());
    assert_eq!(e.enter(7).await?, 8);
    a.tell_to(ROOM, 7, 0, "three").await?;
    hears(&mut b, "three").await?;
    // Not "two": eve was in the other room.
    hears(&mut e, "three").await?;
    assert_eq!(b.leave_room().await?, 7);
    assert_eq!(b.leave_room().await?, 0);
    assert_eq!(users(&cluster, &eve, 7).await?, sorted(vec![ada.user_id, eve.user_id]));
    assert!(b.catch_up(0).await?.is_empty(), "nothing is kept");
    cluster.stop().await;
    Ok(())
}
