use anyhow::Result;
use serde_json::{Value, json};
use wigwag_cluster::{Account, World};
use wigwag_protocol::Code;
use wigwag_protocol::http::{Friends, Me, Profile};
use wigwag_store::directory::ATTEMPTS_PER_WINDOW;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_once_and_shows_its_number_to_nobody_else() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let me: Me = world.get("/me", Some(&ada.token)).await?;
    assert_eq!(
        (me.user_id, me.nickname.as_str(), &me.phone_number),
        (ada.user_id, "ada", &ada.phone_number)
    );
    let profile = world
        .send("GET", &format!("/user/{}", ada.user_id), Some(&bob.token), None)
        .await?
        .text()
        .await?;
    assert!(!profile.contains(&ada.phone_number));
    assert_eq!(serde_json::from_str::<Profile>(&profile)?.nickname, "ada");
    let again = json!({ "phone_number": ada.phone_number, "nickname": "x", "password": "correct horse" });
    let (status, failure) = world.refused("/register", None, &again.to_string()).await?;
    assert_eq!(
        (status.as_u16(), failure.code, failure.retryable),
        (409, Code::PHONE_NUMBER_TAKEN.number(), false)
    );
    world.stop().await;
    Ok(())
}

/// Path, token, body, and the status and code of the refusal.
type BadRequest<'a> = (&'static str, Option<&'a str>, String, u16, Code);

fn bad_requests(caller: &Account) -> Vec<BadRequest<'_>> {
    let register = |phone: &str, nickname: &str, password: &str| {
        json!({ "phone_number": phone, "nickname": nickname, "password": password }).to_string()
    };
    let login = |platform: u8, device: &str| {
        json!({ "phone_number": "+15550009999", "password": "x", "platform": platform, "device_id": device })
            .to_string()
    };
    let friend = |id: u64| json!({ "friend_id": id }).to_string();
    vec![
        (
            "/register",
            None,
            register("12", "n", "correct horse"),
            400,
            Code::PHONE_NUMBER_MALFORMED,
        ),
        (
            "/register",
            None,
            register("+1555abc0000", "n", "correct horse"),
            400,
            Code::PHONE_NUMBER_MALFORMED,
        ),
        (
            "/register",
            None,
            register("+15550009999", "", "correct horse"),
            400,
            Code::NICKNAME_INVALID,
        ),
        (
            "/register",
            None,
            register("+15550009999", "a\u{7}", "correct horse"),
            400,
            Code::NICKNAME_INVALID,
        ),
        (
            "/register",
            None,
            register("+15550009999", "n", "short"),
            400,
            Code::PASSWORD_WEAK,
        ),
        (
            "/register",
            None,
            register("+15550009999", "n", "password123"),
            400,
            Code::PASSWORD_WEAK,
        ),
        (
            "/register",
            None,
            register("+15550009999", "n", "15550009999"),
            400,
            Code::PASSWORD_WEAK,
        ),
        ("/register", None, "{}".to_owned(), 400, Code::MALFORMED_FRAME),
        ("/register", None, "not json".to_owned(), 400, Code::MALFORMED_FRAME),
        ("/register", None, String::new(), 400, Code::MALFORMED_FRAME),
        ("/register", None, "x".repeat(9000), 413, Code::BODY_TOO_LARGE),
        (
            "/register",
            None,
            format!("{}{}", "[".repeat(3000), "]".repeat(3000)),
            400,
            Code::MALFORMED_FRAME,
        ),
        ("/login", None, login(0, "d"), 400, Code::INVALID_FIELD),
        ("/login", None, login(7, ""), 400, Code::DEVICE_ID_INVALID),
        ("/login", None, login(7, &"d".repeat(65)), 400, Code::DEVICE_ID_INVALID),
        ("/friend/add", None, friend(5), 401, Code::NOT_SIGNED_IN),
        ("/friend/add", Some("nonsense"), friend(5), 401, Code::TOKEN_INVALID),
        (
            "/friend/add",
            Some(caller.token.as_str()),
            friend(5),
            404,
            Code::USER_NOT_FOUND,
        ),
        (
            "/friend/add",
            Some(caller.token.as_str()),
            friend(0),
            400,
            Code::INVALID_FIELD,
        ),
        (
            "/friend/add",
            Some(caller.token.as_str()),
            friend(caller.user_id),
            400,
            Code::RELATION_TO_SELF,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_request_is_refused_with_its_code_and_a_fitting_status() -> Result<()> {
    let world = World::start().await?;
    let ada = world.account("ada").await?;
    let cases = bad_requests(&ada);
    for (path, token, body, status, code) in cases {
        let (got, failure) = world.refused(path, token, &body).await?;
        let shown = &body[..body.len().min(60)];
        assert_eq!(
            (got.as_u16(), failure.code, failure.retryable),
            (status, code.number(), false),
            "{path} {shown}"
        );
        assert!(failure.message.starts_with(code.name()));
    }
    assert_eq!(world.send("GET", "/nowhere", None, None).await?.status(), 404);
    let token = Some(ada.token.as_str());
    let bad_range = world
        .send("GET", "/history/5?begin_seq=3&end_seq=2", token, None)
        .await?;
    assert_eq!(bad_range.status(), 400);
    assert_eq!(
        world.send("GET", "/history/5?begin_seq=x", token, None).await?.status(),
        400
    );
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_number_get_the_same_answer_at_the_same_cost() -> Result<()> {
    let world = World::start().await?;
    let ada = world.account("ada").await?;
    let login = |phone: &str| {
        json!({ "phone_number": phone, "password": "wrong", "platform": 7, "device_id": "d" }).to_string()
    };
    let mut seen = Vec::new();
    for phone in [ada.phone_number.as_str(), "+15559999999"] {
        world.reset_meter().await?;
        let (status, failure) = world.refused("/login", None, &login(phone)).await?;
        let calls = world.meter().await?.aws_total(|_| true);
        seen.push((
            status.as_u16(),
            failure,
            calls.requests,
            calls.write_units.to_bits(),
            calls.read_units.to_bits(),
        ));
    }
    assert_eq!(seen[0].0, 401);
    assert_eq!(seen[0].1.code, Code::WRONG_CREDENTIALS.number());
    assert_eq!(seen[0], seen[1]);
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_wrong_passwords_make_the_number_wait() -> Result<()> {
    let world = World::start().await?;
    let ada = world.account("ada").await?;
    let login = |phone: &str, password: &str| {
        json!({ "phone_number": phone, "password": password, "platform": 7, "device_id": "d" }).to_string()
    };
    for phone in [ada.phone_number.as_str(), "+15559999999"] {
        for _ in 0..ATTEMPTS_PER_WINDOW {
            assert_eq!(world.refused("/login", None, &login(phone, "wrong")).await?.0, 401);
        }
        let (status, failure) = world
            .refused("/login", None, &login(phone, wigwag_cluster::PASSWORD))
            .await?;
        assert_eq!(
            (status.as_u16(), failure.code, failure.retryable),
            (429, Code::TOO_MANY_ATTEMPTS.number(), true)
        );
        assert!(
            failure
                .retry_after_s
                .is_some_and(|seconds| (1..=301).contains(&seconds))
        );
    }
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_are_made_listed_blocked_and_unmade() -> Result<()> {
    let world = World::with(|options| {
        options
            .parameters
            .insert("MessagesFrom".to_owned(), "friends".to_owned());
    })
    .await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let mut a = world.device(&ada).await?;
    let friend = |id: u64| json!({ "friend_id": id });
    let user = |id: u64| json!({ "user_id": id });
    let post = async |path: &str, by: &Account, body: Value| world.post::<Value>(path, Some(&by.token), &body).await;
    post("/friend/add", &ada, friend(bob.user_id)).await?;
    assert_eq!(
        a.say(bob.user_id, 1, "hi").await?.code,
        Code::NOT_FRIENDS.number(),
        "bob has not said so"
    );
    post("/friend/add", &bob, friend(ada.user_id)).await?;
    let friends: Friends = world.get("/friend/list", Some(&bob.token)).await?;
    assert_eq!((friends.friend_ids, friends.next), (vec![ada.user_id], None));
    a.tell(bob.user_id, 1, "hi").await?;
    post("/block/add", &bob, user(ada.user_id)).await?;
    assert_eq!(a.say(bob.user_id, 2, "hi").await?.code, Code::BLOCKED.number());
    post("/block/remove", &bob, user(ada.user_id)).await?;
    a.tell(bob.user_id, 2, "hi again").await?;
    post("/friend/remove", &bob, friend(ada.user_id)).await?;
    assert_eq!(a.say(bob.user_id, 3, "hi").await?.code, Code::NOT_FRIENDS.number());
    let beyond = world
        .send("GET", "/friend/list?after=99999999999999998", Some(&bob.token), None)
        .await?;
    assert_eq!(beyond.status(), 400);
    world.stop().await;
    Ok(())
}

/// glibc would keep it, from one log-in to the next, until the function has none left (`MALLOC_MMAP_THRESHOLD_` in the template).
#[tokio::test]
async fn the_memory_that_a_password_takes_is_given_back() -> Result<()> {
    let world = World::start().await?;
    let account = world.account("ada").await?;
    for n in 1..=8 {
        world.another_device(&account, &format!("device {n}")).await?;
    }
    let peak_bytes = world.meter().await?.functions["ApiFunction"].peak_memory_bytes;
    assert!(peak_bytes < 100 << 20, "{peak_bytes}");
    world.stop().await;
    Ok(())
}
