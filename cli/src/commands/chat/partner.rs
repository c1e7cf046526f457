//! Where to chat: with somebody, who is waited for while they do not exist; in a group; in a room.

use crate::Context;
use crate::args::Chat;
use crate::exit::Failure;
use crate::hint;
use crate::output::{plain, printable};
use crate::profile::Profile;
use crate::shown::Here;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;
use wigwag_client::{Api, Code};

/// Between looking for someone who is not there yet.
const POLL: Duration = Duration::from_millis(500);

/// The other one.
#[derive(Debug, Clone)]
pub(super) struct Partner {
    pub(super) user_id: u64,
    /// What to call them: as given by `--with`, or the nickname.
    pub(super) name: String,
}

/// Where what is typed goes.
#[derive(Debug, Clone)]
pub(super) enum Place {
    With(Partner),
    Group {
        group_id: u64,
        name: String,
        dissolved: bool,
    },
    Room(u64),
}

impl Place {
    /// As the command line names it. A group must be one that this user is in.
    pub(super) async fn find(context: &mut Context, api: &Api, me: &Profile, args: &Chat) -> Result<Self, Failure> {
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
            .ok_or_else(|| Failure::usage("where? --with, --group or --room"))
    }

    pub(super) fn here(&self) -> Here {
        match self {
            Self::With(partner) => Here::Peer(partner.user_id),
            Self::Group { group_id, .. } => Here::Group(*group_id),
            Self::Room(room_id) => Here::Room(*room_id),
        }
    }

    /// For people.
    pub(super) fn title(&self) -> String {
        match self {
            Self::With(partner) => format!("with {}", partner.name),
            Self::Group {
                group_id,
                name,
                dissolved,
            } => {
                let ended = if *dissolved {
                    ", which is dissolved: nobody can send"
                } else {
                    ""
                };
                format!("in group {group_id}, {}{ended}", printable(name))
            }
            Self::Room(room_id) => format!("in room {room_id}"),
        }
    }

    /// For programs.
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

/// Finds whom `with` names. A user id must exist; a local profile may come to exist.
async fn find(context: &mut Context, api: &Api, me: &Profile, with: &str) -> Result<Partner, Failure> {
    if let Ok(user_id) = with.parse() {
        let name = api.user(user_id).await?.nickname;
        return Ok(Partner { user_id, name });
    }
    let mut told = false;
    loop {
        if let Some(user_id) = look(context, api, me, with).await? {
            return Ok(Partner {
                user_id,
                name: with.to_owned(),
            });
        }
        if !told {
            tell(context, with)?;
            told = true;
        }
        sleep(POLL).await;
    }
}

/// The user id of a local profile, if both it and its account exist.
async fn look(context: &Context, api: &Api, me: &Profile, with: &str) -> Result<Option<u64>, Failure> {
    let Some(profile) = context.profiles.read(with)? else {
        return Ok(None);
    };
    if plain(&profile.url) != plain(&me.url) {
        return Err(Failure::usage(format!(
            "{with} is on {}, not on {}",
            plain(&profile.url),
            plain(&me.url)
        )));
    }
    match api.user(profile.user_id).await {
        Ok(_) => Ok(Some(profile.user_id)),
        Err(error) if error.code() == Some(Code::USER_NOT_FOUND) => Ok(None),
        // Reached, but busy: it is asked again anyway.
        Err(error) if error.is_retryable() && error.code().is_some() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn tell(context: &mut Context, with: &str) -> Result<(), Failure> {
    let command = hint::command(
        &context.args,
        &format!("chat --as {with} --with {}", context.args.profile),
    );
    let data = json!({ "for": with, "command": command });
    let line = format!("waiting for {with}: in another terminal run  {command}");
    context.printer.note("waiting", &data, &line)
}
