//! A device that was away.
use super::GROUP;
use anyhow::Result;
use wigwag_cluster::{Account, Cluster, changes, texts};
use wigwag_protocol::pb::{GroupChangeType, Message};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_away_gets_every_message_of_every_group_once() -> Result<()> {
    const MESSAGES: u64 = 15;
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let groups = [
        cluster.group(&ada, &[&bob, &eve]).await?,
        cluster.group(&eve, &[&bob, &ada]).await?,
        cluster.group(&bob, &[&ada, &eve]).await?,
    ];
    let talk = async |who: &Account, name: &str| -> Result<()> {
        let mut device = cluster.device(who).await?;
        for client_id in 1..=MESSAGES {
            let group = groups[usize::try_from(client_id % 3)?];
            device
                .tell_to(GROUP, group, client_id, &format!("{name} {client_id}"))
                .await?;
        }
        Ok(())
    };
    let (one, other) = tokio::join!(talk(&ada, "ada"), talk(&eve, "eve"));
    one?;
    other?;
    let messages = cluster.inbox(&bob).await?;
    assert!(messages.is_sorted_by(|one, next| one.seq < next.seq));
    for (index, group) in (0_u64..).zip(groups) {
        let of_group: Vec<Message> = messages
            .iter()
            .filter(|message| message.receiver_id == group)
            .cloned()
            .collect();
        for (who, name) in [(&ada, "ada"), (&eve, "eve")] {
            let mut by: Vec<&Message> = of_group
                .iter()
                .filter(|message| message.sender_id == who.user_id)
                .collect();
            by.sort_by_key(|message| message.conversation_seq);
            let said: Vec<String> = texts(&by.into_iter().cloned().collect::<Vec<_>>());
            let wanted: Vec<String> = (1..=MESSAGES)
                .filter(|client_id| client_id % 3 == index)
                .map(|client_id| format!("{name} {client_id}"))
                .collect();
            assert_eq!(said, wanted);
        }
        assert_eq!(changes(&of_group), [GroupChangeType::Created]);
    }
    cluster.stop().await;
    Ok(())
}
