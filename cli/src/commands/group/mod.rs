//! `wigwag group`: creating and managing groups.

mod listing;
mod members;

use crate::command_error::CommandError;
use crate::global::parse_id;
use crate::output::printable;
use crate::users::resolve;
use crate::{Context, command_hint};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use wigwag_client::http::{CreateGroup, UpdateGroup};
use wigwag_client::limits::MUTE_MAX_S;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  wigwag group create --as alice 'book club' bob carol
  wigwag group add --as alice 1234567890 dave
  wigwag group mute --as alice 1234567890 dave --for 10m
  wigwag chat --as bob --group 1234567890")]
pub(crate) enum GroupCommand {
    /// Create a group; the profile becomes its owner
    Create(GroupCreateArgs),
    /// Add members
    Add(GroupUsersArgs),
    /// Remove members
    Remove(GroupUsersArgs),
    /// List the members in the order in which they joined
    Members(GroupArgs),
    /// Leave a group; also removes a dissolved group from the list
    Leave(GroupArgs),
    /// Make a member the owner; the previous owner becomes an admin
    HandOver(GroupUserArgs),
    /// Make a member an admin, or an admin a plain member
    Role {
        #[command(flatten)]
        user: GroupUserArgs,
        /// The new role
        #[arg(value_enum)]
        role: RoleName,
    },
    /// Keep a member from sending for some time
    Mute {
        #[command(flatten)]
        user: GroupUserArgs,
        /// For how long, at most a year: 90, 90s, 10m, 2h or 7d
        #[arg(long = "for", value_name = "TIME", value_parser = parse_seconds)]
        seconds: u64,
    },
    /// Let a muted member send again
    Unmute(GroupUserArgs),
    /// Rename a group
    Rename {
        /// The group's id
        #[arg(value_name = "GROUP", value_parser = parse_id)]
        group: u64,
        /// The new name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Let only the owner and admins send
    MuteAll(GroupSwitchArgs),
    /// Let members read what was sent before they joined
    OpenHistory(GroupSwitchArgs),
    /// Turn a group into a super group; this cannot be undone
    Super(GroupArgs),
    /// Dissolve a group; this cannot be undone
    Dissolve(GroupArgs),
    /// List the groups that the profile is a member of
    List,
    /// Show a group
    Show(GroupArgs),
}

#[derive(Debug, Args)]
pub(crate) struct GroupCreateArgs {
    /// Name of the group
    #[arg(value_name = "NAME")]
    name: String,
    /// The other first members: user ids or names of local profiles, at most 100
    #[arg(value_name = "ID|NAME")]
    who: Vec<String>,
    /// Create a super group: up to 100,000 members, who read its log instead of getting copies
    #[arg(long = "super")]
    super_group: bool,
    /// Let members read what was sent before they joined
    #[arg(long)]
    open_history: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GroupArgs {
    /// The group's id
    #[arg(value_name = "GROUP", value_parser = parse_id)]
    group: u64,
}

#[derive(Debug, Args)]
pub(crate) struct GroupUsersArgs {
    /// The group's id
    #[arg(value_name = "GROUP", value_parser = parse_id)]
    group: u64,
    /// User ids or names of local profiles, at most 100
    #[arg(value_name = "ID|NAME", required = true)]
    who: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GroupUserArgs {
    /// The group's id
    #[arg(value_name = "GROUP", value_parser = parse_id)]
    group: u64,
    /// A user id or the name of a local profile
    #[arg(value_name = "ID|NAME")]
    who: String,
}

#[derive(Debug, Args)]
pub(crate) struct GroupSwitchArgs {
    /// The group's id
    #[arg(value_name = "GROUP", value_parser = parse_id)]
    group: u64,
    /// Turn it off again
    #[arg(long)]
    off: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleName {
    Member,
    Admin,
}

pub(crate) async fn run(context: &mut Context, command: GroupCommand) -> Result<(), CommandError> {
    match command {
        GroupCommand::Create(args) => create(context, args).await,
        GroupCommand::Add(users) => members::add(context, users).await,
        GroupCommand::Remove(users) => members::remove(context, users).await,
        GroupCommand::Members(args) => members::list(context, args.group).await,
        GroupCommand::Leave(args) => {
            super::api(context).await?.leave_group(args.group).await?;
            print_done(context, "group_left", args.group, "left")
        }
        GroupCommand::HandOver(user) => members::hand_over(context, user).await,
        GroupCommand::Role { user, role } => members::set_role(context, user, role).await,
        GroupCommand::Mute { user, seconds } => members::mute(context, user, seconds).await,
        GroupCommand::Unmute(user) => members::mute(context, user, 0).await,
        GroupCommand::Rename { group, name } => {
            let line = format!("is now called {}", printable(&name));
            let mut change = unchanged(group);
            change.name = Some(name);
            update(context, change, "group_renamed", &line).await
        }
        GroupCommand::MuteAll(args) => mute_all(context, args).await,
        GroupCommand::OpenHistory(args) => open_history(context, args).await,
        GroupCommand::Super(args) => {
            let mut change = unchanged(args.group);
            change.super_group = Some(true);
            update(context, change, "group_became_super", "is now a super group").await
        }
        GroupCommand::Dissolve(args) => {
            super::api(context).await?.dissolve_group(args.group).await?;
            print_done(context, "group_dissolved", args.group, "dissolved")
        }
        GroupCommand::List => listing::list(context).await,
        GroupCommand::Show(args) => {
            let group = super::api(context).await?.group(args.group).await?;
            listing::show(context, &group)
        }
    }
}

/// The ids of users who are given by id or by the name of a local profile.
fn resolve_all(context: &Context, who: &[String]) -> Result<Vec<u64>, CommandError> {
    who.iter().map(|who| resolve(&context.profiles, who)).collect()
}

/// A change of a group that changes nothing yet.
fn unchanged(group_id: u64) -> UpdateGroup {
    UpdateGroup {
        group_id,
        ..UpdateGroup::default()
    }
}

fn print_done(context: &mut Context, event: &str, group_id: u64, what: &str) -> Result<(), CommandError> {
    let line = format!("group {group_id}: {what}");
    context.printer.print(event, &json!({ "group_id": group_id }), &line)
}

async fn create(context: &mut Context, args: GroupCreateArgs) -> Result<(), CommandError> {
    let group = CreateGroup {
        user_ids: resolve_all(context, &args.who)?,
        name: args.name,
        super_group: args.super_group,
        open_history: args.open_history,
        request_id: None,
    };
    let group_id = super::api(context).await?.create_group(&group).await?.group_id;
    let data = json!({ "group_id": group_id, "name": group.name, "super_group": group.super_group });
    let kind = if group.super_group { "super group" } else { "group" };
    let line = format!(
        "created {kind} {group_id}, {}; chat in it with: {}",
        printable(&group.name),
        command_hint::command(
            &context.global,
            &format!("chat --as {} --group {group_id}", context.global.profile)
        )
    );
    context.printer.print("group_created", &data, &line)
}

async fn mute_all(context: &mut Context, args: GroupSwitchArgs) -> Result<(), CommandError> {
    let mut change = unchanged(args.group);
    change.muted = Some(!args.off);
    let (event, line) = if args.off {
        ("group_unmuted", "all members may send again")
    } else {
        ("group_muted", "only its owner and admins may send now")
    };
    update(context, change, event, line).await
}

async fn open_history(context: &mut Context, args: GroupSwitchArgs) -> Result<(), CommandError> {
    let mut change = unchanged(args.group);
    change.open_history = Some(!args.off);
    let (event, line) = if args.off {
        ("history_closed", "members read only what was sent since they joined")
    } else {
        ("history_opened", "members may read what was sent before they joined")
    };
    update(context, change, event, line).await
}

async fn update(context: &mut Context, change: UpdateGroup, event: &str, what: &str) -> Result<(), CommandError> {
    super::api(context).await?.update_group(&change).await?;
    print_done(context, event, change.group_id, what)
}

/// Parses a duration such as `90`, `90s`, `10m`, `2h` or `7d` into seconds.
fn parse_seconds(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(digits) => (digits, &text[digits.len()..]),
        None => (text, "s"),
    };
    let factor = match unit {
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => 1,
    };
    let number: Option<u64> = digits.parse().ok().and_then(|n: u64| n.checked_mul(factor));
    number
        .filter(|seconds| (1..=MUTE_MAX_S).contains(seconds))
        .ok_or_else(|| "write a duration of at most a year as 90, 90s, 10m, 2h or 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_may_have_a_unit() {
        assert_eq!(
            ["90", "90s", "10m", "2h", "7d"].map(parse_seconds),
            [90, 90, 600, 7200, 604_800].map(Ok)
        );
        for wrong in ["", "m", "0", "-1", "1w", "366d", "99999999999999999999d", "1.5h", "µ"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }
}
