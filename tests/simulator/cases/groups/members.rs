//! Members who come, go and come back.

use super::OWNER;
use crate::harness::group::{GROUP, TestGroup, changed, new_group};
use crate::harness::ids;
use std::collections::BTreeSet;
use wigwag_domain::UserId;
use wigwag_domain::groups::rules::Wanted;
use wigwag_domain::task::{Audience, Task};
use wigwag_protocol::pb::GroupChangeType;
use wigwag_store::groups;

#[tokio::test]
async fn an_added_member_is_in_from_now_on_and_only_once() {
    let friends = TestGroup::with(OWNER, &[UserId(2)]).await;
    friends.seal_seqs(4).await;
    friends.queue.take();
    let changed = friends
        .change(OWNER, Wanted::Add(vec![UserId(3), UserId(2), UserId(3)]))
        .await
        .unwrap();
    assert_eq!((changed.changed, changed.unchanged), (ids([3]), ids([2])));
    assert_eq!(friends.intervals(UserId(3)).await, [(5, None)]);
    assert_eq!((friends.members().await, friends.count().await), (ids([1, 2, 3]), 3));
    assert_eq!(
        friends.announced().await[1..],
        [(6, GroupChangeType::MembersAdded, ids([3]))]
    );
    assert_eq!(friends.queue.take().len(), 1);
    let again = friends.change(OWNER, Wanted::Add(vec![UserId(3)])).await.unwrap();
    assert_eq!(again.unchanged, ids([3]));
    assert!(again.changed.is_empty() && friends.queue.take().is_empty());
    assert_eq!(friends.announced().await.len(), 2);
}

#[tokio::test]
async fn a_membership_interval_ends_with_the_message_that_announces_it() {
    let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
    friends.seal_seqs(2).await;
    assert_eq!(
        friends
            .change(OWNER, Wanted::Remove(vec![UserId(3), UserId(9)]))
            .await
            .unwrap()
            .unchanged,
        ids([9])
    );
    assert_eq!(friends.intervals(UserId(3)).await, [(0, Some(4))]);
    assert_eq!((friends.members().await, friends.count().await), (ids([1, 2]), 2));
    assert_eq!(
        friends.announced().await[1..],
        [(4, GroupChangeType::MembersRemoved, ids([3]))]
    );
    let rows = groups::shard(&friends.store, GROUP, 0).await.unwrap();
    let row = rows.iter().find(|row| row.user == UserId(3)).unwrap();
    assert!(
        row.interval.covers(4) && !row.interval.covers(5),
        "the row stays for tasks that come late"
    );
}

#[tokio::test]
async fn a_user_who_comes_back_has_their_slot_again_and_a_new_membership_interval() {
    let friends = TestGroup::with(OWNER, &[UserId(2)]).await;
    assert_eq!(
        friends.change(UserId(2), Wanted::Leave).await.unwrap(),
        changed(&[UserId(2)])
    );
    friends.seal_seqs(3).await;
    friends.change(OWNER, Wanted::Add(vec![UserId(2)])).await.unwrap();
    assert_eq!(friends.intervals(UserId(2)).await, [(0, Some(2)), (5, None)]);
    let rows = groups::shard(&friends.store, GROUP, 0).await.unwrap();
    let places: Vec<_> = rows.iter().map(|row| (row.user, row.slot)).collect();
    assert_eq!(places, [(UserId(1), 0), (UserId(2), 1), (UserId(2), 1)]);
    let intervals: Vec<_> = rows[1..]
        .iter()
        .map(|row| (row.interval.joined_after, row.interval.left))
        .collect();
    assert_eq!(intervals, [(0, Some(2)), (5, None)]);
    assert_eq!(friends.members().await, ids([1, 2]));
    assert_eq!(
        friends.change(UserId(9), Wanted::Leave).await.unwrap().unchanged,
        ids([9])
    );
}

/// All users stay in one shard, so each message is one task.
#[tokio::test]
async fn users_who_come_and_go_keep_their_slots() {
    let friends = TestGroup::with(OWNER, &[UserId(2)]).await;
    for _ in 0..110 {
        friends
            .change(OWNER, Wanted::Add(vec![UserId(3), UserId(4)]))
            .await
            .unwrap();
        friends
            .change(OWNER, Wanted::Remove(vec![UserId(3), UserId(4)]))
            .await
            .unwrap();
    }
    friends.change(OWNER, Wanted::Add(vec![UserId(3)])).await.unwrap();
    let places: BTreeSet<u64> = groups::shard(&friends.store, GROUP, 0)
        .await
        .unwrap()
        .iter()
        .map(|row| row.slot)
        .collect();
    assert_eq!(places, BTreeSet::from([0, 1, 2, 3]));
    assert_eq!(
        groups::group(&friends.store, GROUP)
            .await
            .unwrap()
            .unwrap()
            .settings
            .shards,
        1
    );
    friends.queue.take();
    friends.change(OWNER, Wanted::Mute(true)).await.unwrap();
    assert_eq!(friends.queue.take().len(), 1);
    // The shard has as many intervals as the user's own row.
    let rows = groups::shard(&friends.store, GROUP, 0).await.unwrap();
    let of_3 = rows
        .iter()
        .filter(|row| row.user == UserId(3))
        .map(|row| (row.interval.joined_after, row.interval.left));
    assert_eq!(of_3.collect::<Vec<_>>(), friends.intervals(UserId(3)).await);
    // The oldest intervals were dropped: a hundred are kept.
    assert_eq!(friends.intervals(UserId(3)).await.len(), 100);
}

#[tokio::test]
async fn members_fill_one_shard_after_the_other() {
    let users = 640;
    let friends = TestGroup::empty(OWNER, UserId(users)).await;
    friends
        .create(&new_group(&(2..=101).map(UserId).collect::<Vec<_>>()))
        .await
        .unwrap();
    for first in (102..=users).step_by(100) {
        let added = (first..=users.min(first + 99)).map(UserId).collect();
        friends.change(OWNER, Wanted::Add(added)).await.unwrap();
    }
    friends.queue.take();
    friends
        .change(OWNER, Wanted::Remove((450..550).map(UserId).collect()))
        .await
        .unwrap();
    let shards: Vec<u32> = friends
        .queue
        .take()
        .iter()
        .map(|task| match task {
            Task::Deliver {
                audience: Audience::Shard(shard),
                ..
            } => *shard,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(shards, [0, 1]);
    assert_eq!(groups::shard(&friends.store, GROUP, 0).await.unwrap().len(), 500);
    assert_eq!(groups::shard(&friends.store, GROUP, 1).await.unwrap().len(), 140);
    let (mut members, mut from) = (Vec::new(), Some(0));
    while let Some(place) = from {
        let (page, next) = groups::members_of(&friends.store, GROUP, place).await.unwrap();
        members.extend(page.iter().map(|member| member.user));
        from = next;
    }
    assert_eq!(members, (1..450).chain(550..=users).map(UserId).collect::<Vec<_>>());
    assert_eq!(friends.count().await, 540);
}
