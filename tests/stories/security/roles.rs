//! What each role may do to a group: everyone against everything.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wigwag_cluster::{Account, World};
use wigwag_protocol::Code;

/// The group that an action is tried on.
struct Cast {
    world: World,
    owner: Account,
    admin: Account,
    other_admin: Account,
    member: Account,
    /// Was a member.
    gone: Account,
    /// Never in it.
    outsider: Account,
    /// Exists, and is in no group.
    newcomer: Account,
}

/// What comes of an action for one who was never in the group, one who was, a member, an admin, and the owner.
type Outcomes = [Code; 5];

const NOBODY_BUT_ADMINS: Outcomes = [
    Code::GROUP_NOT_FOUND,
    Code::NOT_A_MEMBER,
    Code::ROLE_TOO_LOW,
    Code::OK,
    Code::OK,
];

const NOBODY_BUT_THE_OWNER: Outcomes = [
    Code::GROUP_NOT_FOUND,
    Code::NOT_A_MEMBER,
    Code::ROLE_TOO_LOW,
    Code::ROLE_TOO_LOW,
    Code::OK,
];

/// To the owner, by an admin or by the owner: there is nobody above.
const NOBODY: Outcomes = [
    Code::GROUP_NOT_FOUND,
    Code::NOT_A_MEMBER,
    Code::ROLE_TOO_LOW,
    Code::OWNER_STAYS,
    Code::OWNER_STAYS,
];

/// Actions, each on a group of its own: name, path, what beside the group's id is in the body, and who may. The owner comes last, so
/// that what the owner may do is done once all others have tried.
fn table(cast: &Cast) -> Vec<(&'static str, &'static str, Value, Outcomes)> {
    let users = |who: &Account| json!({ "user_ids": [who.user_id] });
    let role = |who: &Account, role: &str| json!({ "user_id": who.user_id, "role": role });
    let mute = |who: &Account| json!({ "user_id": who.user_id, "seconds": 60 });
    let user = |who: &Account| json!({ "user_id": who.user_id });
    let demote_owner = [
        Code::GROUP_NOT_FOUND,
        Code::NOT_A_MEMBER,
        Code::ROLE_TOO_LOW,
        Code::ROLE_TOO_LOW,
        Code::OWNER_STAYS,
    ];
    vec![
        ("add", "/group/add", users(&cast.newcomer), NOBODY_BUT_ADMINS),
        (
            "remove a member",
            "/group/remove",
            users(&cast.member),
            NOBODY_BUT_ADMINS,
        ),
        (
            "remove an admin",
            "/group/remove",
            users(&cast.other_admin),
            NOBODY_BUT_THE_OWNER,
        ),
        ("remove the owner", "/group/remove", users(&cast.owner), NOBODY),
        (
            "promote a member",
            "/group/role",
            role(&cast.member, "admin"),
            NOBODY_BUT_THE_OWNER,
        ),
        (
            "demote an admin",
            "/group/role",
            role(&cast.other_admin, "member"),
            NOBODY_BUT_THE_OWNER,
        ),
        (
            "demote the owner",
            "/group/role",
            role(&cast.owner, "member"),
            demote_owner,
        ),
        ("rename", "/group/update", json!({ "name": "ours" }), NOBODY_BUT_ADMINS),
        (
            "mute a member",
            "/group/mute_member",
            mute(&cast.member),
            NOBODY_BUT_ADMINS,
        ),
        (
            "mute an admin",
            "/group/mute_member",
            mute(&cast.other_admin),
            NOBODY_BUT_THE_OWNER,
        ),
        ("mute the owner", "/group/mute_member", mute(&cast.owner), NOBODY),
        (
            "mute everyone",
            "/group/update",
            json!({ "muted": true }),
            NOBODY_BUT_ADMINS,
        ),
        (
            "open the history",
            "/group/update",
            json!({ "open_history": true }),
            NOBODY_BUT_THE_OWNER,
        ),
        (
            "make it a super group",
            "/group/update",
            json!({ "super_group": true }),
            NOBODY_BUT_THE_OWNER,
        ),
        (
            "rename it and open its history",
            "/group/update",
            json!({ "name": "ours", "open_history": true }),
            NOBODY_BUT_THE_OWNER,
        ),
        (
            "hand it over",
            "/group/hand_over",
            user(&cast.member),
            NOBODY_BUT_THE_OWNER,
        ),
        (
            "hand it over to oneself",
            "/group/hand_over",
            user(&cast.admin),
            NOBODY_BUT_THE_OWNER,
        ),
        ("dissolve it", "/group/dissolve", json!({}), NOBODY_BUT_THE_OWNER),
    ]
}

impl Cast {
    async fn new() -> Result<Self> {
        let world = World::start().await?;
        world.crowd(1, 7).await?;
        let [owner, admin, other_admin, member, gone, outsider, newcomer] = [
            world.member(1)?,
            world.member(2)?,
            world.member(3)?,
            world.member(4)?,
            world.member(5)?,
            world.member(6)?,
            world.member(7)?,
        ];
        Ok(Self {
            world,
            owner,
            admin,
            other_admin,
            member,
            gone,
            outsider,
            newcomer,
        })
    }

    async fn group(&self) -> Result<u64> {
        let members = [&self.admin, &self.other_admin, &self.member, &self.gone];
        let group_id = self.world.group(&self.owner, &members).await?;
        let changes = [
            (
                "/group/role",
                json!({ "group_id": group_id, "user_id": self.admin.user_id, "role": "admin" }),
            ),
            (
                "/group/role",
                json!({ "group_id": group_id, "user_id": self.other_admin.user_id, "role": "admin" }),
            ),
            (
                "/group/remove",
                json!({ "group_id": group_id, "user_ids": [self.gone.user_id] }),
            ),
        ];
        for (path, body) in changes {
            ensure!(
                self.world.outcome(path, &self.owner, &body).await? == Code::OK,
                "{path}"
            );
        }
        Ok(group_id)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_acts_above_their_role() -> Result<()> {
    let cast = Cast::new().await?;
    let roles = [&cast.outsider, &cast.gone, &cast.member, &cast.admin, &cast.owner];
    let names = ["an outsider", "one who left", "a member", "an admin", "the owner"];
    let mut wrong = Vec::new();
    for (action, path, body, outcomes) in table(&cast) {
        let group_id = cast.group().await?;
        let mut body = body.clone();
        body["group_id"] = group_id.into();
        for ((who, role), must) in roles.into_iter().zip(names).zip(outcomes) {
            let came = cast.world.outcome(path, who, &body).await?;
            if came != must {
                wrong.push(format!("{action}, by {role}: {came}, and not {must}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    cast.world.stop().await;
    Ok(())
}
