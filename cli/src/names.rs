//! Who is meant: a user id, or the name of a local profile.

use std::collections::HashMap;
use wigwag_client::Api;

/// A user's name.
#[derive(Debug)]
enum Known {
    /// As the user of this command says it.
    Given(String),
    /// As the server has it.
    Nickname(String),
}

/// Names for ids: those that were given, else nicknames, asked for once.
#[derive(Debug)]
pub(crate) struct Names {
    api: Api,
    known: HashMap<u64, Known>,
    /// Of groups; `None` for those that the server tells nothing of.
    groups: HashMap<u64, Option<String>>,
}

impl Names {
    /// Asks `api` for what is not known.
    pub(crate) fn new(api: Api) -> Self {
        Self {
            api,
            known: HashMap::new(),
            groups: HashMap::new(),
        }
    }

    /// Calls a user so from now on.
    pub(crate) fn call(&mut self, user_id: u64, name: impl Into<String>) {
        self.known.insert(user_id, Known::Given(name.into()));
    }

    /// What to call a user: with the id where a nickname alone could be anybody's, and the id alone where there is nothing better.
    pub(crate) async fn for_user(&mut self, user_id: u64) -> String {
        match self.known(user_id).await {
            Some(Known::Given(name)) => name.clone(),
            Some(Known::Nickname(name)) => format!("{name} ({user_id})"),
            None => user_id.to_string(),
        }
    }

    /// The name alone, for programs, which have the id too.
    pub(crate) async fn plain(&mut self, user_id: u64) -> Option<&str> {
        match self.known(user_id).await? {
            Known::Given(name) | Known::Nickname(name) => Some(name),
        }
    }

    /// A group is called so from now on.
    pub(crate) fn call_group(&mut self, group_id: u64, name: &str) {
        self.groups.insert(group_id, Some(name.to_owned()));
    }

    /// What a group is called, with its id, which is what commands take.
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
            // Where this fails, perhaps next time.
            let profile = self.api.user(user_id).await.ok()?;
            self.known.insert(user_id, Known::Nickname(profile.nickname));
        }
        self.known.get(&user_id)
    }
}
