//! Groups that are made and changed, when all goes well, and what is refused.

use super::*;

#[tokio::test]
async fn a_group_begins_with_its_members_and_says_so() {
    let world = World::with(&[2, 3]).await;
    let group = world.store.group(GROUP).await.unwrap().unwrap();
    assert_eq!(
        (group.name.as_str(), group.owner, group.members, group.max_seq),
        ("friends", OWNER, 3, 1)
    );
    assert_eq!((group.settings.version, group.settings.shards), (1, 1));
    assert_eq!(world.members().await, [1, 2, 3]);
    assert_eq!(
        [world.role(1).await, world.role(2).await],
        [Some(Role::Owner), Some(Role::Member)]
    );
    assert_eq!(world.announced().await, [(1, GroupChangeType::Created, vec![1, 2, 3])]);
    let tasks = world.queue.take();
    assert!(matches!(
        tasks.as_slice(),
        [Task::Deliver { group: GROUP, audience: Audience::Shard(0), logged, skip: None }] if logged.conversation_seq() == 1
    ));
    assert_eq!(said(&tasks[0]).name, "friends");
}

#[tokio::test]
async fn a_group_of_a_hundred_and_one_is_made_in_one_change() {
    let world = World::empty(101).await;
    let users: Vec<UserId> = (2..=101).collect();
    world.create(&new(&users)).await.unwrap();
    let members: Vec<ShardMember> = world.store.shard(GROUP, 0).await.unwrap();
    assert_eq!(members.len(), 101);
    assert!(
        members
            .iter()
            .enumerate()
            .all(|(place, member)| member.place == place as u64)
    );
    assert_eq!(world.count().await, 101);
}

#[tokio::test]
async fn a_group_with_an_unknown_user_or_a_taken_id_is_not_made() {
    let world = World::empty(3).await;
    let refused = |result| match result {
        Err(ChangeError::Refused(code) | ChangeError::RefusedFor(code, _)) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(world.create(&new(&[2, 99])).await), Code::USER_NOT_FOUND);
    assert_eq!(world.store.group(GROUP).await.unwrap(), None);
    let many: Vec<UserId> = (2..=102).collect();
    assert_eq!(refused(world.create(&new(&many)).await), Code::TOO_MANY_USERS);
    world.create(&new(&[2])).await.unwrap();
    let again = world
        .store
        .create_group(&world.queue, GROUP, 3, &new(&[]), MessagesFrom::Anyone, NOW)
        .await;
    assert_eq!(refused(again), Code::BUSY);
    assert_eq!(world.members().await, [1, 2]);
}

#[tokio::test]
async fn an_added_member_is_in_from_now_on_and_only_once() {
    let world = World::with(&[2]).await;
    world.talk(4).await;
    world.queue.take();
    let changed = world.change(OWNER, Wanted::Add(vec![3, 2, 3])).await.unwrap();
    assert_eq!((changed.changed, changed.unchanged), (vec![3], vec![2]));
    assert_eq!(world.stints(3).await, [(5, None)]);
    assert_eq!((world.members().await, world.count().await), (vec![1, 2, 3], 3));
    assert_eq!(
        world.announced().await[1..],
        [(6, GroupChangeType::MembersAdded, vec![3])]
    );
    assert_eq!(world.queue.take().len(), 1);
    let again = world.change(OWNER, Wanted::Add(vec![3])).await.unwrap();
    assert_eq!(again.unchanged, [3]);
    assert!(again.changed.is_empty() && world.queue.take().is_empty());
    assert_eq!(world.announced().await.len(), 2);
}

#[tokio::test]
async fn a_removed_members_range_ends_with_the_message_that_says_so() {
    let world = World::with(&[2, 3]).await;
    world.talk(2).await;
    assert_eq!(
        world.change(OWNER, Wanted::Remove(vec![3, 9])).await.unwrap().unchanged,
        [9]
    );
    assert_eq!(world.stints(3).await, [(0, Some(4))]);
    assert_eq!((world.members().await, world.count().await), (vec![1, 2], 2));
    assert_eq!(
        world.announced().await[1..],
        [(4, GroupChangeType::MembersRemoved, vec![3])]
    );
    let rows = world.store.shard(GROUP, 0).await.unwrap();
    let row = rows.iter().find(|row| row.user == 3).unwrap();
    assert!(
        row.stint.covers(4) && !row.stint.covers(5),
        "the row stays, for tasks that come late"
    );
}

#[tokio::test]
async fn who_comes_back_has_the_place_they_had_and_a_range_of_their_own() {
    let world = World::with(&[2]).await;
    assert_eq!(world.change(2, Wanted::Leave).await.unwrap(), only(&[2]));
    world.talk(3).await;
    world.change(OWNER, Wanted::Add(vec![2])).await.unwrap();
    assert_eq!(world.stints(2).await, [(0, Some(2)), (5, None)]);
    let rows = world.store.shard(GROUP, 0).await.unwrap();
    let places: Vec<_> = rows.iter().map(|row| (row.user, row.place)).collect();
    assert_eq!(places, [(1, 0), (2, 1), (2, 1)]);
    let stints: Vec<_> = rows[1..]
        .iter()
        .map(|row| (row.stint.joined_after, row.stint.left))
        .collect();
    assert_eq!(stints, [(0, Some(2)), (5, None)]);
    assert_eq!(world.members().await, [1, 2]);
    assert_eq!(world.change(9, Wanted::Leave).await.unwrap().unchanged, [9]);
}

#[tokio::test]
async fn a_change_that_is_asked_for_again_is_told_once() {
    let world = World::with(&[2, 3]).await;
    world.change(OWNER, Wanted::HandOver(2)).await.unwrap();
    assert_eq!(world.change(OWNER, Wanted::HandOver(2)).await.unwrap().unchanged, [2]);
    assert_eq!(world.refused(OWNER, Wanted::HandOver(3)).await, Code::ROLE_TOO_LOW);
    world.change(2, Wanted::MuteMember(3, NOW + 600_000)).await.unwrap();
    let again = Wanted::MuteMember(3, NOW + 620_000);
    assert_eq!(world.change(2, again).await.unwrap().unchanged, [3]);
    assert_eq!(world.announced().await.len(), 3);
}

/// And they could not be let speak again by anybody.
#[tokio::test]
async fn a_muted_member_who_becomes_the_owner_may_speak() {
    let world = World::with(&[2, 3]).await;
    world.change(OWNER, Wanted::MuteMember(2, LATER)).await.unwrap();
    world.change(OWNER, Wanted::HandOver(2)).await.unwrap();
    let owner = world.store.membership(GROUP, 2).await.unwrap().unwrap();
    assert_eq!((owner.role, owner.muted_until_ms), (Role::Owner, 0));
    world.assert_whole("handed over").await;
}

#[tokio::test]
async fn who_has_blocked_the_actor_is_not_added_and_all_of_them_are_named() {
    let world = World::with(&[2, 3]).await;
    for user in [3, 4, 5] {
        world.store.set_blocked(user, OWNER, true).await.unwrap();
    }
    match world.change(OWNER, Wanted::Add(vec![3, 4, 6, 5])).await {
        Err(ChangeError::RefusedFor(Code::BLOCKED, users)) => assert_eq!(users, [4, 5]),
        other => panic!("{other:?}"),
    }
    // Who is in the group already is not asked, nor is anybody for one who may not add.
    assert_eq!(world.change(OWNER, Wanted::Add(vec![3])).await.unwrap().unchanged, [3]);
    assert_eq!(world.refused(3, Wanted::Add(vec![4])).await, Code::ROLE_TOO_LOW);
    match world.create(&new(&[3, 99, 98])).await {
        Err(ChangeError::RefusedFor(Code::USER_NOT_FOUND, users)) => assert_eq!(users, [99, 98]),
        other => panic!("{other:?}"),
    }
}

/// And so it goes from the list of their groups.
#[tokio::test]
async fn a_dissolved_group_can_be_left() {
    let world = World::with(&[2, 3]).await;
    world.change(OWNER, Wanted::Dissolve).await.unwrap();
    let (said, count) = (world.announced().await, world.count().await);
    world.queue.take();
    for user in [OWNER, 2] {
        let of = async || world.store.groups_of(user, 0).await.unwrap().0;
        assert!(of().await[0].0.settings.dissolved_after.is_some());
        assert_eq!(world.change(user, Wanted::Leave).await.unwrap(), only(&[user]));
        assert_eq!(world.change(user, Wanted::Leave).await.unwrap().unchanged, [user]);
        assert!(of().await.is_empty());
        assert_eq!(world.reads(user, ALL).await, [1, 2], "what was said is theirs to read");
    }
    assert_eq!(world.members().await, [3]);
    assert_eq!(
        (world.announced().await, world.count().await),
        (said, count),
        "nobody is told"
    );
    assert!(world.queue.take().is_empty());
}

/// The same users, again and again: they are in one shard, and each message is one task.
#[tokio::test]
async fn who_comes_and_goes_takes_no_place_anew() {
    let world = World::with(&[2]).await;
    for _ in 0..110 {
        world.change(OWNER, Wanted::Add(vec![3, 4])).await.unwrap();
        world.change(OWNER, Wanted::Remove(vec![3, 4])).await.unwrap();
    }
    world.change(OWNER, Wanted::Add(vec![3])).await.unwrap();
    let places: BTreeSet<u64> = world
        .store
        .shard(GROUP, 0)
        .await
        .unwrap()
        .iter()
        .map(|row| row.place)
        .collect();
    assert_eq!(places, BTreeSet::from([0, 1, 2, 3]));
    assert_eq!(world.store.group(GROUP).await.unwrap().unwrap().settings.shards, 1);
    world.queue.take();
    world.change(OWNER, Wanted::Mute(true)).await.unwrap();
    assert_eq!(world.queue.take().len(), 1);
    // The row has as many ranges as the user's own, and no more.
    let rows = world.store.shard(GROUP, 0).await.unwrap();
    let of_3 = rows
        .iter()
        .filter(|row| row.user == 3)
        .map(|row| (row.stint.joined_after, row.stint.left));
    assert_eq!(of_3.collect::<Vec<_>>(), world.stints(3).await);
    // A hundred ranges are read in full.
    assert_eq!(world.stints(3).await.len(), 100);
}

#[tokio::test]
async fn what_a_change_may_not_be_is_refused_and_leaves_nothing() {
    let world = World::with(&[2, 3]).await;
    world.change(OWNER, Wanted::Role(2, Role::Admin)).await.unwrap();
    let before = (world.seen().await, world.announced().await);
    world.queue.take();
    let many: Vec<UserId> = (100..201).collect();
    for (actor, wanted, code) in [
        (9, Wanted::Add(vec![9]), Code::NOT_A_MEMBER),
        (3, Wanted::Add(vec![4]), Code::ROLE_TOO_LOW),
        (2, Wanted::Add(vec![4, 99]), Code::USER_NOT_FOUND),
        (2, Wanted::Add(many.clone()), Code::TOO_MANY_USERS),
        (2, Wanted::Remove(many), Code::TOO_MANY_USERS),
        (2, Wanted::Remove(vec![3, OWNER]), Code::OWNER_STAYS),
        (OWNER, Wanted::Leave, Code::OWNER_STAYS),
        (2, Wanted::HandOver(2), Code::ROLE_TOO_LOW),
        (OWNER, Wanted::HandOver(9), Code::MEMBER_NOT_FOUND),
        (2, Wanted::Dissolve, Code::ROLE_TOO_LOW),
    ] {
        assert_eq!(world.refused(actor, wanted.clone()).await, code, "{wanted:?}");
    }
    let unknown = world
        .store
        .change_group(&world.queue, 78, OWNER, &Wanted::Leave, MessagesFrom::Anyone, NOW)
        .await;
    assert!(matches!(unknown, Err(ChangeError::Refused(Code::GROUP_NOT_FOUND))));
    assert!(world.change(OWNER, Wanted::Add(vec![])).await.unwrap() == Changed::default());
    assert_eq!((world.seen().await, world.announced().await), before);
    assert!(world.queue.take().is_empty());
}

/// Wherever the change dies, a message that is sent before it is finished has a copy, or stands beyond what is said.
#[tokio::test]
async fn a_super_group_says_since_when_it_is_one() {
    let mut in_the_log_alone = 0;
    for calls in 3..7 {
        let world = World::with(&[2, 3]).await;
        let dying = world.engine.store_that_dies_after(calls, false);
        let died = dying
            .change_group(
                &world.queue,
                GROUP,
                OWNER,
                &Wanted::BecomeSuper,
                MessagesFrom::Anyone,
                NOW,
            )
            .await;
        assert!(died.is_err(), "after {calls} calls");
        let sent = world
            .store
            .send_to_group(&world.queue, &draft(1, "in between"), GROUP, NOW)
            .await
            .unwrap();
        world.queue.take();
        world.change(OWNER, Wanted::BecomeSuper).await.unwrap();
        let tasks = world.queue.take();
        let is_beyond = sent.message.conversation_seq > said(&tasks[0]).super_after;
        assert_eq!(is_beyond, sent.own_seq == 0, "after {calls} calls");
        in_the_log_alone += u32::from(is_beyond);
    }
    assert!(in_the_log_alone > 0);
}

/// The last message that every inbox gets says that no more will come that way; after it, those whom a change is about get it.
#[tokio::test]
async fn in_a_super_group_a_change_is_copied_to_those_whom_it_is_about() {
    let world = World::with(&[2, 3]).await;
    world.queue.take();
    world.change(OWNER, Wanted::BecomeSuper).await.unwrap();
    assert_eq!(
        world.change(OWNER, Wanted::BecomeSuper).await.unwrap(),
        Changed::default()
    );
    let settings = world.store.group(GROUP).await.unwrap().unwrap().settings;
    assert!(settings.is_super(2) && !settings.is_super(1));
    let tasks = world.queue.take();
    assert!(
        matches!(
            tasks.as_slice(),
            [Task::Deliver {
                audience: Audience::Shard(0),
                ..
            }]
        ),
        "{tasks:?}"
    );
    assert!(said(&tasks[0]).super_group);
    for (wanted, about) in [
        (Wanted::Add(vec![4, 5]), vec![4, 5]),
        (Wanted::Remove(vec![5]), vec![5]),
        (Wanted::Role(2, Role::Admin), vec![2]),
        (Wanted::MuteMember(4, LATER), vec![4]),
        (Wanted::HandOver(2), vec![2, 1]),
    ] {
        world.change(OWNER, wanted.clone()).await.unwrap();
        let tasks = world.queue.take();
        match tasks.as_slice() {
            [
                Task::Announce { shards, .. },
                Task::Deliver {
                    audience: Audience::Users(users),
                    ..
                },
            ] => {
                assert_eq!((shards.clone(), users), (0..1, &about), "{wanted:?}");
            }
            other => panic!("{wanted:?}: {other:?}"),
        }
    }
    for wanted in [
        Wanted::Mute(true),
        Wanted::Rename("others".to_owned()),
        Wanted::Dissolve,
    ] {
        world.change(2, wanted).await.unwrap();
        assert!(matches!(world.queue.take().as_slice(), [Task::Announce { .. }]));
    }
}

#[tokio::test]
async fn members_fill_one_shard_after_the_other() {
    let users = 640;
    let world = World::empty(users).await;
    world.create(&new(&(2..=101).collect::<Vec<_>>())).await.unwrap();
    for first in (102..=users).step_by(100) {
        let added = (first..=users.min(first + 99)).collect();
        world.change(OWNER, Wanted::Add(added)).await.unwrap();
    }
    world.queue.take();
    world.change(OWNER, Wanted::Remove((450..550).collect())).await.unwrap();
    let shards: Vec<u32> = world
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
    assert_eq!(world.store.shard(GROUP, 0).await.unwrap().len(), 500);
    assert_eq!(world.store.shard(GROUP, 1).await.unwrap().len(), 140);
    let (mut members, mut from) = (Vec::new(), Some(0));
    while let Some(place) = from {
        let (page, next) = world.store.members_of(GROUP, place).await.unwrap();
        members.extend(page.iter().map(|member| member.user));
        from = next;
    }
    assert_eq!(members, (1..450).chain(550..=users).collect::<Vec<_>>());
    assert_eq!(world.count().await, 540);
}
