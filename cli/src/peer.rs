//! Who is meant: a user id, or the name of a local profile.

use crate::exit::Failure;
use crate::profile::Profiles;
use std::collections::HashMap;
use wigwag_client::Api;

/// The id of a user that is named by it or by a local profile.
pub(crate) fn resolve(profiles: &Profiles, who: &str) -> Result<u64, Failure> {
    if let Ok(user_id) = who.parse() {
        return Ok(user_id);
    }
    match profiles.read(who)? {
        Some(profile) => Ok(profile.user_id),
        None => Err(Failure::usage(format!(
            "{who} is neither a user id nor a local profile (wigwag profiles lists those)"
        ))),
    }
}

/// Names for ids: those that were given, else nicknames, asked for once.
#[derive(Debug)]
pub(crate) struct Names {
    api: Api,
    known: HashMap<u64, String>,
}

impl Names {
    /// Asks `api` for what is not known.
    pub(crate) fn new(api: Api) -> Self {
        Self {
            api,
            known: HashMap::new(),
        }
    }

    /// Calls a user so from now on.
    pub(crate) fn call(&mut self, user_id: u64, name: impl Into<String>) {
        self.known.insert(user_id, name.into());
    }

    /// What to call a user: the id where there is nothing better.
    pub(crate) async fn of(&mut self, user_id: u64) -> String {
        if let Some(name) = self.known.get(&user_id) {
            return name.clone();
        }
        match self.api.user(user_id).await {
            Ok(profile) => {
                let name = format!("{} ({user_id})", profile.nickname);
                self.call(user_id, name.clone());
                name
            }
            // Perhaps next time.
            Err(_) => user_id.to_string(),
        }
    }
}
