//! Groups that are dissolved.

use super::OWNER;
use crate::harness::group::{GROUP, TestGroup, WHOLE_HISTORY, changed};
use crate::harness::{ABANDONED, ids};
use wigwag_domain::groups::rules::{Changed, Wanted};
use wigwag_domain::{GroupId, UserId};
use wigwag_protocol::Code;
use wigwag_store::groups;

/// So the group goes from the list of the user's groups.
#[tokio::test]
async fn a_dissolved_group_can_be_left() {
    let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
    friends.change(OWNER, Wanted::Dissolve).await.unwrap();
    let (said, count) = (friends.announced().await, friends.count().await);
    friends.queue.take();
    for user in [OWNER, UserId(2)] {
        let of = async || groups::groups_of(&friends.store, user, GroupId(0)).await.unwrap().0;
        assert!(of().await[0].0.settings.dissolved_after.is_some());
        assert_eq!(friends.change(user, Wanted::Leave).await.unwrap(), changed(&[user]));
        assert_eq!(friends.change(user, Wanted::Leave).await.unwrap().unchanged, [user]);
        assert!(of().await.is_empty());
        assert_eq!(
            friends.reads(user, WHOLE_HISTORY).await,
            [1, 2],
            "former members may read what was said"
        );
    }
    assert_eq!(friends.members().await, ids([3]));
    assert_eq!(
        (friends.announced().await, friends.count().await),
        (said, count),
        "nothing is announced"
    );
    assert!(friends.queue.take().is_empty());
}

#[tokio::test]
async fn a_dissolved_group_stays_as_it_is_and_can_be_read() {
    let friends = TestGroup::with(OWNER, &[UserId(2)]).await;
    friends.change(OWNER, Wanted::Dissolve).await.unwrap();
    assert_eq!(
        friends.change(OWNER, Wanted::Dissolve).await.unwrap(),
        Changed::default()
    );
    for wanted in [Wanted::Add(vec![UserId(3)]), Wanted::Mute(true)] {
        assert_eq!(friends.refused(OWNER, wanted).await, Code::GROUP_DISSOLVED);
    }
    let settings = groups::group(&friends.store, GROUP).await.unwrap().unwrap().settings;
    assert_eq!(settings.dissolved_after, Some(1));
    assert_eq!(friends.reads(UserId(2), WHOLE_HISTORY).await, [1, 2]);
    friends.assert_whole("dissolved").await;
}

/// Leaving it is not announced, so nobody would miss it. What was begun is finished all the same.
#[tokio::test]
async fn a_user_whose_function_died_leaving_a_dissolved_group_has_left_or_has_not() {
    for calls in 1.. {
        let friends = TestGroup::with(OWNER, &[UserId(2), UserId(3)]).await;
        friends.change(OWNER, Wanted::Dissolve).await.unwrap();
        let dying = friends.engine.store_that_dies_after(calls, true);
        let died = friends.change_by(&dying, UserId(2), &Wanted::Leave).await;
        let begun = friends.unfinished_since_ms().await;
        friends.queue.finish(&friends.store, ABANDONED).await;
        let intervals = friends.intervals(UserId(2)).await;
        let has_left = intervals == [(0, Some(2))];
        assert!(
            has_left || intervals == [(0, None)],
            "dies after {calls} calls: {intervals:?}"
        );
        assert!(
            has_left || (begun.is_none() && died.is_err()),
            "dies after {calls} calls"
        );
        let rows = groups::shard(&friends.store, GROUP, 0).await.unwrap();
        let row = rows.iter().find(|row| row.user == UserId(2)).unwrap();
        assert_eq!(
            [(row.interval.joined_after, row.interval.left)],
            *intervals,
            "dies after {calls} calls"
        );
        if died.is_ok() {
            break;
        }
    }
}
