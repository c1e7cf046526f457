//! `wigwag group`: making groups, and who is in them and may do what.

use crate::Context;
use crate::args::{GroupCommand, GroupSwitch, GroupUser, GroupUsers, RoleName};
use crate::exit::Failure;
use crate::hint;
use crate::output::printable;
use crate::peer::{Names, resolve};
use serde_json::json;
use std::collections::HashMap;
use wigwag_client::http::{CreateGroup, Group, MembersChanged, Role, UpdateGroup};

pub(crate) async fn run(context: &mut Context, command: GroupCommand) -> Result<(), Failure> {
    match command {
        GroupCommand::Create {
            name,
            who,
            super_group,
            open_history,
        } => {
            let group = CreateGroup {
                name,
                user_ids: everyone(context, &who)?,
                super_group,
                open_history,
                request_id: None,
            };
            create(context, group).await
        }
        GroupCommand::Add(users) => add(context, users).await,
        GroupCommand::Remove(users) => remove(context, users).await,
        GroupCommand::Members(args) => members(context, args.group).await,
        GroupCommand::Leave(args) => {
            super::api(context).await?.leave_group(args.group).await?;
            done(context, "group_left", args.group, "left")
        }
        GroupCommand::HandOver(user) => hand_over(context, user).await,
        GroupCommand::Role { user, role } => set_role(context, user, role).await,
        GroupCommand::Mute { user, seconds } => mute(context, user, seconds).await,
        GroupCommand::Unmute(user) => mute(context, user, 0).await,
        GroupCommand::Rename { group, name } => {
            let line = format!("is called {} from now on", printable(&name));
            let change = UpdateGroup {
                name: Some(name),
                ..of(group)
            };
            update(context, change, "group_renamed", &line).await
        }
        GroupCommand::MuteAll(GroupSwitch { group, off }) => {
            let change = UpdateGroup {
                muted: Some(!off),
                ..of(group)
            };
            let (event, line) = if off {
                ("group_unmuted", "all members may send again")
            } else {
                ("group_muted", "only its owner and admins may send from now on")
            };
            update(context, change, event, line).await
        }
        GroupCommand::OpenHistory(GroupSwitch { group, off }) => {
            let change = UpdateGroup {
                open_history: Some(!off),
                ..of(group)
            };
            let (event, line) = if off {
                (
                    "history_closed",
                    "members read what was sent since they joined, and no more",
                )
            } else {
                ("history_opened", "members may read what was sent before they joined")
            };
            update(context, change, event, line).await
        }
        GroupCommand::Super(args) => {
            let change = UpdateGroup {
                super_group: Some(true),
                ..of(args.group)
            };
            update(context, change, "group_became_super", "is a super group from now on").await
        }
        GroupCommand::Dissolve(args) => {
            super::api(context).await?.dissolve_group(args.group).await?;
            done(context, "group_dissolved", args.group, "dissolved")
        }
        GroupCommand::List => list(context).await,
        GroupCommand::Show(args) => {
            let group = super::api(context).await?.group(args.group).await?;
            show(context, &group)
        }
    }
}

/// The ids of users who are named by them or by local profiles.
fn everyone(context: &Context, who: &[String]) -> Result<Vec<u64>, Failure> {
    who.iter().map(|who| resolve(&context.profiles, who)).collect()
}

fn of(group_id: u64) -> UpdateGroup {
    UpdateGroup {
        group_id,
        ..UpdateGroup::default()
    }
}

fn done(context: &mut Context, event: &str, group_id: u64, what: &str) -> Result<(), Failure> {
    let line = format!("group {group_id}: {what}");
    context.printer.print(event, &json!({ "group_id": group_id }), &line)
}

async fn create(context: &mut Context, group: CreateGroup) -> Result<(), Failure> {
    let group_id = super::api(context).await?.create_group(&group).await?.group_id;
    let data = json!({ "group_id": group_id, "name": group.name, "super_group": group.super_group });
    let kind = if group.super_group { "super group" } else { "group" };
    let line = format!(
        "made {kind} {group_id}, {}; talk in it with: {}",
        printable(&group.name),
        hint::command(
            &context.args,
            &format!("chat --as {} --group {group_id}", context.args.profile)
        )
    );
    context.printer.print("group_created", &data, &line)
}

async fn add(context: &mut Context, args: GroupUsers) -> Result<(), Failure> {
    let users = everyone(context, &args.who)?;
    let outcome = super::api(context)
        .await?
        .add_members(args.group, users.clone())
        .await?;
    told(
        context,
        "members_added",
        args.group,
        &Named::by(&args.who, &users),
        &outcome,
        ["added", "in it already"],
    )
}

async fn remove(context: &mut Context, args: GroupUsers) -> Result<(), Failure> {
    let users = everyone(context, &args.who)?;
    let outcome = super::api(context)
        .await?
        .remove_members(args.group, users.clone())
        .await?;
    told(
        context,
        "members_removed",
        args.group,
        &Named::by(&args.who, &users),
        &outcome,
        ["removed", "not in it"],
    )
}

/// Users by what they were called on the command line.
struct Named<'a>(HashMap<u64, &'a str>);

impl<'a> Named<'a> {
    fn by(who: &'a [String], users: &[u64]) -> Self {
        Self(users.iter().copied().zip(who.iter().map(String::as_str)).collect())
    }

    fn of(&self, user_id: u64) -> String {
        let Self(names) = self;
        names
            .get(&user_id)
            .map_or_else(|| user_id.to_string(), |name| printable(name))
    }
}

/// What became of each.
fn told(
    context: &mut Context,
    event: &str,
    group_id: u64,
    called: &Named<'_>,
    outcome: &MembersChanged,
    [changed, unchanged]: [&str; 2],
) -> Result<(), Failure> {
    let data = json!({ "group_id": group_id, "changed": outcome.changed, "unchanged": outcome.unchanged });
    let part = |ids: &[u64], what: &str| {
        let names: Vec<String> = ids.iter().map(|id| called.of(*id)).collect();
        (!ids.is_empty()).then(|| format!("{} {what}", names.join(", ")))
    };
    let parts: Vec<String> = [part(&outcome.changed, changed), part(&outcome.unchanged, unchanged)]
        .into_iter()
        .flatten()
        .collect();
    let line = format!("group {group_id}: {}", parts.join("; "));
    context.printer.print(event, &data, &line)
}

async fn members(context: &mut Context, group_id: u64) -> Result<(), Failure> {
    let api = super::api(context).await?;
    let mut names = Names::new(api.clone());
    let mut after = Some(0);
    while let Some(from) = after {
        let page = api.members(group_id, from).await?;
        for member in page.members {
            let name = names.of(member.user_id).await;
            let role = match member.role {
                Role::Member => "",
                Role::Admin => ", admin",
                Role::Owner => ", owner",
            };
            let is_muted = member.muted_until_ms > crate::account::now_ms();
            let muted = if is_muted { ", muted" } else { "" };
            let line = format!("{}{role}{muted}", printable(&name));
            let data = json!({
                "group_id": group_id,
                "user_id": member.user_id,
                "name": names.plain(member.user_id).await,
                "role": member.role,
                "muted_until_ms": member.muted_until_ms,
            });
            context.printer.print("member", &data, &line)?;
        }
        after = page.next;
    }
    Ok(())
}

async fn hand_over(context: &mut Context, args: GroupUser) -> Result<(), Failure> {
    let user_id = resolve(&context.profiles, &args.who)?;
    super::api(context).await?.hand_over_group(args.group, user_id).await?;
    let data = json!({ "group_id": args.group, "user_id": user_id });
    let line = format!("group {}: {} is its owner now", args.group, args.who);
    context.printer.print("group_handed_over", &data, &line)
}

async fn set_role(context: &mut Context, args: GroupUser, role: RoleName) -> Result<(), Failure> {
    let user_id = resolve(&context.profiles, &args.who)?;
    let (role, what) = match role {
        RoleName::Admin => (Role::Admin, "an admin"),
        RoleName::Member => (Role::Member, "a plain member"),
    };
    super::api(context).await?.set_role(args.group, user_id, role).await?;
    let data = json!({ "group_id": args.group, "user_id": user_id, "role": role });
    let line = format!("group {}: {} is {what} now", args.group, args.who);
    context.printer.print("role_set", &data, &line)
}

async fn mute(context: &mut Context, args: GroupUser, seconds: u64) -> Result<(), Failure> {
    let user_id = resolve(&context.profiles, &args.who)?;
    super::api(context)
        .await?
        .mute_member(args.group, user_id, seconds)
        .await?;
    let data = json!({ "group_id": args.group, "user_id": user_id, "seconds": seconds });
    let (event, what) = match seconds {
        0 => ("member_unmuted", "may send again".to_owned()),
        _ => ("member_muted", format!("may not send for {seconds} s")),
    };
    let line = format!("group {}: {} {what}", args.group, args.who);
    context.printer.print(event, &data, &line)
}

async fn update(context: &mut Context, change: UpdateGroup, event: &str, what: &str) -> Result<(), Failure> {
    super::api(context).await?.update_group(&change).await?;
    done(context, event, change.group_id, what)
}

async fn list(context: &mut Context) -> Result<(), Failure> {
    let api = super::api(context).await?;
    let mut after = Some(0);
    while let Some(from) = after {
        let page = api.groups(from).await?;
        for group in &page.groups {
            show(context, group)?;
        }
        after = page.next;
    }
    Ok(())
}

fn show(context: &mut Context, group: &Group) -> Result<(), Failure> {
    let kind = if group.super_group { "super group" } else { "group" };
    let role = match group.role {
        Role::Member => "you are a member",
        Role::Admin => "you are an admin",
        Role::Owner => "you are its owner",
    };
    let facts = [
        (group.muted, "only its owner and admins may send"),
        (group.open_history, "history open to new members"),
        (group.dissolved, "dissolved"),
        (group.muted_until_ms > crate::account::now_ms(), "you are muted"),
    ];
    let facts: Vec<&str> = std::iter::once(role)
        .chain(facts.into_iter().filter_map(|(is_so, what)| is_so.then_some(what)))
        .collect();
    let line = format!(
        "{kind} {}: {}, {} members, {}",
        group.group_id,
        printable(&group.name),
        group.members,
        facts.join(", ")
    );
    context.printer.print("group", group, &line)
}
