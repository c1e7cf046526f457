//! Groups: who talks, who gets what, how they change.

use anyhow::Result;
use serde_json::{Value, json};
use wigwag_cluster::{Account, Device, World};
use wigwag_local::faults::Plan;
use wigwag_protocol::http::{Group, Groups, Members, MembersChanged, Role};
use wigwag_protocol::pb::{GroupChange, GroupChangeType, Message, MessageType, PullInputMsg, SessionType, UpMsg};
use wigwag_protocol::{Code, Payload, Request};

const GROUP: SessionType = SessionType::Group;

/// What was said, without what changed.
pub(crate) fn texts(messages: &[Message]) -> Vec<String> {
    let said = messages
        .iter()
        .filter(|message| message.message_type == i32::from(MessageType::Text));
    said.map(|message| String::from_utf8_lossy(&message.content).into_owned())
        .collect()
}

/// What changed, without what was said.
pub(crate) fn changes(messages: &[Message]) -> Vec<GroupChangeType> {
    let changes = messages.iter().filter_map(|message| message.group_change.as_ref());
    changes.map(GroupChange::r#type).collect()
}

/// All that a user has, read by a device that has nothing yet.
pub(crate) async fn inbox(world: &World, who: &Account) -> Result<Vec<Message>> {
    world.settled().await?;
    let mut device = world.device(who).await?;
    let messages = device.catch_up(0).await?;
    device.leave().await?;
    Ok(messages)
}

/// The text messages that a device is pushed, until it has so many, in the order in which they are shown: a message of another
/// device of the same user comes another way than those of others, and may be there first.
pub(crate) async fn pushed_texts(device: &mut Device, count: usize) -> Result<Vec<String>> {
    let mut got = Vec::new();
    while got.len() < count {
        let message = device.pushed().await?;
        got.extend(message.group_change.is_none().then_some(message));
    }
    got.sort_by_key(|message| message.conversation_seq);
    Ok(texts(&got))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_a_group_reaches_every_device_of_every_member_once() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let tablet = world.another_device(&ada, "tablet").await?;
    let (mut a, mut t) = (world.device(&ada).await?, world.device(&tablet).await?);
    let (mut b, mut e) = (world.device(&bob).await?, world.json_device(&eve).await?);
    let group = world.group(&ada, &[&bob, &eve]).await?;
    let ack = a.tell_to(GROUP, group, 1, "one").await?;
    assert!(ack.seq > 0 && ack.conversation_seq == 2, "{ack:?}");
    b.tell_to(GROUP, group, 1, "two").await?;
    t.tell_to(GROUP, group, 1, "three").await?;
    assert_eq!(pushed_texts(&mut a, 2).await?, ["two", "three"]);
    assert_eq!(pushed_texts(&mut t, 2).await?, ["one", "two"]);
    assert_eq!(pushed_texts(&mut b, 2).await?, ["one", "three"]);
    assert_eq!(pushed_texts(&mut e, 3).await?, ["one", "two", "three"]);
    for who in [&ada, &bob, &eve] {
        let mut messages = inbox(&world, who).await?;
        messages.sort_by_key(|message| message.conversation_seq);
        assert_eq!(texts(&messages), ["one", "two", "three"]);
        assert_eq!(changes(&messages), [GroupChangeType::Created]);
        let seqs: Vec<u64> = messages.iter().map(|message| message.conversation_seq).collect();
        assert_eq!(seqs, [1, 2, 3, 4], "the same for everybody");
    }
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_from_its_making_to_its_end() -> Result<()> {
    use GroupChangeType::{Created, Dissolved, HandedOver, MemberLeft, MembersAdded, MembersRemoved};
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let (mut a, mut b, mut e) = (
        world.device(&ada).await?,
        world.device(&bob).await?,
        world.device(&eve).await?,
    );
    let group = world.group(&ada, &[&bob]).await?;
    a.tell_to(GROUP, group, 1, "one").await?;
    b.tell_to(GROUP, group, 1, "two").await?;
    let users = |who: &Account| json!({ "group_id": group, "user_ids": [who.user_id] });
    assert_eq!(world.outcome("/group/add", &ada, &users(&eve)).await?, Code::OK);
    e.tell_to(GROUP, group, 1, "three").await?;
    assert_eq!(world.outcome("/group/remove", &ada, &users(&bob)).await?, Code::OK);
    a.tell_to(GROUP, group, 2, "four").await?;
    let refused = b.say_to(GROUP, group, 2, "from outside").await?;
    assert_eq!(refused.code, Code::NOT_A_MEMBER.number());
    let hand_over = json!({ "group_id": group, "user_id": eve.user_id });
    assert_eq!(world.outcome("/group/hand_over", &ada, &hand_over).await?, Code::OK);
    let this = json!({ "group_id": group });
    assert_eq!(world.outcome("/group/leave", &ada, &this).await?, Code::OK);
    e.tell_to(GROUP, group, 2, "five").await?;
    assert_eq!(world.outcome("/group/dissolve", &eve, &this).await?, Code::OK);
    assert_eq!(world.outcome("/group/dissolve", &eve, &this).await?, Code::OK, "again");
    let refused = e.say_to(GROUP, group, 3, "too late").await?;
    assert_eq!(refused.code, Code::GROUP_DISSOLVED.number());
    for (who, said, changed) in [
        (
            &ada,
            vec!["one", "two", "three", "four"],
            vec![Created, MembersAdded, MembersRemoved, HandedOver, MemberLeft],
        ),
        (
            &bob,
            vec!["one", "two", "three"],
            vec![Created, MembersAdded, MembersRemoved],
        ),
        (
            &eve,
            vec!["three", "four", "five"],
            vec![MembersAdded, MembersRemoved, HandedOver, MemberLeft, Dissolved],
        ),
    ] {
        let mut messages = inbox(&world, who).await?;
        // What one says stands in one's own inbox at once, what others say when a worker has brought it.
        messages.sort_by_key(|message| message.conversation_seq);
        assert_eq!(
            (texts(&messages), changes(&messages)),
            (said.iter().map(|text| (*text).to_owned()).collect(), changed)
        );
    }
    let seen: Group = world.get(&format!("/group/{group}"), Some(&eve.token)).await?;
    assert!(
        seen.dissolved && seen.role == Role::Owner && seen.owner_id == eve.user_id,
        "{seen:?}"
    );
    let gone: Result<Group> = world.get(&format!("/group/{group}"), Some(&ada.token)).await;
    assert!(gone.is_err(), "what becomes of it is not for one who left: {gone:?}");
    assert!(world.dead_letters().await?.is_empty());
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_away_comes_back_and_has_everything_of_every_group_once() -> Result<()> {
    const MESSAGES: u64 = 15;
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let groups = [
        world.group(&ada, &[&bob, &eve]).await?,
        world.group(&eve, &[&bob, &ada]).await?,
        world.group(&bob, &[&ada, &eve]).await?,
    ];
    let talk = async |who: &Account, name: &str| -> Result<()> {
        let mut device = world.device(who).await?;
        for client_id in 1..=MESSAGES {
            let group = groups[usize::try_from(client_id % 3)?];
            device
                .tell_to(GROUP, group, client_id, &format!("{name} {client_id}"))
                .await?;
        }
        Ok(())
    };
    let (one, other) = tokio::join!(talk(&ada, "ada"), talk(&eve, "eve"));
    one?;
    other?;
    let messages = inbox(&world, &bob).await?;
    assert!(messages.is_sorted_by(|one, next| one.seq < next.seq));
    for (place, group) in (0_u64..).zip(groups) {
        let of_group: Vec<Message> = messages
            .iter()
            .filter(|message| message.receiver_id == group)
            .cloned()
            .collect();
        for (who, name) in [(&ada, "ada"), (&eve, "eve")] {
            let mut by: Vec<&Message> = of_group
                .iter()
                .filter(|message| message.sender_id == who.user_id)
                .collect();
            by.sort_by_key(|message| message.conversation_seq);
            let said: Vec<String> = texts(&by.into_iter().cloned().collect::<Vec<_>>());
            let wanted: Vec<String> = (1..=MESSAGES)
                .filter(|client_id| client_id % 3 == place)
                .map(|client_id| format!("{name} {client_id}"))
                .collect();
            assert_eq!(said, wanted);
        }
        assert_eq!(changes(&of_group), [GroupChangeType::Created]);
    }
    world.stop().await;
    Ok(())
}

/// Says something in a group; answers with what came of it.
async fn say(device: &mut Device, group: u64, client_id: u64) -> Result<Option<Code>> {
    let output = device.say_to(GROUP, group, client_id, "hello").await?;
    Ok(Code::from_number(output.code))
}

#[tokio::test(flavor = "multi_thread")]
async fn to_a_stranger_a_group_is_as_if_there_were_none() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let mut e = world.device(&eve).await?;
    let group = world.group(&ada, &[&bob]).await?;
    assert_eq!(say(&mut e, group, 1).await?, Some(Code::GROUP_NOT_FOUND));
    assert_eq!(say(&mut e, 12345, 1).await?, Some(Code::GROUP_NOT_FOUND));
    for (target_id, code) in [(group, Code::GROUP_NOT_FOUND), (12345, Code::GROUP_NOT_FOUND)] {
        let pull = PullInputMsg {
            session_type: GROUP.into(),
            target_id,
            ..PullInputMsg::default()
        };
        assert_eq!(e.refused(Request::Pull(pull)).await?.0, code);
    }
    let status = async |path: &str, who: &Account| -> Result<u16> {
        Ok(world.send("GET", path, Some(&who.token), None).await?.status().as_u16())
    };
    assert_eq!(status(&format!("/group/{group}"), &eve).await?, 404);
    assert_eq!(status(&format!("/group/{group}/history"), &eve).await?, 404);
    assert_eq!(status(&format!("/group_user/list?group_id={group}"), &eve).await?, 404);
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_is_muted_waits_and_uses_the_number_then() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let (mut a, mut b) = (world.device(&ada).await?, world.device(&bob).await?);
    let group = world.group(&ada, &[&bob]).await?;
    let mute = |seconds: u64| json!({ "group_id": group, "user_id": bob.user_id, "seconds": seconds });
    assert_eq!(world.outcome("/group/mute_member", &ada, &mute(60)).await?, Code::OK);
    assert_eq!(say(&mut b, group, 1).await?, Some(Code::MEMBER_MUTED));
    assert_eq!(world.outcome("/group/mute_member", &ada, &mute(0)).await?, Code::OK);
    let update = |muted: bool| json!({ "group_id": group, "muted": muted });
    assert_eq!(world.outcome("/group/update", &ada, &update(true)).await?, Code::OK);
    assert_eq!(say(&mut b, group, 1).await?, Some(Code::GROUP_MUTED));
    assert_eq!(say(&mut a, group, 1).await?, Some(Code::OK));
    assert_eq!(world.outcome("/group/update", &ada, &update(false)).await?, Code::OK);
    assert_eq!(
        say(&mut b, group, 1).await?,
        Some(Code::OK),
        "its number was still to be used"
    );
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_server_says_that_a_group_has_changed() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let mut b = world.device(&bob).await?;
    let group = world.group(&ada, &[&bob]).await?;
    let forged = Message {
        session_type: GROUP.into(),
        receiver_id: group,
        message_type: MessageType::GroupChange.into(),
        content: b"x".to_vec(),
        ..Message::default()
    };
    let forged = Request::Message(UpMsg {
        msg: Some(forged),
        client_id: 1,
        session: 1,
    });
    assert_eq!(b.refused(forged).await?.0, Code::INVALID_FIELD);
    world.stop().await;
    Ok(())
}

/// Requests that must be refused: path, who asks, body, code.
fn refused_changes<'a>(
    group: u64,
    (ada, bob, eve): (&'a Account, &'a Account, &'a Account),
) -> Vec<(&'static str, &'a Account, Value, Code)> {
    let of = |who: &Account| json!({ "group_id": group, "user_ids": [who.user_id] });
    let this = json!({ "group_id": group });
    vec![
        ("/group/add", bob, of(eve), Code::ROLE_TOO_LOW),
        ("/group/add", eve, of(eve), Code::GROUP_NOT_FOUND),
        ("/group/leave", eve, this.clone(), Code::GROUP_NOT_FOUND),
        ("/group/remove", ada, of(ada), Code::OWNER_STAYS),
        ("/group/leave", ada, this.clone(), Code::OWNER_STAYS),
        ("/group/dissolve", bob, this, Code::ROLE_TOO_LOW),
        (
            "/group/add",
            ada,
            json!({ "group_id": group, "user_ids": [4321] }),
            Code::USER_NOT_FOUND,
        ),
        (
            "/group/add",
            ada,
            json!({ "group_id": group, "user_ids": [] }),
            Code::INVALID_FIELD,
        ),
        (
            "/group/add",
            ada,
            json!({ "group_id": group, "user_ids": [1, 1] }),
            Code::INVALID_FIELD,
        ),
        (
            "/group/add",
            ada,
            json!({ "group_id": 0, "user_ids": [1] }),
            Code::INVALID_FIELD,
        ),
        (
            "/group/add",
            ada,
            json!({ "group_id": group, "user_ids": (1..=101).collect::<Vec<u64>>() }),
            Code::TOO_MANY_USERS,
        ),
        (
            "/group/role",
            ada,
            json!({ "group_id": group, "user_id": eve.user_id, "role": "admin" }),
            Code::MEMBER_NOT_FOUND,
        ),
        (
            "/group/role",
            ada,
            json!({ "group_id": group, "user_id": bob.user_id, "role": "owner" }),
            Code::INVALID_FIELD,
        ),
        (
            "/group/mute_member",
            ada,
            json!({ "group_id": group, "user_id": bob.user_id, "seconds": 1_u64 << 40 }),
            Code::INVALID_FIELD,
        ),
        ("/group/update", ada, json!({ "group_id": group }), Code::INVALID_FIELD),
        (
            "/group/update",
            ada,
            json!({ "group_id": group, "name": " " }),
            Code::GROUP_NAME_INVALID,
        ),
        (
            "/group/update",
            ada,
            json!({ "group_id": group, "super_group": false }),
            Code::INVALID_FIELD,
        ),
        (
            "/group/update",
            bob,
            json!({ "group_id": group, "name": "ours" }),
            Code::ROLE_TOO_LOW,
        ),
        ("/group/create", ada, json!({ "name": "" }), Code::GROUP_NAME_INVALID),
        (
            "/group/create",
            ada,
            json!({ "name": "g", "user_ids": [ada.user_id] }),
            Code::INVALID_FIELD,
        ),
        (
            "/group/create",
            ada,
            json!({ "name": "g", "user_ids": [4321] }),
            Code::USER_NOT_FOUND,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_may_not_be_is_refused() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let group = world.group(&ada, &[&bob]).await?;
    for (path, who, body, code) in refused_changes(group, (&ada, &bob, &eve)) {
        assert_eq!(world.outcome(path, who, &body).await?, code, "{path} {body}");
    }
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_brought_into_a_group_by_one_whose_messages_they_do_not_take() -> Result<()> {
    for (messages_from, refusal) in [("anyone", Code::BLOCKED), ("friends", Code::NOT_FRIENDS)] {
        let world = World::with(|options| {
            let parameters = &mut options.parameters;
            parameters.insert("MessagesFrom".to_owned(), messages_from.to_owned());
        })
        .await?;
        let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
        let post =
            async |path: &str, by: &Account, body: Value| world.post::<Value>(path, Some(&by.token), &body).await;
        match refusal {
            Code::BLOCKED => post("/block/add", &eve, json!({ "user_id": ada.user_id })).await?,
            _ => post("/friend/add", &bob, json!({ "friend_id": ada.user_id })).await?,
        };
        let create = json!({ "name": "g", "user_ids": [bob.user_id, eve.user_id] });
        assert_eq!(world.outcome("/group/create", &ada, &create).await?, refusal);
        let group = world.group(&ada, &[&bob]).await?;
        let add = json!({ "group_id": group, "user_ids": [eve.user_id] });
        assert_eq!(world.outcome("/group/add", &ada, &add).await?, refusal);
        let groups: Groups = world.get("/group/list", Some(&eve.token)).await?;
        assert!(groups.groups.is_empty(), "{groups:?}");
        let groups: Groups = world.get("/group/list", Some(&bob.token)).await?;
        assert_eq!(groups.groups.len(), 1, "the group that eve was to be in was not made");
        match refusal {
            Code::BLOCKED => post("/block/remove", &eve, json!({ "user_id": ada.user_id })).await?,
            _ => post("/friend/add", &eve, json!({ "friend_id": ada.user_id })).await?,
        };
        assert_eq!(world.outcome("/group/add", &ada, &add).await?, Code::OK);
        world.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_and_its_members_are_seen_by_its_members() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let group = world.group(&ada, &[&bob]).await?;
    let of = |who: &[&Account]| {
        let ids: Vec<u64> = who.iter().map(|who| who.user_id).collect();
        json!({ "group_id": group, "user_ids": ids })
    };
    let added: MembersChanged = world.post("/group/add", Some(&ada.token), &of(&[&bob, &eve])).await?;
    assert_eq!((added.changed, added.unchanged), (vec![eve.user_id], vec![bob.user_id]));
    let again: MembersChanged = world.post("/group/add", Some(&ada.token), &of(&[&eve])).await?;
    assert_eq!((again.changed, again.unchanged), (vec![], vec![eve.user_id]));
    let role = json!({ "group_id": group, "user_id": bob.user_id, "role": "admin" });
    assert_eq!(world.outcome("/group/role", &ada, &role).await?, Code::OK);
    let rename = json!({ "group_id": group, "name": "ours" });
    assert_eq!(world.outcome("/group/update", &bob, &rename).await?, Code::OK);
    let members: Members = world
        .get(&format!("/group_user/list?group_id={group}"), Some(&eve.token))
        .await?;
    let roles: Vec<(u64, Role)> = members
        .members
        .iter()
        .map(|member| (member.user_id, member.role))
        .collect();
    assert_eq!(
        roles,
        [
            (ada.user_id, Role::Owner),
            (bob.user_id, Role::Admin),
            (eve.user_id, Role::Member)
        ]
    );
    let groups: Groups = world.get("/group/list", Some(&eve.token)).await?;
    let seen = &groups.groups[0];
    assert_eq!(
        (seen.group_id, seen.name.as_str(), seen.members, seen.role),
        (group, "ours", 3, Role::Member)
    );
    assert!(seen.min_seq > 1, "eve sees nothing from before she came: {seen:?}");
    // Adding eve a second time was told to nobody.
    let told = changes(&inbox(&world, &ada).await?);
    let added = told.iter().filter(|change| **change == GroupChangeType::MembersAdded);
    assert_eq!(added.count(), 1);
    // What eve may read begins with her coming; bob may read all.
    let read = async |who: &Account| -> Result<Vec<GroupChangeType>> {
        let mut device = world.device(who).await?;
        Ok(changes(&device.pull_group(group).await?.messages))
    };
    assert_eq!(read(&eve).await?[0], GroupChangeType::MembersAdded);
    assert_eq!(read(&bob).await?[0], GroupChangeType::Created);
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_at_once_are_one_after_the_other() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let mut others = Vec::new();
    for name in ["eve", "fay", "gus"] {
        others.push(world.account(name).await?);
    }
    let group = world.group(&ada, &[&bob]).await?;
    let role = json!({ "group_id": group, "user_id": bob.user_id, "role": "admin" });
    assert_eq!(world.outcome("/group/role", &ada, &role).await?, Code::OK);
    let ids: Vec<u64> = others.iter().map(|other| other.user_id).collect();
    let body = json!({ "group_id": group, "user_ids": ids });
    for path in ["/group/add", "/group/remove", "/group/add"] {
        let change =
            async |who: &Account| -> Result<MembersChanged> { world.post(path, Some(&who.token), &body).await };
        let (one, other) = tokio::join!(change(&ada), change(&bob));
        let (one, other) = (one?, other?);
        assert_eq!(
            one.changed.len() + other.changed.len(),
            ids.len(),
            "{path}: {one:?} {other:?}"
        );
        assert_eq!(one.unchanged.len() + other.unchanged.len(), ids.len());
    }
    let seen: Group = world.get(&format!("/group/{group}"), Some(&ada.token)).await?;
    assert_eq!(seen.members, 5);
    let told = changes(&inbox(&world, &bob).await?);
    let members =
        |change: &&GroupChangeType| matches!(change, GroupChangeType::MembersAdded | GroupChangeType::MembersRemoved);
    assert_eq!(told.iter().filter(members).count(), 3, "{told:?}");
    world.stop().await;
    Ok(())
}

/// An answer from the HTTP API, page by page, as PULL gives it.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_read_in_ranges_by_socket_and_by_http() -> Result<()> {
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let group = world.group(&ada, &[&bob]).await?;
    let mut a = world.device(&ada).await?;
    for client_id in 1..=5 {
        a.tell_to(GROUP, group, client_id, &client_id.to_string()).await?;
    }
    let mut b = world.device(&bob).await?;
    let pull = PullInputMsg {
        session_type: GROUP.into(),
        target_id: group,
        limit: 2,
        descending: true,
        ..PullInputMsg::default()
    };
    let Payload::Pull(page) = b.ask(Request::Pull(pull)).await?.payload else {
        anyhow::bail!("no page")
    };
    assert_eq!(
        (texts(&page.messages), page.max_seq),
        (vec!["5".to_owned(), "4".to_owned()], 6)
    );
    let path = format!("/group/{group}/history?begin_seq=5");
    let history: wigwag_protocol::http::History = world.get(&path, Some(&bob.token)).await?;
    assert_eq!(texts(&history.messages), ["4", "5"]);
    let _: Value = world.get("/group/list?after=0", Some(&bob.token)).await?;
    world.stop().await;
    Ok(())
}

/// Every invocation that makes so many calls is killed at one of them: most of those that change a group, hardly any other.
const EVERY_PROCESS_DIES: &str = "[processes]\nkill_after_calls = { rate = 1.0, calls = 12 }";

/// The function that removes a member dies half-way, and nobody asks again or looks at the group: the removal holds all the same, a
/// while later, for the member and for everybody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_whose_function_died_is_finished_though_nobody_asks() -> Result<()> {
    const TRIES: u64 = 12;
    let world = World::with(|options| options.fault_plan = Plan::parse(EVERY_PROCESS_DIES).expect("a plan")).await?;
    world.stack.faults().pause();
    let users = world.crowd(1, TRIES + 1).await?;
    let members = users
        .iter()
        .map(|&user| world.member(user))
        .collect::<Result<Vec<_>>>()?;
    let others: Vec<&Account> = members[1..].iter().collect();
    let group = world.group(&members[0], &others).await?;
    world.settled().await?;
    let store = world.store();
    let mut left = None;
    for member in &members[1..] {
        let body = json!({ "group_id": group, "user_ids": [member.user_id] });
        world.stack.faults().resume();
        let answer = world.send("POST", "/group/remove", Some(&members[0].token), Some(body.to_string()));
        let status = answer.await?.status();
        world.stack.faults().pause();
        let found = store.group(group).await?.expect("a group");
        if found.unfinished_since_ms.is_some() {
            assert_eq!(status, 500);
            left = Some(member);
            break;
        }
    }
    let removed = left.expect("a function that died half-way");
    world.settled().await?;
    let found = store.group(group).await?.expect("a group");
    assert_eq!(found.unfinished_since_ms, None);
    let membership = store.membership(group, removed.user_id).await?.expect("a membership");
    assert!(!membership.is_active());
    let mut device = world.device(removed).await?;
    let refused = device.say_to(GROUP, group, 1, "from outside").await?;
    assert_eq!(refused.code, Code::NOT_A_MEMBER.number());
    let inbox = inbox(&world, &members[0]).await?;
    let told = inbox.iter().filter_map(|message| message.group_change.as_ref());
    let told = told.filter(|change| change.user_ids == [removed.user_id]);
    assert_eq!(told.count(), 1);
    assert!(world.dead_letters().await?.is_empty());
    world.stop().await;
    Ok(())
}

/// A request to make a group whose answer was lost is sent again; and what is said of users names them all.
#[tokio::test(flavor = "multi_thread")]
async fn requests_are_repeated_and_refusals_name_whom_they_are_about() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let request = |id: &str| json!({ "name": "ours", "user_ids": [bob.user_id], "request_id": id });
    let create =
        async |id: &str| -> Result<Value> { world.post("/group/create", Some(&ada.token), &request(id)).await };
    let first = create("one").await?;
    // Who has thought better of it is in the group.
    let _: Value = world
        .post("/block/add", Some(&bob.token), &json!({ "user_id": ada.user_id }))
        .await?;
    assert_eq!(create("one").await?, first);
    let groups: Groups = world.get("/group/list", Some(&ada.token)).await?;
    assert_eq!(groups.groups.len(), 1);
    let group = first["group_id"].clone();
    for (id, of) in [
        ("", "request_id has 1 to 64 bytes"),
        (&"x".repeat(65), "request_id has 1 to 64 bytes"),
    ] {
        let (status, failure) = world
            .refused("/group/create", Some(&ada.token), &request(id).to_string())
            .await?;
        assert!(status == 400 && failure.message.ends_with(of), "{failure:?}");
    }
    let detail = async |path: &str, users: Value| -> Result<String> {
        let body = json!({ "name": "ours", "group_id": group, "user_ids": users }).to_string();
        Ok(world.refused(path, Some(&ada.token), &body).await?.1.message)
    };
    for path in ["/group/add", "/group/create"] {
        let message = detail(path, json!([5, eve.user_id, 7])).await?;
        assert_eq!(message, "USER_NOT_FOUND: there is no such user: users 5, 7");
    }
    let _: Value = world
        .post("/block/add", Some(&eve.token), &json!({ "user_id": ada.user_id }))
        .await?;
    let message = detail("/group/add", json!([eve.user_id, bob.user_id])).await?;
    assert!(
        message.ends_with(&format!(": user {}", eve.user_id)),
        "bob is in the group: {message}"
    );
    let message = detail("/group/create", json!([eve.user_id, bob.user_id])).await?;
    assert!(
        message.ends_with(&format!(": users {}, {}", eve.user_id, bob.user_id)),
        "{message}"
    );
    for after in ["9007199254740992", "18446744073709551615"] {
        let path = format!("/group_user/list?group_id={group}&after={after}");
        let answer = world.send("GET", &path, Some(&ada.token), None).await?;
        assert_eq!(answer.status(), 400);
    }
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dissolved_group_goes_from_the_list_of_who_leaves_it() -> Result<()> {
    let world = World::start().await?;
    let [ada, bob] = world.accounts(["ada", "bob"]).await?;
    let group = world.group(&ada, &[&bob]).await?;
    let this = json!({ "group_id": group });
    assert_eq!(world.outcome("/group/dissolve", &ada, &this).await?, Code::OK);
    for who in [&bob, &ada] {
        let listed: Groups = world.get("/group/list", Some(&who.token)).await?;
        assert!(listed.groups[0].dissolved);
        for _ in 0..2 {
            assert_eq!(world.outcome("/group/leave", who, &this).await?, Code::OK);
        }
        let listed: Groups = world.get("/group/list", Some(&who.token)).await?;
        assert_eq!(listed, Groups::default());
    }
    world.settled().await?;
    world.stop().await;
    Ok(())
}
