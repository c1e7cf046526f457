//! The target of a chat: a user, a group or a room. It waits for a user whose profile does not
//! exist yet.

use super::ChatArgs;
use crate::command_error::CommandError;
use crate::output::{plain, printable};
use crate::profile::Profile;
use crate::rendering::Focus;
use crate::{Context, command_hint};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;
use wigwag_client::{Api, Code};

/// Interval between attempts to find the partner.
const POLL: Duration = Duration::from_millis(500);

/// The other user.
#[derive(Debug, Clone)]
pub(super) struct Partner {
    pub(super) user_id: u64,
    /// Their name as given by `--with`, or the nickname.
    pub(super) name: String,
}

/// Where typed lines are sent.
#[derive(Debug, Clone)]
pub(super) enum Target {
    With(Partner),
    Group {
        group_id: u64,
        name: String,
        dissolved: bool,
    },
    Room(u64),
}

impl Target {
    /// Finds the target given on the command line. The user must be a member of a group.
    pub(super) async fn find(
        context: &mut Context,
        api: &Api,
        me: &Profile,
        args: &ChatArgs,
    ) -> Result<Self, CommandError> {
        if let Some(with) = &args.with {
            return find(context, api, me, with).await.map(Self::With);
        }
        if let Some(group_id) = args.group {
            let group = api.group(group_id).await?;
            let (name, dissolved) = (group.name, group.dissolved);
            return Ok(Self::Group {
                group_id,
                name,
                dissolved,
            });
        }
        args.room
            .map(Self::Room)
            .ok_or_else(|| CommandError::usage("give --with, --group or --room"))
    }

    pub(super) fn here(&self) -> Focus {
        match self {
            Self::With(partner) => Focus::Peer(partner.user_id),
            Self::Group { group_id, .. } => Focus::Group(*group_id),
            Self::Room(room_id) => Focus::Room(*room_id),
        }
    }

    /// A description for people.
    pub(super) fn title(&self) -> String {
        match self {
            Self::With(partner) => format!("with {}", partner.name),
            Self::Group {
                group_id,
                name,
                dissolved,
            } => {
                let ended = if *dissolved {
                    ", which is dissolved, so nobody can send"
                } else {
                    ""
                };
                format!("in group {group_id}, {}{ended}", printable(name))
            }
            Self::Room(room_id) => format!("in room {room_id}"),
        }
    }

    /// A description for programs.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::With(partner) => json!({ "with": partner.name, "with_user_id": partner.user_id }),
            Self::Group {
                group_id,
                name,
                dissolved,
            } => json!({ "group_id": group_id, "name": name, "dissolved": dissolved }),
            Self::Room(room_id) => json!({ "room_id": room_id }),
        }
    }
}

/// Finds the user named by `with`. A user id must exist; a local profile may still be created.
async fn find(context: &mut Context, api: &Api, me: &Profile, with: &str) -> Result<Partner, CommandError> {
    if let Ok(user_id) = with.parse() {
        let name = api.user(user_id).await?.nickname;
        return Ok(Partner { user_id, name });
    }
    let mut told = false;
    loop {
        if let Some(user_id) = find_profile(context, api, me, with).await? {
            return Ok(Partner {
                user_id,
                name: with.to_owned(),
            });
        }
        if !told {
            announce_waiting(context, with)?;
            told = true;
        }
        sleep(POLL).await;
    }
}

/// The user id of a local profile, if the profile and its account exist.
async fn find_profile(context: &Context, api: &Api, me: &Profile, with: &str) -> Result<Option<u64>, CommandError> {
    let Some(profile) = context.profiles.read(with)? else {
        return Ok(None);
    };
    if plain(&profile.url) != plain(&me.url) {
        return Err(CommandError::usage(format!(
            "{with} is on {}, not on {}",
            plain(&profile.url),
            plain(&me.url)
        )));
    }
    match api.user(profile.user_id).await {
        Ok(_) => Ok(Some(profile.user_id)),
        Err(error) if error.code() == Some(Code::USER_NOT_FOUND) => Ok(None),
        // The server answered but is busy; it is asked again anyway.
        Err(error) if error.is_retryable() && error.code().is_some() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn announce_waiting(context: &mut Context, with: &str) -> Result<(), CommandError> {
    let command = command_hint::command(
        &context.global,
        &format!("chat --as {with} --with {}", context.global.profile),
    );
    let data = json!({ "for": with, "command": command });
    let line = format!("waiting for {with}: in another terminal run  {command}");
    context.printer.note("waiting", &data, &line)
}
