//! Who may read what of a group.

use super::OWNER;
use crate::harness::group::{GROUP, TestGroup, WHOLE_HISTORY, new_group};
use crate::harness::{NOW, draft, let_others_run};
use wigwag_domain::groups::NewGroup;
use wigwag_domain::groups::rules::Wanted;
use wigwag_domain::relation::MessagesFrom;
use wigwag_domain::{GroupId, TimelineId, UserId};
use wigwag_messaging::pull::{HistoryRange, PullError};
use wigwag_protocol::Encoding;
use wigwag_store::timelines::Missing;
use wigwag_store::{groups, timelines};

#[tokio::test]
async fn a_member_reads_their_membership_intervals_and_nothing_between() {
    let friends = TestGroup::with(OWNER, &[UserId(2)]).await;
    for _ in 0..3 {
        friends.change(OWNER, Wanted::Add(vec![UserId(3)])).await.unwrap();
        friends.change(OWNER, Wanted::Add(vec![UserId(4)])).await.unwrap();
        friends.change(OWNER, Wanted::Remove(vec![UserId(3)])).await.unwrap();
        friends.change(OWNER, Wanted::Remove(vec![UserId(4)])).await.unwrap();
    }
    let entitled = [2, 3, 4, 6, 7, 8, 10, 11, 12];
    for limit in [1, 2, 100] {
        let up = HistoryRange { limit, ..WHOLE_HISTORY };
        let down = HistoryRange { descending: true, ..up };
        assert_eq!(friends.reads(UserId(3), up).await, entitled);
        assert_eq!(
            friends.reads(UserId(3), down).await,
            entitled.into_iter().rev().collect::<Vec<_>>()
        );
    }
    let middle = HistoryRange {
        begin_seq: 4,
        end_seq: 7,
        ..WHOLE_HISTORY
    };
    assert_eq!(friends.reads(UserId(3), middle).await, [4, 6, 7]);
    assert_eq!(friends.history(UserId(3), WHOLE_HISTORY).await.unwrap().max_seq, 12);
    assert_eq!(friends.history(OWNER, WHOLE_HISTORY).await.unwrap().max_seq, 13);
    let between = HistoryRange {
        begin_seq: 5,
        end_seq: 5,
        ..WHOLE_HISTORY
    };
    let empty = friends.history(UserId(3), between).await.unwrap();
    assert_eq!((empty.messages.len(), empty.next_seq, empty.has_more), (0, 0, false));
    match friends.history(UserId(9), WHOLE_HISTORY).await {
        Err(PullError::NotAMember) => {}
        other => panic!("{other:?}"),
    }
}

/// The counter alone does not tell: a seq that is reserved and sealed raises it too.
#[tokio::test]
async fn the_last_page_says_so_to_former_members_and_to_all_of_a_dissolved_group() {
    let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
    let ended = async |user, wanted| friends.history(user, wanted).await.unwrap().ended;
    assert!(!ended(UserId(3), WHOLE_HISTORY).await, "user 3 is a member");
    friends.change(OWNER, Wanted::Remove(vec![UserId(3)])).await.unwrap();
    assert!(ended(UserId(3), WHOLE_HISTORY).await && !ended(UserId(2), WHOLE_HISTORY).await);
    let from = |begin_seq| HistoryRange {
        begin_seq,
        ..WHOLE_HISTORY
    };
    assert!(ended(UserId(3), from(3)).await, "nothing comes after the end");
    let one = HistoryRange {
        limit: 1,
        ..WHOLE_HISTORY
    };
    assert!(!ended(UserId(3), one).await, "there is another page");
    let to_one = HistoryRange {
        end_seq: 1,
        ..WHOLE_HISTORY
    };
    assert!(!ended(UserId(3), to_one).await, "the asked range ends earlier");
    friends.change(OWNER, Wanted::Add(vec![UserId(3)])).await.unwrap();
    assert!(!ended(UserId(3), WHOLE_HISTORY).await, "user 3 is back");

    friends.change(OWNER, Wanted::Dissolve).await.unwrap();
    friends.seal_seqs(3).await;
    for user in [OWNER, UserId(2), UserId(3)] {
        let page = friends.history(user, WHOLE_HISTORY).await.unwrap();
        assert_eq!((page.ended, page.max_seq, page.members), (true, 7, 500));
    }
    let log = TimelineId::group(GROUP);
    timelines::reserve(&friends.store, &log, 1, Missing::Refuse, NOW)
        .await
        .unwrap();
    assert!(!ended(UserId(2), WHOLE_HISTORY).await, "something is being written");
}

#[tokio::test]
async fn an_open_history_is_read_from_the_start_by_members_alone() {
    let friends = TestGroup::with(OWNER, &[UserId(2)]).await;
    friends
        .change(OWNER, Wanted::Add(vec![UserId(3), UserId(4)]))
        .await
        .unwrap();
    friends.change(OWNER, Wanted::Remove(vec![UserId(4)])).await.unwrap();
    assert_eq!(friends.reads(UserId(3), WHOLE_HISTORY).await, [2, 3]);
    friends.change(OWNER, Wanted::OpenHistory(true)).await.unwrap();
    assert_eq!(friends.reads(UserId(3), WHOLE_HISTORY).await, [1, 2, 3, 4]);
    assert_eq!(friends.reads(UserId(4), WHOLE_HISTORY).await, [2, 3]);
    friends.change(OWNER, Wanted::OpenHistory(false)).await.unwrap();
    assert_eq!(friends.reads(UserId(3), WHOLE_HISTORY).await, [2, 3, 4, 5]);
}

/// The reader is held up between any two of its calls, while the user is removed and others go on
/// sending.
#[tokio::test]
async fn a_user_who_is_removed_while_reading_reads_nothing_from_after() {
    for open_history in [false, true] {
        for calls in 0..5 {
            let friends = TestGroup::empty(OWNER, UserId(6)).await;
            let group = NewGroup {
                open_history,
                ..new_group(&[UserId(2), UserId(3)])
            };
            friends.create(&group).await.unwrap();
            let (slow, go_on) = friends.engine.store_held_up_after(calls);
            let reading = tokio::spawn(async move {
                wigwag_messaging::pull_group(&slow, UserId(2), GROUP, WHOLE_HISTORY, Encoding::Json, NOW)
                    .await
                    .unwrap()
            });
            let_others_run().await;
            friends.change(OWNER, Wanted::Remove(vec![UserId(2)])).await.unwrap();
            let said = draft(1, "after the removal");
            wigwag_messaging::send_to_group(&friends.store, &friends.queue, &said, GROUP, NOW)
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
            // The announcement of the removal, at 2, is theirs to read.
            assert_eq!(page.ended, page.max_seq == 2, "held up after {calls} calls");
        }
    }
}

#[tokio::test]
async fn a_user_sees_the_groups_they_are_in_page_by_page() {
    let friends = TestGroup::empty(OWNER, UserId(2)).await;
    for group in 1..=120 {
        let made = wigwag_messaging::create_group(
            &friends.store,
            &friends.queue,
            GroupId(group),
            OWNER,
            &new_group(&[UserId(2)]),
            MessagesFrom::Anyone,
            NOW,
        )
        .await;
        made.unwrap();
        if group % 3 == 0 {
            let left = wigwag_messaging::change_group(
                &friends.store,
                &friends.queue,
                GroupId(group),
                UserId(2),
                &Wanted::Leave,
                MessagesFrom::Anyone,
                NOW,
            )
            .await;
            left.unwrap();
        }
    }
    let (mut ids, mut after) = (Vec::new(), Some(GroupId(0)));
    while let Some(from) = after {
        let (page, next) = groups::groups_of(&friends.store, UserId(2), from).await.unwrap();
        assert!(
            page.iter()
                .all(|(group, membership)| group.id == membership.group && group.members == 2)
        );
        ids.extend(page.iter().map(|(group, _)| group.id));
        after = next;
    }
    assert_eq!(ids, (1..=120).filter(|id| id % 3 != 0).map(GroupId).collect::<Vec<_>>());
}
