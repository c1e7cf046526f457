//! Accounts, relations, login attempts and sockets.

use crate::engine::Engine;
use crate::harness::{NOW, engine_with_users, ids};
use wigwag_domain::UserId;
use wigwag_store::directory;
use wigwag_store::directory::{ATTEMPTS_PER_WINDOW, Attempt, Befriended, NewAccount, Profile, SignedIn, WINDOW};

#[tokio::test]
async fn a_phone_number_and_an_id_belong_to_one_account() {
    let engine = engine_with_users(UserId(1).0).await;
    let store = engine.store();
    let profile = |phone: &str| Profile {
        nickname: "n".to_owned(),
        phone_number: phone.to_owned(),
        created_at_ms: NOW,
    };
    let taken = directory::profile(&store, UserId(1))
        .await
        .unwrap()
        .unwrap()
        .phone_number;
    assert_eq!(
        directory::create_account(&store, UserId(2), &profile(&taken), "h")
            .await
            .unwrap(),
        NewAccount::PhoneTaken
    );
    assert_eq!(
        directory::create_account(&store, UserId(1), &profile("+99"), "h")
            .await
            .unwrap(),
        NewAccount::IdTaken
    );
    assert_eq!(directory::account(&store, "+99").await.unwrap(), None, "all or none");
    assert_eq!(
        directory::create_account(&store, UserId(2), &profile("+99"), "h")
            .await
            .unwrap(),
        NewAccount::Made
    );
    assert_eq!(
        directory::account(&store, "+99").await.unwrap().unwrap().user_id,
        UserId(2)
    );
}

#[tokio::test]
async fn friendship_goes_one_way_and_a_block_prevents_it() {
    let engine = engine_with_users(UserId(3).0).await;
    let store = engine.store();
    assert_eq!(
        directory::befriend(&store, UserId(1), UserId(99)).await.unwrap(),
        Befriended::NoSuchUser
    );
    assert_eq!(
        directory::befriend(&store, UserId(1), UserId(2)).await.unwrap(),
        Befriended::Yes
    );
    assert_eq!(
        directory::befriend(&store, UserId(1), UserId(2)).await.unwrap(),
        Befriended::Yes
    );
    assert_eq!(
        directory::friends(&store, UserId(1), UserId(0)).await.unwrap().ids,
        ids([2])
    );
    assert!(
        directory::friends(&store, UserId(2), UserId(0))
            .await
            .unwrap()
            .ids
            .is_empty()
    );
    assert!(!directory::relation(&store, UserId(2), UserId(1)).await.unwrap().friend);
    directory::set_blocked(&store, UserId(3), UserId(1), true)
        .await
        .unwrap();
    assert_eq!(
        directory::befriend(&store, UserId(1), UserId(3)).await.unwrap(),
        Befriended::Blocked
    );
    assert_eq!(
        directory::befriend(&store, UserId(3), UserId(1)).await.unwrap(),
        Befriended::Yes,
        "a user may add one whom they block"
    );
    directory::unfriend(&store, UserId(1), UserId(2)).await.unwrap();
    assert!(
        directory::friends(&store, UserId(1), UserId(0))
            .await
            .unwrap()
            .ids
            .is_empty()
    );
    assert!(directory::relation(&store, UserId(3), UserId(1)).await.unwrap().blocked);
}

#[tokio::test]
async fn friends_come_in_pages_in_the_order_of_their_ids() {
    let engine = Engine::start();
    let store = engine.store();
    engine.user(UserId(1)).await;
    let ids: Vec<UserId> = (2..=130).map(UserId).collect();
    for &id in &ids {
        engine.user(id).await;
        directory::befriend(&store, UserId(1), id).await.unwrap();
    }
    let first = directory::friends(&store, UserId(1), UserId(0)).await.unwrap();
    let rest = directory::friends(&store, UserId(1), first.next.unwrap())
        .await
        .unwrap();
    assert_eq!((first.ids.len(), rest.next), (100, None));
    assert_eq!([first.ids, rest.ids].concat(), ids);
}

#[tokio::test]
async fn concurrent_login_attempts_do_not_exceed_the_limit_together() {
    let engine = Engine::start();
    let store = engine.store();
    assert_eq!(
        directory::count_attempt(&store, "+1", NOW).await.unwrap(),
        Attempt::Allowed
    );
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let store = store.clone();
        tasks.spawn(async move { directory::count_attempt(&store, "+1", NOW).await.unwrap() });
    }
    let allowed = tasks
        .join_all()
        .await
        .into_iter()
        .filter(|attempt| *attempt == Attempt::Allowed)
        .count();
    assert_eq!(allowed, ATTEMPTS_PER_WINDOW as usize - 1);
    let ends = NOW + i64::try_from(WINDOW.as_millis()).unwrap();
    assert_eq!(
        directory::count_attempt(&store, "+1", ends - 1).await.unwrap(),
        Attempt::RefusedUntil(ends)
    );
    assert_eq!(
        directory::count_attempt(&store, "+1", ends).await.unwrap(),
        Attempt::Allowed,
        "a new window"
    );
    directory::forget_attempts(&store, "+1").await.unwrap();
    assert_eq!(
        directory::count_attempt(&store, "+1", ends).await.unwrap(),
        Attempt::Allowed
    );
}

#[tokio::test]
async fn a_connection_signs_in_once() {
    let engine = Engine::start();
    let store = engine.store();
    let who = |user_id| SignedIn {
        user_id,
        device: "AAAAAA".to_owned(),
        platform: 1,
    };
    assert!(
        directory::sign_in(&store, "c=", &who(UserId(1)), NOW / 1000)
            .await
            .unwrap()
    );
    assert!(
        !directory::sign_in(&store, "c=", &who(UserId(2)), NOW / 1000)
            .await
            .unwrap()
    );
    assert_eq!(directory::signed_in(&store, "c=").await.unwrap(), Some(who(UserId(1))));
    assert_eq!(
        directory::forget_socket(&store, "c=").await.unwrap(),
        Some(who(UserId(1)))
    );
    assert_eq!(directory::signed_in(&store, "c=").await.unwrap(), None);
}
