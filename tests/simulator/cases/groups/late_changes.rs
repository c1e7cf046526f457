//! Changes that are carried out late, or by two at once.

use super::{OWNER, every_change};
use crate::harness::group::{GROUP, TestGroup, WHOLE_HISTORY, new_group};
use crate::harness::{ABANDONED, LATER, NOW, draft, ids, let_others_run};
use wigwag_domain::UserId;
use wigwag_domain::groups::NewGroup;
use wigwag_domain::groups::rules::Wanted;
use wigwag_domain::relation::MessagesFrom;
use wigwag_protocol::pb::{GroupChange, GroupChangeType};
use wigwag_store::groups;

/// What is sent while an addition is unfinished is not for users who had no row by then.
#[tokio::test]
async fn a_user_whose_addition_is_finished_late_reads_nothing_from_before() {
    let (mut without, mut with) = (0, 0);
    for super_group in [false, true] {
        for calls in 4..20 {
            let what = format!("super group: {super_group}, dies after {calls} calls");
            let friends = TestGroup::empty(OWNER, UserId(6)).await;
            let group = NewGroup {
                super_group,
                ..new_group(&[UserId(2), UserId(3)])
            };
            friends.create(&group).await.unwrap();
            let dying = friends.engine.store_that_dies_after(calls, true);
            let add = Wanted::Add(vec![UserId(4), UserId(5)]);
            let died = friends.change_by(&dying, OWNER, &add).await;
            let begun = friends.unfinished_since_ms().await;
            if begun.is_none() || died.is_ok() {
                continue;
            }
            let had_a_row = [
                groups::membership(&friends.store, GROUP, UserId(4))
                    .await
                    .unwrap()
                    .is_some(),
                groups::membership(&friends.store, GROUP, UserId(5))
                    .await
                    .unwrap()
                    .is_some(),
            ];
            for number in 1..=3 {
                let said = draft(number, "in between");
                wigwag_messaging::send_to_group(&friends.store, &friends.queue, &said, GROUP, NOW)
                    .await
                    .unwrap();
            }
            friends.queue.finish(&friends.store, ABANDONED).await;
            for (user, had_a_row) in [(4, had_a_row[0]), (5, had_a_row[1])] {
                let page = friends.history(UserId(user), WHOLE_HISTORY).await.unwrap();
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
            // The rows of users and of the shard agree.
            for row in groups::shard(&friends.store, GROUP, 0).await.unwrap() {
                assert_eq!(
                    friends.intervals(row.user).await,
                    [(row.interval.joined_after, row.interval.left)],
                    "{what}"
                );
            }
        }
    }
    assert!(without > 2 && with > 2, "{without} {with}");
}

/// Two carry out one addition and looked at the log at different times: what the first one wrote
/// holds, in both rows.
#[tokio::test]
async fn everyone_who_carries_out_an_addition_agrees_on_its_first_seq() {
    let turns = async || {
        let_others_run().await;
    };
    let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
    // The maker has begun the change, and put no row.
    let (makers, maker_goes_on) = friends.engine.store_held_up_after(5);
    let queue = friends.queue.clone();
    let maker = tokio::spawn(async move {
        let add = Wanted::Add(vec![UserId(4)]);
        wigwag_messaging::change_group(&makers, &queue, GROUP, OWNER, &add, MessagesFrom::Anyone, NOW).await
    });
    turns().await;
    assert!(friends.unfinished_since_ms().await.is_some());
    friends.seal_seqs(3).await;
    // The worker has found no row, and put none.
    let (workers, worker_goes_on) = friends.engine.store_held_up_after(3);
    let queue = friends.queue.clone();
    let worker =
        tokio::spawn(
            async move { wigwag_messaging::finish_left_change(&workers, &queue, GROUP, 2, NOW, ABANDONED).await },
        );
    turns().await;
    maker_goes_on.add_permits(1);
    turns().await;
    assert_eq!(friends.intervals(UserId(4)).await, [(1, None)], "the user's row alone");
    assert_eq!(friends.members().await, ids([1, 2, 3]));
    worker_goes_on.add_permits(1000);
    worker.await.unwrap().unwrap();
    maker_goes_on.add_permits(1000);
    maker.await.unwrap().unwrap();
    let rows = groups::shard(&friends.store, GROUP, 0).await.unwrap();
    let row = rows.iter().find(|row| row.user == UserId(4)).unwrap();
    assert_eq!((row.interval.joined_after, row.interval.left), (1, None));
    friends.assert_whole("added by two").await;
}

/// It is held up between two calls while others make more changes.
#[tokio::test]
async fn a_helper_that_comes_late_changes_nothing() {
    for wanted in every_change() {
        for calls in 3..9 {
            let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
            let (held_up, go_on) = friends.engine.store_held_up_after(calls);
            let late = tokio::spawn({
                let (queue, wanted) = (friends.queue.clone(), wanted.clone());
                async move {
                    wigwag_messaging::change_group(&held_up, &queue, GROUP, OWNER, &wanted, MessagesFrom::Anyone, NOW)
                        .await
                }
            });
            let_others_run().await;
            for wanted in [
                Wanted::Remove(vec![UserId(2), UserId(3), UserId(4)]),
                Wanted::Add(vec![UserId(2), UserId(4)]),
                Wanted::MuteMember(UserId(2), LATER + 1),
                Wanted::OpenHistory(false),
            ] {
                let _ = friends.change(OWNER, wanted).await;
            }
            let seen = friends.seen().await;
            go_on.add_permits(1000);
            late.await.unwrap().unwrap();
            let what = format!("{wanted:?} is held up after {calls} calls");
            // An addition reads more before it begins, so it may only be made now.
            if calls > 4 || !matches!(wanted, Wanted::Add(_)) {
                assert_eq!(friends.seen().await, seen, "{what}");
            }
            friends.assert_whole(&what).await;
        }
    }
}
