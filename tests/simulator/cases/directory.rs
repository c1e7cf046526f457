//! Accounts, relations, login attempts and sockets.

use crate::engine::Engine;
use crate::harness::{NOW, engine_with_users};
use wigwag_store::directory::{ATTEMPTS_PER_WINDOW, Attempt, Befriended, NewAccount, Profile, SignedIn, WINDOW};

#[tokio::test]
async fn a_phone_number_and_an_id_belong_to_one_account() {
    let engine = engine_with_users(1).await;
    let store = engine.store();
    let profile = |phone: &str| Profile {
        nickname: "n".to_owned(),
        phone_number: phone.to_owned(),
        created_at_ms: NOW,
    };
    let taken = store.profile(1).await.unwrap().unwrap().phone_number;
    assert_eq!(
        store.create_account(2, &profile(&taken), "h").await.unwrap(),
        NewAccount::PhoneTaken
    );
    assert_eq!(
        store.create_account(1, &profile("+99"), "h").await.unwrap(),
        NewAccount::IdTaken
    );
    assert_eq!(store.account("+99").await.unwrap(), None, "all or none");
    assert_eq!(
        store.create_account(2, &profile("+99"), "h").await.unwrap(),
        NewAccount::Made
    );
    assert_eq!(store.account("+99").await.unwrap().unwrap().user_id, 2);
}

#[tokio::test]
async fn friendship_goes_one_way_and_a_block_prevents_it() {
    let engine = engine_with_users(3).await;
    let store = engine.store();
    assert_eq!(store.befriend(1, 99).await.unwrap(), Befriended::NoSuchUser);
    assert_eq!(store.befriend(1, 2).await.unwrap(), Befriended::Yes);
    assert_eq!(store.befriend(1, 2).await.unwrap(), Befriended::Yes);
    assert_eq!(store.friends(1, 0).await.unwrap().ids, [2]);
    assert!(store.friends(2, 0).await.unwrap().ids.is_empty());
    assert!(!store.relation(2, 1).await.unwrap().friend);
    store.set_blocked(3, 1, true).await.unwrap();
    assert_eq!(store.befriend(1, 3).await.unwrap(), Befriended::Blocked);
    assert_eq!(
        store.befriend(3, 1).await.unwrap(),
        Befriended::Yes,
        "a user may add one whom they block"
    );
    store.unfriend(1, 2).await.unwrap();
    assert!(store.friends(1, 0).await.unwrap().ids.is_empty());
    assert!(store.relation(3, 1).await.unwrap().blocked);
}

#[tokio::test]
async fn friends_come_in_pages_in_the_order_of_their_ids() {
    let engine = Engine::start();
    let store = engine.store();
    engine.user(1).await;
    let ids: Vec<u64> = (2..=130).collect();
    for &id in &ids {
        engine.user(id).await;
        store.befriend(1, id).await.unwrap();
    }
    let first = store.friends(1, 0).await.unwrap();
    let rest = store.friends(1, first.next.unwrap()).await.unwrap();
    assert_eq!((first.ids.len(), rest.next), (100, None));
    assert_eq!([first.ids, rest.ids].concat(), ids);
}

#[tokio::test]
async fn concurrent_login_attempts_do_not_exceed_the_limit_together() {
    let engine = Engine::start();
    let store = engine.store();
    assert_eq!(store.count_attempt("+1", NOW).await.unwrap(), Attempt::Allowed);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let store = store.clone();
        tasks.spawn(async move { store.count_attempt("+1", NOW).await.unwrap() });
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
        store.count_attempt("+1", ends - 1).await.unwrap(),
        Attempt::RefusedUntil(ends)
    );
    assert_eq!(
        store.count_attempt("+1", ends).await.unwrap(),
        Attempt::Allowed,
        "a new window"
    );
    store.forget_attempts("+1").await.unwrap();
    assert_eq!(store.count_attempt("+1", ends).await.unwrap(), Attempt::Allowed);
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
    assert!(store.sign_in("c=", &who(1), NOW / 1000).await.unwrap());
    assert!(!store.sign_in("c=", &who(2), NOW / 1000).await.unwrap());
    assert_eq!(store.signed_in("c=").await.unwrap(), Some(who(1)));
    assert_eq!(store.forget_socket("c=").await.unwrap(), Some(who(1)));
    assert_eq!(store.signed_in("c=").await.unwrap(), None);
}
