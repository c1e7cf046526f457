//! Groups that are dissolved.

use super::OWNER;
use crate::harness::ABANDONED;
use crate::harness::group::{GROUP, TestGroup, WHOLE_HISTORY, changed};
use wigwag_protocol::Code;
use wigwag_store::groups::{Changed, Wanted};

/// So the group goes from the list of the user's groups.
#[tokio::test]
async fn a_dissolved_group_can_be_left() {
    let friends = TestGroup::with(OWNER, &[2, 3]).await;
    friends.change(OWNER, Wanted::Dissolve).await.unwrap();
    let (said, count) = (friends.announced().await, friends.count().await);
    friends.queue.take();
    for user in [OWNER, 2] {
        let of = async || friends.store.groups_of(user, 0).await.unwrap().0;
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
    assert_eq!(friends.members().await, [3]);
    assert_eq!(
        (friends.announced().await, friends.count().await),
        (said, count),
        "nothing is announced"
    );
    assert!(friends.queue.take().is_empty());
}

#[tokio::test]
async fn a_dissolved_group_stays_as_it_is_and_can_be_read() {
    let friends = TestGroup::with(OWNER, &[2]).await;
    friends.change(OWNER, Wanted::Dissolve).await.unwrap();
    assert_eq!(
        friends.change(OWNER, Wanted::Dissolve).await.unwrap(),
        Changed::default()
    );
    for wanted in [Wanted::Add(vec![3]), Wanted::Mute(true)] {
        assert_eq!(friends.refused(OWNER, wanted).await, Code::GROUP_DISSOLVED);
    }
    let settings = friends.store.group(GROUP).await.unwrap().unwrap().settings;
    assert_eq!(settings.dissolved_after, Some(1));
    assert_eq!(friends.reads(2, WHOLE_HISTORY).await, [1, 2]);
    friends.assert_whole("dissolved").await;
}

/// Leaving it is not announced, so nobody would miss it. What was begun is finished all the same.
#[tokio::test]
async fn a_user_whose_function_died_leaving_a_dissolved_group_has_left_or_has_not() {
    for calls in 1.. {
        let friends = TestGroup::with(OWNER, &[2, 3]).await;
        friends.change(OWNER, Wanted::Dissolve).await.unwrap();
        let dying = friends.engine.store_that_dies_after(calls, true);
        let died = friends.change_by(&dying, 2, &Wanted::Leave).await;
        let begun = friends.unfinished_since_ms().await;
        friends.queue.finish(&friends.store, ABANDONED).await;
        let stints = friends.intervals(2).await;
        let has_left = stints == [(0, Some(2))];
        assert!(
            has_left || stints == [(0, None)],
            "dies after {calls} calls: {stints:?}"
        );
        assert!(
            has_left || (begun.is_none() && died.is_err()),
            "dies after {calls} calls"
        );
        let rows = friends.store.shard(GROUP, 0).await.unwrap();
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
