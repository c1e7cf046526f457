//! What each role may do to a group: every role against every action.
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wigwag_cluster::{Account, Cluster};
use wigwag_protocol::Code;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_acts_above_their_role() -> Result<()> {
    let population = RolePopulation::new().await?;
    let roles = [
        &population.outsider,
        &population.gone,
        &population.member,
        &population.admin,
        &population.owner,
    ];
    let names = ["an outsider", "a former member", "a member", "an admin", "the owner"];
    let mut wrong = Vec::new();
    for (action, path, body, outcomes) in table(&population) {
        let group_id = population.group().await?;
        let mut body = body.clone();
        body["group_id"] = group_id.into();
        for ((who, role), wanted) in roles.into_iter().zip(names).zip(outcomes) {
            let outcome = population.cluster.outcome(path, who, &body).await?;
            if outcome != wanted {
                wrong.push(format!("{action}, by {role}: {outcome} instead of {wanted}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    population.cluster.stop().await;
    Ok(())
}

/// Outcomes of an action by an outsider, a former member, a member, an admin, and the owner.
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

/// An action against the owner, which not even the owner may do.
const NOBODY: Outcomes = [
    Code::GROUP_NOT_FOUND,
    Code::NOT_A_MEMBER,
    Code::ROLE_TOO_LOW,
    Code::OWNER_STAYS,
    Code::OWNER_STAYS,
];

/// Actions: name, path, body without the group's id, and outcomes. Each is tried on a new group.
/// The owner is last, because what the owner does cannot be done again.
fn table(population: &RolePopulation) -> Vec<(&'static str, &'static str, Value, Outcomes)> {
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
        ("add", "/group/add", users(&population.newcomer), NOBODY_BUT_ADMINS),
        (
            "remove a member",
            "/group/remove",
            users(&population.member),
            NOBODY_BUT_ADMINS,
        ),
        (
            "remove an admin",
            "/group/remove",
            users(&population.other_admin),
            NOBODY_BUT_THE_OWNER,
        ),
        ("remove the owner", "/group/remove", users(&population.owner), NOBODY),
        (
            "promote a member",
            "/group/role",
            role(&population.member, "admin"),
            NOBODY_BUT_THE_OWNER,
        ),
        (
            "demote an admin",
            "/group/role",
            role(&population.other_admin, "member"),
            NOBODY_BUT_THE_OWNER,
        ),
        (
            "demote the owner",
            "/group/role",
            role(&population.owner, "member"),
            demote_owner,
        ),
        ("rename", "/group/update", json!({ "name": "ours" }), NOBODY_BUT_ADMINS),
        (
            "mute a member",
            "/group/mute_member",
            mute(&population.member),
            NOBODY_BUT_ADMINS,
        ),
        (
            "mute an admin",
            "/group/mute_member",
            mute(&population.other_admin),
            NOBODY_BUT_THE_OWNER,
        ),
        ("mute the owner", "/group/mute_member", mute(&population.owner), NOBODY),
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
            user(&population.member),
            NOBODY_BUT_THE_OWNER,
        ),
        (
            "hand it over to an admin",
            "/group/hand_over",
            user(&population.admin),
            NOBODY_BUT_THE_OWNER,
        ),
        ("dissolve it", "/group/dissolve", json!({}), NOBODY_BUT_THE_OWNER),
    ]
}

/// A stack, and the users whose roles are tried.
struct RolePopulation {
    cluster: Cluster,
    owner: Account,
    admin: Account,
    other_admin: Account,
    member: Account,
    /// Was a member once.
    gone: Account,
    /// Was never a member.
    outsider: Account,
    /// Is in no group, and is added.
    newcomer: Account,
}

impl RolePopulation {
    async fn new() -> Result<Self> {
        let cluster = Cluster::start().await?;
        cluster.crowd(1, 7).await?;
        let [owner, admin, other_admin, member, gone, outsider, newcomer] = [
            cluster.member(1)?,
            cluster.member(2)?,
            cluster.member(3)?,
            cluster.member(4)?,
            cluster.member(5)?,
            cluster.member(6)?,
            cluster.member(7)?,
        ];
        Ok(Self {
            cluster,
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
        let group_id = self.cluster.group(&self.owner, &members).await?;
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
                self.cluster.outcome(path, &self.owner, &body).await? == Code::OK,
                "{path}"
            );
        }
        Ok(group_id)
    }
}
