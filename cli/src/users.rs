//! Users as they are named on the command line.

use crate::command_error::CommandError;
use crate::profile::Profiles;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    /// A user id or the name of a local profile
    #[arg(value_name = "ID|NAME")]
    pub(crate) who: String,
}

/// Returns the id of a user who is given by id or by the name of a local profile.
pub(crate) fn resolve(profiles: &Profiles, who: &str) -> Result<u64, CommandError> {
    if let Ok(user_id) = who.parse() {
        return Ok(user_id);
    }
    match profiles.read(who)? {
        Some(profile) => Ok(profile.user_id),
        None => Err(CommandError::usage(format!(
            "{who} is neither a user id nor a local profile; list the profiles with: wigwag profiles"
        ))),
    }
}
