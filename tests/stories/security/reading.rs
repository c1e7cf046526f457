//! Reading what belongs to others. "for bob alone" is for ada and bob. Of a group, carl may read
//! "two" only, and eve nothing.
use super::Row;
use super::scene::Scene;
use anyhow::Result;
use futures_util::FutureExt as _;
use serde_json::{Map, Value};
use wigwag_protocol::pb::SessionType::{Group, Room, Single};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn rows(scene: &Scene) -> Vec<Row<'_>> {
    let Scene {
        ada,
        bob,
        carl,
        eve,
        group,
        super_group,
        ..
    } = scene;
    let history = |group: &u64, range: &str| format!("/group/{group}/history?{range}");
    let all = "begin_seq=1&end_seq=9007199254740991&limit=100";
    let get = |path: String, who| async move { scene.get(&path, who).await }.boxed();
    let read = |path: String, who| async move { scene.history(&path, who).await }.boxed();
    vec![
        // What bob may read, which shows that there is something to read.
        (
            "ada's history with bob, by bob",
            "for bob alone",
            scene.pull(bob, Single, ada.user_id, false).boxed(),
        ),
        (
            "the group's history, by bob",
            "one two three",
            scene.pull(bob, Group, *group, false).boxed(),
        ),
        (
            "the super group's history, by bob",
            "one two three",
            scene.pull(bob, Group, *super_group, false).boxed(),
        ),
        (
            "bob's inbox, by bob",
            "for bob alone one two three",
            scene.inbox(bob).boxed(),
        ),
        // Conversations between two.
        (
            "bob's history by PULL, as his peer",
            "",
            scene.pull(eve, Single, bob.user_id, false).boxed(),
        ),
        (
            "ada's history by PULL, newest first",
            "",
            scene.pull(eve, Single, ada.user_id, true).boxed(),
        ),
        (
            "bob's history over HTTP",
            "",
            read(format!("/history/{}?{all}", bob.user_id), eve),
        ),
        (
            "another inbox: SYNC can only name the caller's own",
            "",
            scene.inbox(eve).boxed(),
        ),
        // Groups, by eve who was never in them, and by carl who left.
        (
            "a group by PULL, never in it",
            "GROUP_NOT_FOUND",
            scene.pull(eve, Group, *group, false).boxed(),
        ),
        (
            "a super group by PULL, never in it",
            "GROUP_NOT_FOUND",
            scene.pull(eve, Group, *super_group, false).boxed(),
        ),
        (
            "a group over HTTP, never in it",
            "GROUP_NOT_FOUND",
            read(history(group, all), eve),
        ),
        (
            "a super group over HTTP, never in it",
            "GROUP_NOT_FOUND",
            read(history(super_group, all), eve),
        ),
        (
            "a group's log as a conversation with a user",
            "",
            scene.pull(eve, Single, *group, false).boxed(),
        ),
        (
            "a group's log as a room",
            "SESSION_TYPE_UNSUPPORTED",
            scene.pull(eve, Room, *group, false).boxed(),
        ),
        (
            "facts of a group, never in it",
            "GROUP_NOT_FOUND",
            get(format!("/group/{group}"), eve),
        ),
        (
            "facts of a group, after leaving",
            "NOT_A_MEMBER",
            get(format!("/group/{group}"), carl),
        ),
        (
            "members of a group, never in it",
            "GROUP_NOT_FOUND",
            get(format!("/group_user/list?group_id={group}"), eve),
        ),
        (
            "members of a group, after leaving",
            "NOT_A_MEMBER",
            get(format!("/group_user/list?group_id={group}"), carl),
        ),
        // Before joining and after leaving.
        (
            "a group by PULL, beyond the membership interval",
            "two",
            scene.pull(carl, Group, *group, false).boxed(),
        ),
        (
            "a group by PULL, newest first",
            "two",
            scene.pull(carl, Group, *group, true).boxed(),
        ),
        ("a group over HTTP, all of it", "two", read(history(group, all), carl)),
        (
            "a group over HTTP, before joining",
            "",
            read(history(group, "begin_seq=1&end_seq=2"), carl),
        ),
        (
            "a group over HTTP, after leaving",
            "",
            read(history(group, "begin_seq=6"), carl),
        ),
        (
            "a super group by PULL, beyond the membership interval",
            "two",
            scene.pull(carl, Group, *super_group, false).boxed(),
        ),
        (
            "a super group over HTTP, all of it",
            "two",
            read(history(super_group, all), carl),
        ),
        (
            "a super group over HTTP, after leaving",
            "",
            read(history(super_group, "begin_seq=6"), carl),
        ),
        // The copies of a group. A super group has none.
        (
            "copies from before joining and after leaving",
            "two",
            scene.inbox(carl).boxed(),
        ),
        // People.
        (
            "another's phone number",
            "user_id nickname",
            keys_of_profile(scene).boxed(),
        ),
    ]
}

/// The fields of a public profile.
async fn keys_of_profile(scene: &Scene) -> Result<String> {
    let path = format!("/user/{}", scene.ada.user_id);
    let profile: Map<String, Value> = scene.cluster.get(&path, Some(&scene.eve.token)).await?;
    Ok(profile.keys().map(String::as_str).collect::<Vec<_>>().join(" "))
}
