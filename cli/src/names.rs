//! Names of users and groups for output.

use std::collections::HashMap;
use wigwag_client::Api;

/// A user's name.
#[derive(Debug)]
enum Known {
    /// As given on the command line.
    Given(String),
    /// The nickname that the server knows.
    Nickname(String),
}

/// Maps ids to names: those given on the command line, or else nicknames, each asked for once.
#[derive(Debug)]
pub(crate) struct Names {
    api: Api,
    known: HashMap<u64, Known>,
    /// Names of groups. `None` if the server does not show the group.
    groups: HashMap<u64, Option<String>>,
}

impl Names {
    /// Asks `api` for unknown names.
    pub(crate) fn new(api: Api) -> Self {
        Self {
            api,
            known: HashMap::new(),
            groups: HashMap::new(),
        }
    }

    /// Sets the name of a user.
    pub(crate) fn call(&mut self, user_id: u64, name: impl Into<String>) {
        self.known.insert(user_id, Known::Given(name.into()));
    }

    /// The display name of a user. A nickname comes with the id, because several users may have it.
    /// Without a name it is the id.
    pub(crate) async fn for_user(&mut self, user_id: u64) -> String {
        match self.known(user_id).await {
            Some(Known::Given(name)) => name.clone(),
            Some(Known::Nickname(name)) => format!("{name} ({user_id})"),
            None => user_id.to_string(),
        }
    }

    /// The name alone, for programs, which also get the id.
    pub(crate) async fn plain(&mut self, user_id: u64) -> Option<&str> {
        match self.known(user_id).await? {
            Known::Given(name) | Known::Nickname(name) => Some(name),
        }
    }

    /// Sets the name of a group.
    pub(crate) fn call_group(&mut self, group_id: u64, name: &str) {
        self.groups.insert(group_id, Some(name.to_owned()));
    }

    /// The display name of a group, with its id, which commands take.
    pub(crate) async fn for_group(&mut self, group_id: u64) -> String {
        if !self.groups.contains_key(&group_id) {
            let group = self.api.group(group_id).await;
            self.groups.insert(group_id, group.ok().map(|group| group.name));
        }
        match self.groups.get(&group_id) {
            Some(Some(name)) => format!("{name} ({group_id})"),
            _ => group_id.to_string(),
        }
    }

    async fn known(&mut self, user_id: u64) -> Option<&Known> {
        if !self.known.contains_key(&user_id) {
            // If this fails, the next call tries again.
            let profile = self.api.user(user_id).await.ok()?;
            self.known.insert(user_id, Known::Nickname(profile.nickname));
        }
        self.known.get(&user_id)
    }
}
