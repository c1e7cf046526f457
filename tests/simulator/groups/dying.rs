//! Changes whose maker dies half-way, and who finishes them.

use super::*;

/// A function that dies after its `n`th call, for every `n`: whoever comes next finishes what it began, and a repeat makes it
/// where it had not begun.
#[tokio::test]
async fn a_change_that_died_half_way_is_finished_by_the_next_one() {
    for wanted in wishes() {
        let world = World::with(&[2, 3]).await;
        let before = world.seen().await;
        world.change(OWNER, wanted.clone()).await.unwrap();
        let after = world.seen().await;
        assert_ne!(before, after);
        for answer_lost in [true, false] {
            for calls in 1.. {
                let what = format!("{wanted:?} dies after {calls} calls, answer lost: {answer_lost}");
                let world = World::with(&[2, 3]).await;
                let dying = world.engine.store_that_dies_after(calls, answer_lost);
                let died = dying
                    .change_group(&world.queue, GROUP, OWNER, &wanted, MessagesFrom::Anyone, NOW)
                    .await;
                assert_eq!(world.change(9, Wanted::Leave).await.unwrap().unchanged, [9], "{what}");
                world.assert_whole(&what).await;
                let seen = world.seen().await;
                assert!(seen == before || seen == after, "{what}: {seen:?}");
                let _ = world.change(OWNER, wanted.clone()).await;
                assert_eq!(world.seen().await, after, "{what}");
                if died.is_ok() {
                    assert!(calls > 7, "{what}");
                    break;
                }
            }
        }
    }
}

/// A function that dies after its `n`th call, for every `n`, and nobody follows: the worker's task finishes what it began, and nothing
/// where it had not begun. It leaves alone what may still be under way.
#[tokio::test]
async fn a_change_that_died_half_way_is_finished_by_the_worker() {
    let more = [
        Wanted::Rename("others".to_owned()),
        Wanted::Mute(true),
        Wanted::Role(3, Role::Admin),
        Wanted::Remove(vec![3]),
    ];
    for wanted in wishes().into_iter().chain(more) {
        let world = World::with(&[2, 3]).await;
        let before = world.seen().await;
        world.change(OWNER, wanted.clone()).await.unwrap();
        let (after, said) = (world.seen().await, world.announced().await);
        for answer_lost in [true, false] {
            for calls in 1.. {
                let what = format!("{wanted:?} dies after {calls} calls, answer lost: {answer_lost}");
                let world = World::with(&[2, 3]).await;
                let dying = world.engine.store_that_dies_after(calls, answer_lost);
                let died = dying
                    .change_group(&world.queue, GROUP, OWNER, &wanted, MessagesFrom::Anyone, NOW)
                    .await;
                let begun = world.store.group(GROUP).await.unwrap().unwrap().unfinished_since_ms;
                let left = (world.seen().await, world.announced().await);
                world.queue.finish(&world.store, NOW).await;
                assert_eq!((world.seen().await, world.announced().await), left, "{what}: too early");
                world.queue.finish(&world.store, LEFT).await;
                assert!(world.queue.take_finishes().is_empty(), "{what}");
                world.assert_whole(&what).await;
                if begun.is_some() || died.is_ok() {
                    assert_eq!(world.seen().await, after, "{what}");
                    let announced = world.announced().await;
                    let what_was_said = |said: &[(u64, GroupChangeType, Vec<UserId>)]| -> Vec<_> {
                        said.iter().map(|(_, change, users)| (*change, users.clone())).collect()
                    };
                    assert_eq!(what_was_said(&announced), what_was_said(&said), "{what}");
                } else {
                    assert_eq!(world.seen().await, left.0, "{what}");
                    assert!(left.0 == before || left.0 == after, "{what}");
                }
                if died.is_ok() {
                    break;
                }
            }
        }
    }
}

/// A change whose finishing cannot be promised does not begin.
#[tokio::test]
async fn a_change_does_not_begin_where_the_queue_does_not_take_its_task() {
    struct Broken;
    impl TaskQueue for Broken {
        async fn enqueue(&self, _: &[Task]) -> Result<(), StoreError> {
            Err(StoreError::Throttled {
                operation: "SendMessageBatch",
            })
        }
    }
    let world = World::with(&[2, 3]).await;
    let before = world.engine.items("directory");
    for wanted in wishes() {
        let changed = world
            .store
            .change_group(&Broken, GROUP, OWNER, &wanted, MessagesFrom::Anyone, NOW)
            .await;
        assert!(matches!(changed, Err(ChangeError::Store(_))), "{wanted:?}");
    }
    let made = world
        .store
        .create_group(&Broken, GROUP + 1, OWNER, &new(&[2]), MessagesFrom::Anyone, NOW)
        .await;
    assert!(matches!(made, Err(ChangeError::Store(_))));
    assert_eq!(world.engine.items("directory"), before);
}

/// Whoever was to begin a change died before; another made one of the same version much later: that one has a task of its own.
#[tokio::test]
async fn a_change_that_never_began_is_not_taken_for_the_one_in_its_place() {
    let world = World::with(&[2, 3]).await;
    world.queue.take_finishes();
    let dying = world.engine.store_that_dies_after(3, false);
    let add = Wanted::Add(vec![4]);
    let died = dying
        .change_group(&world.queue, GROUP, OWNER, &add, MessagesFrom::Anyone, NOW)
        .await;
    assert!(died.is_err());
    world.change(OWNER, Wanted::Mute(true)).await.unwrap();
    let ids: BTreeSet<String> = world.queue.take_finishes().iter().map(Task::deduplication).collect();
    let dying = world.engine.store_that_dies_after(3, true);
    let died = dying
        .change_group(
            &world.queue,
            GROUP,
            OWNER,
            &Wanted::Mute(false),
            MessagesFrom::Anyone,
            LATER,
        )
        .await;
    assert!(died.is_err());
    let again = world.queue.take_finishes();
    assert!(again.iter().all(|task| !ids.contains(&task.deduplication())));
}

/// What is said while an addition lies unfinished is not for who had no row by then.
#[tokio::test]
async fn who_is_added_late_reads_nothing_of_before() {
    let (mut without, mut with) = (0, 0);
    for super_group in [false, true] {
        for calls in 4..20 {
            let what = format!("super group: {super_group}, dies after {calls} calls");
            let world = World::empty(6).await;
            let group = NewGroup {
                super_group,
                ..new(&[2, 3])
            };
            world.create(&group).await.unwrap();
            let dying = world.engine.store_that_dies_after(calls, true);
            let add = Wanted::Add(vec![4, 5]);
            let died = dying
                .change_group(&world.queue, GROUP, OWNER, &add, MessagesFrom::Anyone, NOW)
                .await;
            let begun = world.store.group(GROUP).await.unwrap().unwrap().unfinished_since_ms;
            if begun.is_none() || died.is_ok() {
                continue;
            }
            let had_a_row = [
                world.store.membership(GROUP, 4).await.unwrap().is_some(),
                world.store.membership(GROUP, 5).await.unwrap().is_some(),
            ];
            for number in 1..=3 {
                let said = draft(number, "in between");
                world
                    .store
                    .send_to_group(&world.queue, &said, GROUP, NOW)
                    .await
                    .unwrap();
            }
            world.queue.finish(&world.store, LEFT).await;
            for (user, had_a_row) in [(4, had_a_row[0]), (5, had_a_row[1])] {
                let page = world.history(user, ALL).await.unwrap();
                let said = page.messages.iter().filter(|message| message.group_change.is_none());
                let expected = if had_a_row { 3 } else { 0 };
                assert_eq!(said.count(), expected, "{what}: {user}");
                let told = page.messages.iter().filter_map(|message| message.group_change.as_ref());
                let told = told.map(GroupChange::r#type);
                assert_eq!(
                    told.collect::<Vec<_>>(),
                    [GroupChangeType::MembersAdded],
                    "{what}: {user}"
                );
                *(if had_a_row { &mut with } else { &mut without }) += 1;
            }
            // The rows of users and shard agree.
            for row in world.store.shard(GROUP, 0).await.unwrap() {
                assert_eq!(
                    world.stints(row.user).await,
                    [(row.stint.joined_after, row.stint.left)],
                    "{what}"
                );
            }
        }
    }
    assert!(without > 2 && with > 2, "{without} {with}");
}

/// Two carry one addition out, and have looked at the log at different times: what the first of them wrote holds, in both rows.
#[tokio::test]
async fn all_who_carry_an_addition_out_agree_since_when_it_holds() {
    let turns = async || {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    };
    let world = World::with(&[2, 3]).await;
    // It has begun the change, and put no row.
    let (makers, maker_goes_on) = world.engine.store_held_up_after(5);
    let queue = world.queue.clone();
    let maker = tokio::spawn(async move {
        let add = Wanted::Add(vec![4]);
        makers
            .change_group(&queue, GROUP, OWNER, &add, MessagesFrom::Anyone, NOW)
            .await
    });
    turns().await;
    assert!(
        world
            .store
            .group(GROUP)
            .await
            .unwrap()
            .unwrap()
            .unfinished_since_ms
            .is_some()
    );
    world.talk(3).await;
    // It has found no row, and put none.
    let (workers, worker_goes_on) = world.engine.store_held_up_after(3);
    let queue = world.queue.clone();
    let worker = tokio::spawn(async move { workers.finish_left_change(&queue, GROUP, 2, NOW, LEFT).await });
    turns().await;
    maker_goes_on.add_permits(1);
    turns().await;
    assert_eq!(world.stints(4).await, [(1, None)], "the user's row alone");
    assert_eq!(world.members().await, [1, 2, 3]);
    worker_goes_on.add_permits(1000);
    worker.await.unwrap().unwrap();
    maker_goes_on.add_permits(1000);
    maker.await.unwrap().unwrap();
    let rows = world.store.shard(GROUP, 0).await.unwrap();
    let row = rows.iter().find(|row| row.user == 4).unwrap();
    assert_eq!((row.stint.joined_after, row.stint.left), (1, None));
    world.assert_whole("added by two").await;
}

#[tokio::test]
async fn the_same_request_makes_one_group_wherever_it_died() {
    for answer_lost in [true, false] {
        for calls in 1.. {
            let what = format!("dies after {calls} calls, answer lost: {answer_lost}");
            let world = World::empty(9).await;
            let request = NewGroup {
                request: Some("a".to_owned()),
                ..new(&[2, 3])
            };
            let dying = world.engine.store_that_dies_after(calls, answer_lost);
            let died = dying
                .create_group(&world.queue, GROUP, OWNER, &request, MessagesFrom::Anyone, NOW)
                .await;
            // A user has thought better of it; the group may stand by then.
            world.create(&request).await.unwrap();
            world.create(&request).await.unwrap();
            world.assert_whole(&what).await;
            assert_eq!(world.announced().await.len(), 1, "{what}");
            let other = NewGroup {
                request: Some("b".to_owned()),
                ..request.clone()
            };
            assert!(matches!(
                world.create(&other).await,
                Err(ChangeError::Refused(Code::BUSY))
            ));
            let by_another = world
                .store
                .create_group(&world.queue, GROUP, 2, &request, MessagesFrom::Anyone, NOW)
                .await;
            assert!(by_another.is_err(), "{what}");
            if died.is_ok() {
                break;
            }
        }
    }
}

/// Nobody is told, and so nobody would miss it: what was begun is finished all the same.
#[tokio::test]
async fn who_died_while_leaving_a_dissolved_group_has_left_it_or_has_not() {
    for calls in 1.. {
        let world = World::with(&[2, 3]).await;
        world.change(OWNER, Wanted::Dissolve).await.unwrap();
        let dying = world.engine.store_that_dies_after(calls, true);
        let died = dying
            .change_group(&world.queue, GROUP, 2, &Wanted::Leave, MessagesFrom::Anyone, NOW)
            .await;
        let begun = world.store.group(GROUP).await.unwrap().unwrap().unfinished_since_ms;
        world.queue.finish(&world.store, LEFT).await;
        let stints = world.stints(2).await;
        let has_left = stints == [(0, Some(2))];
        assert!(
            has_left || stints == [(0, None)],
            "dies after {calls} calls: {stints:?}"
        );
        assert!(
            has_left || (begun.is_none() && died.is_err()),
            "dies after {calls} calls"
        );
        let rows = world.store.shard(GROUP, 0).await.unwrap();
        let row = rows.iter().find(|row| row.user == 2).unwrap();
        assert_eq!(
            [(row.stint.joined_after, row.stint.left)],
            *stints,
            "dies after {calls} calls"
        );
        if died.is_ok() {
            break;
        }
    }
}

#[tokio::test]
async fn a_group_whose_maker_died_is_whole_or_is_not() {
    for answer_lost in [true, false] {
        for calls in 1.. {
            let what = format!("dies after {calls} calls, answer lost: {answer_lost}");
            let world = World::empty(9).await;
            let dying = world.engine.store_that_dies_after(calls, answer_lost);
            let died = dying
                .create_group(&world.queue, GROUP, OWNER, &new(&[2, 3]), MessagesFrom::Anyone, NOW)
                .await;
            match world.change(9, Wanted::Leave).await {
                Ok(_) => world.assert_whole(&what).await,
                Err(ChangeError::Refused(Code::GROUP_NOT_FOUND)) => {
                    assert!(world.announced().await.is_empty(), "{what}");
                    assert_eq!(world.stints(2).await, [], "{what}");
                }
                other => panic!("{what}: {other:?}"),
            }
            if died.is_ok() {
                break;
            }
        }
    }
}

/// Held up between two calls for as long as others take to make two more changes.
#[tokio::test]
async fn a_helper_that_comes_late_changes_nothing() {
    for wanted in wishes() {
        for calls in 3..9 {
            let world = World::with(&[2, 3]).await;
            let (held_up, go_on) = world.engine.store_held_up_after(calls);
            let late = tokio::spawn({
                let (queue, wanted) = (world.queue.clone(), wanted.clone());
                async move {
                    held_up
                        .change_group(&queue, GROUP, OWNER, &wanted, MessagesFrom::Anyone, NOW)
                        .await
                }
            });
            // All that it does before it is held up.
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            for wanted in [
                Wanted::Remove(vec![2, 3, 4]),
                Wanted::Add(vec![2, 4]),
                Wanted::MuteMember(2, LATER + 1),
                Wanted::OpenHistory(false),
            ] {
                let _ = world.change(OWNER, wanted).await;
            }
            let seen = world.seen().await;
            go_on.add_permits(1000);
            late.await.unwrap().unwrap();
            let what = format!("{wanted:?} is held up after {calls} calls");
            // Adding reads more before it begins. What has not begun is made now.
            if calls > 4 || !matches!(wanted, Wanted::Add(_)) {
                assert_eq!(world.seen().await, seen, "{what}");
            }
            world.assert_whole(&what).await;
        }
    }
}

#[tokio::test]
async fn a_change_that_was_left_is_finished_by_who_looks_at_the_group() {
    let world = World::with(&[2, 3]).await;
    let dying = world.engine.store_that_dies_after(4, false);
    let wanted = Wanted::Remove(vec![3]);
    let died = dying
        .change_group(&world.queue, GROUP, OWNER, &wanted, MessagesFrom::Anyone, NOW)
        .await;
    assert!(died.is_err());
    world.queue.take();
    let group = world.store.group(GROUP).await.unwrap().unwrap();
    assert!(!group.is_left_unfinished(NOW) && group.is_left_unfinished(LATER));
    world.store.finish_change(&world.queue, GROUP, LATER).await.unwrap();
    assert_eq!(world.queue.take().len(), 1);
    let group = world.store.group(GROUP).await.unwrap().unwrap();
    assert_eq!((group.members, group.unfinished_since_ms), (2, None));
    let removed = world.store.membership(GROUP, 3).await.unwrap().unwrap();
    assert!(!removed.is_active());
}
