//! Changes of a group that are refused.
use super::GROUP;
use anyhow::Result;
use serde_json::{Value, json};
use wigwag_cluster::{Account, Cluster};
use wigwag_protocol::pb::{Message, MessageType, UpMsg};
use wigwag_protocol::{Code, Request};

#[tokio::test(flavor = "multi_thread")]
async fn only_the_server_announces_a_change_of_a_group() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut b = cluster.device(&bob).await?;
    let group = cluster.group(&ada, &[&bob]).await?;
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
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_not_allowed_is_refused() -> Result<()> {
    let cluster = Cluster::start().await?;
    let [ada, bob, eve] = cluster.accounts(["ada", "bob", "eve"]).await?;
    let group = cluster.group(&ada, &[&bob]).await?;
    for (path, who, body, code) in refused_changes(group, (&ada, &bob, &eve)) {
        assert_eq!(cluster.outcome(path, who, &body).await?, code, "{path} {body}");
    }
    cluster.stop().await;
    Ok(())
}

/// Requests that must be refused: path, caller, body, code.
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
