//! `wigwag group list` and `wigwag group show`.

use crate::command_error::CommandError;
use crate::output::printable;
use crate::{Context, commands};
use wigwag_client::http::{Group, Role};

pub(super) async fn list(context: &mut Context) -> Result<(), CommandError> {
    let api = commands::api(context).await?;
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

pub(super) fn show(context: &mut Context, group: &Group) -> Result<(), CommandError> {
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
