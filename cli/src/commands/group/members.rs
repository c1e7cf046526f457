//! The subcommands of `wigwag group` that are about its members.

use super::{GroupUserArgs, GroupUsersArgs, RoleName, resolve_all};
use crate::command_error::CommandError;
use crate::names::Names;
use crate::output::printable;
use crate::users::resolve;
use crate::{Context, commands};
use serde_json::json;
use std::collections::HashMap;
use wigwag_client::http::{MembersChanged, Role};

pub(super) async fn add(context: &mut Context, args: GroupUsersArgs) -> Result<(), CommandError> {
    let users = resolve_all(context, &args.who)?;
    let outcome = commands::api(context)
        .await?
        .add_members(args.group, users.clone())
        .await?;
    print_changed(
        context,
        "members_added",
        args.group,
        &GivenNames::new(&args.who, &users),
        &outcome,
        ["added", "already a member"],
    )
}

pub(super) async fn remove(context: &mut Context, args: GroupUsersArgs) -> Result<(), CommandError> {
    let users = resolve_all(context, &args.who)?;
    let outcome = commands::api(context)
        .await?
        .remove_members(args.group, users.clone())
        .await?;
    print_changed(
        context,
        "members_removed",
        args.group,
        &GivenNames::new(&args.who, &users),
        &outcome,
        ["removed", "not a member"],
    )
}

/// Names of users as given on the command line.
struct GivenNames<'a>(HashMap<u64, &'a str>);

impl<'a> GivenNames<'a> {
    fn new(who: &'a [String], users: &[u64]) -> Self {
        Self(users.iter().copied().zip(who.iter().map(String::as_str)).collect())
    }

    fn get(&self, user_id: u64) -> String {
        let Self(names) = self;
        names
            .get(&user_id)
            .map_or_else(|| user_id.to_string(), |name| printable(name))
    }
}

/// Prints which users were changed and which were not.
fn print_changed(
    context: &mut Context,
    event: &str,
    group_id: u64,
    called: &GivenNames<'_>,
    outcome: &MembersChanged,
    [changed, unchanged]: [&str; 2],
) -> Result<(), CommandError> {
    let data = json!({ "group_id": group_id, "changed": outcome.changed, "unchanged": outcome.unchanged });
    let part = |ids: &[u64], what: &str| {
        let names: Vec<String> = ids.iter().map(|id| called.get(*id)).collect();
        (!ids.is_empty()).then(|| format!("{} {what}", names.join(", ")))
    };
    let parts: Vec<String> = [part(&outcome.changed, changed), part(&outcome.unchanged, unchanged)]
        .into_iter()
        .flatten()
        .collect();
    let line = format!("group {group_id}: {}", parts.join("; "));
    context.printer.print(event, &data, &line)
}

pub(super) async fn list(context: &mut Context, group_id: u64) -> Result<(), CommandError> {
    let api = commands::api(context).await?;
    let mut names = Names::new(api.clone());
    let mut after = Some(0);
    while let Some(from) = after {
        let page = api.members(group_id, from).await?;
        for member in page.members {
            let name = names.for_user(member.user_id).await;
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

pub(super) async fn hand_over(context: &mut Context, args: GroupUserArgs) -> Result<(), CommandError> {
    let user_id = resolve(&context.profiles, &args.who)?;
    commands::api(context)
        .await?
        .hand_over_group(args.group, user_id)
        .await?;
    let data = json!({ "group_id": args.group, "user_id": user_id });
    let line = format!("group {}: {} is now its owner", args.group, args.who);
    context.printer.print("group_handed_over", &data, &line)
}

pub(super) async fn set_role(context: &mut Context, args: GroupUserArgs, role: RoleName) -> Result<(), CommandError> {
    let user_id = resolve(&context.profiles, &args.who)?;
    let (role, what) = match role {
        RoleName::Admin => (Role::Admin, "an admin"),
        RoleName::Member => (Role::Member, "a plain member"),
    };
    commands::api(context)
        .await?
        .set_role(args.group, user_id, role)
        .await?;
    let data = json!({ "group_id": args.group, "user_id": user_id, "role": role });
    let line = format!("group {}: {} is now {what}", args.group, args.who);
    context.printer.print("role_set", &data, &line)
}

pub(super) async fn mute(context: &mut Context, args: GroupUserArgs, seconds: u64) -> Result<(), CommandError> {
    let user_id = resolve(&context.profiles, &args.who)?;
    commands::api(context)
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
