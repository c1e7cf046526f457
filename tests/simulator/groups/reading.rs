//! Who may read what of a group, and which groups there are.

use super::*;

#[tokio::test]
async fn a_member_reads_their_ranges_and_nothing_between_them() {
    let world = World::with(&[2]).await;
    for _ in 0..3 {
        world.change(OWNER, Wanted::Add(vec![3])).await.unwrap();
        world.change(OWNER, Wanted::Add(vec![4])).await.unwrap();
        world.change(OWNER, Wanted::Remove(vec![3])).await.unwrap();
        world.change(OWNER, Wanted::Remove(vec![4])).await.unwrap();
    }
    let entitled = [2, 3, 4, 6, 7, 8, 10, 11, 12];
    for limit in [1, 2, 100] {
        let up = HistoryRange { limit, ..ALL };
        let down = HistoryRange { descending: true, ..up };
        assert_eq!(world.reads(3, up).await, entitled);
        assert_eq!(
            world.reads(3, down).await,
            entitled.into_iter().rev().collect::<Vec<_>>()
        );
    }
    let middle = HistoryRange {
        begin_seq: 4,
        end_seq: 7,
        ..ALL
    };
    assert_eq!(world.reads(3, middle).await, [4, 6, 7]);
    assert_eq!(world.history(3, ALL).await.unwrap().max_seq, 12);
    assert_eq!(world.history(OWNER, ALL).await.unwrap().max_seq, 13);
    let between = HistoryRange {
        begin_seq: 5,
        end_seq: 5,
        ..ALL
    };
    let empty = world.history(3, between).await.unwrap();
    assert_eq!((empty.messages.len(), empty.next_seq, empty.has_more), (0, 0, false));
    match world.history(9, ALL).await {
        Err(ChangeError::Refused(Code::NOT_A_MEMBER)) => {}
        other => panic!("{other:?}"),
    }
}

/// By the counter alone nobody could tell: a seq that is taken and given up raises it, too.
#[tokio::test]
async fn the_last_page_says_so_to_who_has_left_and_to_all_once_the_group_is_dissolved() {
    let world = World::with(&[2, 3]).await;
    let ended = async |user, wanted| world.history(user, wanted).await.unwrap().ended;
    assert!(!ended(3, ALL).await, "they are in it");
    world.change(OWNER, Wanted::Remove(vec![3])).await.unwrap();
    assert!(ended(3, ALL).await && !ended(2, ALL).await);
    let from = |begin_seq| HistoryRange { begin_seq, ..ALL };
    assert!(ended(3, from(3)).await, "asked for what comes after the end");
    let one = HistoryRange { limit: 1, ..ALL };
    assert!(!ended(3, one).await, "there is another page");
    let to_one = HistoryRange { end_seq: 1, ..ALL };
    assert!(!ended(3, to_one).await, "no more was asked for");
    world.change(OWNER, Wanted::Add(vec![3])).await.unwrap();
    assert!(!ended(3, ALL).await, "they are back");

    world.change(OWNER, Wanted::Dissolve).await.unwrap();
    world.talk(3).await;
    for user in [OWNER, 2, 3] {
        let page = world.history(user, ALL).await.unwrap();
        assert_eq!((page.ended, page.max_seq, page.members), (true, 7, 500));
    }
    let log = TimelineId::group(GROUP);
    world.store.reserve(&log, 1, Missing::Refuse, NOW).await.unwrap();
    assert!(!ended(2, ALL).await, "something is being written");
}

#[tokio::test]
async fn an_open_history_is_read_from_the_start_by_members_alone() {
    let world = World::with(&[2]).await;
    world.change(OWNER, Wanted::Add(vec![3, 4])).await.unwrap();
    world.change(OWNER, Wanted::Remove(vec![4])).await.unwrap();
    assert_eq!(world.reads(3, ALL).await, [2, 3]);
    world.change(OWNER, Wanted::OpenHistory(true)).await.unwrap();
    assert_eq!(world.reads(3, ALL).await, [1, 2, 3, 4]);
    assert_eq!(world.reads(4, ALL).await, [2, 3]);
    world.change(OWNER, Wanted::OpenHistory(false)).await.unwrap();
    assert_eq!(world.reads(3, ALL).await, [2, 3, 4, 5]);
}

/// A reader that is held up between any two of its calls, while the user is removed and others go on talking.
#[tokio::test]
async fn who_is_removed_while_they_read_reads_nothing_of_after() {
    for open_history in [false, true] {
        for calls in 0..5 {
            let world = World::empty(6).await;
            let group = NewGroup {
                open_history,
                ..new(&[2, 3])
            };
            world.create(&group).await.unwrap();
            let (slow, go_on) = world.engine.store_held_up_after(calls);
            let reading =
                tokio::spawn(async move { slow.group_history(2, GROUP, ALL, Encoding::Json, NOW).await.unwrap() });
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            world.change(OWNER, Wanted::Remove(vec![2])).await.unwrap();
            let said = draft(1, "after the removal");
            world
                .store
                .send_to_group(&world.queue, &said, GROUP, NOW)
                .await
                .unwrap();
            go_on.add_permits(1000);
            let page = reading.await.unwrap();
            let heard = page.messages.iter().filter(|message| message.group_change.is_none());
            assert_eq!(
                (heard.count(), page.max_seq < 3),
                (0, true),
                "held up after {calls} calls"
            );
            // The message of the removal is at 2, and theirs.
            assert_eq!(page.ended, page.max_seq == 2, "held up after {calls} calls");
        }
    }
}

#[tokio::test]
async fn a_dissolved_group_stays_as_it_is_and_can_be_read() {
    let world = World::with(&[2]).await;
    world.change(OWNER, Wanted::Dissolve).await.unwrap();
    assert_eq!(world.change(OWNER, Wanted::Dissolve).await.unwrap(), Changed::default());
    for wanted in [Wanted::Add(vec![3]), Wanted::Mute(true)] {
        assert_eq!(world.refused(OWNER, wanted).await, Code::GROUP_DISSOLVED);
    }
    let settings = world.store.group(GROUP).await.unwrap().unwrap().settings;
    assert_eq!(settings.dissolved_after, Some(1));
    assert_eq!(world.reads(2, ALL).await, [1, 2]);
    world.assert_whole("dissolved").await;
}

#[tokio::test]
async fn a_user_sees_the_groups_they_are_in_page_by_page() {
    let world = World::empty(2).await;
    for group in 1..=120 {
        let made = world
            .store
            .create_group(&world.queue, group, OWNER, &new(&[2]), MessagesFrom::Anyone, NOW)
            .await;
        made.unwrap();
        if group % 3 == 0 {
            let left = world
                .store
                .change_group(&world.queue, group, 2, &Wanted::Leave, MessagesFrom::Anyone, NOW)
                .await;
            left.unwrap();
        }
    }
    let (mut ids, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let (page, next) = world.store.groups_of(2, from).await.unwrap();
        assert!(
            page.iter()
                .all(|(group, membership)| group.id == membership.group && group.members == 2)
        );
        ids.extend(page.iter().map(|(group, _)| group.id));
        after = next;
    }
    assert_eq!(ids, (1..=120).filter(|id| id % 3 != 0).collect::<Vec<_>>());
}
