//! Creates groups and changes their settings: over the HTTP API, as the owner.
//!
//! As with memberships, a change is repeated until it is certain that it was made. No two actors
//! change the same setting at the same time.

use crate::membership::wait_or_fail;
use crate::population::{GroupState, Population};
use anyhow::{Context as _, Result};
use rand::rngs::StdRng;
use wigwag_client::http::{Role, UpdateGroup};
use wigwag_client::{Api, ApiError};
use wigwag_invariants::{Event, GroupId, Setting};

/// For how long members are muted, in seconds: longer than any run.
const MUTED_S: u64 = 24 * 60 * 60;

impl Population {
    /// Creates a group, with an admin or without.
    ///
    /// # Errors
    /// A call is refused.
    pub(crate) async fn create_group(&self, is_super: bool, has_admin: bool, rng: &mut StdRng) -> Result<GroupId> {
        let created = self.memberships.create_group(is_super, rng).await;
        let (id, members) = created.context("create a group")?;
        let admin = has_admin.then_some(self.users[1]);
        if let Some(admin) = admin {
            self.set(id, Setting::Ranks(admin), true).await?;
        }
        self.memberships.open(id, &members, admin);
        self.with_groups(|groups| {
            groups.push(GroupState {
                id,
                is_super,
                is_dissolved: false,
            });
        });
        Ok(id)
    }

    /// Turns a setting on or off. Returns when that is done.
    ///
    /// # Errors
    /// A call is refused, although the owner may do all of this.
    pub(crate) async fn set(&self, group: GroupId, setting: Setting, is_on: bool) -> Result<()> {
        let recorder = &self.memberships.recorder;
        recorder.note(Event::Set { group, setting, is_on });
        let api = self.memberships.owner();
        while let Err(error) = Box::pin(call(api, group, setting, is_on)).await {
            let wait = wait_or_fail(error).await;
            wait.with_context(|| format!("change g{group}: {setting}, {is_on}"))?;
        }
        recorder.note(Event::SetDone { group, setting, is_on });
        self.with_groups(|groups| {
            let mut groups = groups.iter_mut();
            if let Some(group) = groups.find(|known| known.id == group) {
                group.apply(setting, is_on);
            }
        });
        Ok(())
    }
}

impl GroupState {
    fn apply(&mut self, setting: Setting, is_on: bool) {
        match setting {
            Setting::Super => self.is_super = is_on,
            Setting::Dissolved => self.is_dissolved = is_on,
            Setting::Muted | Setting::MemberMuted(_) | Setting::OpenHistory | Setting::Ranks(_) => {}
        }
    }
}

/// One call. It also succeeds if an earlier call has already made the change.
async fn call(api: &Api, group: GroupId, setting: Setting, is_on: bool) -> Result<(), ApiError> {
    let nothing = UpdateGroup {
        group_id: group,
        ..UpdateGroup::default()
    };
    match setting {
        Setting::Super => {
            let super_group = Some(is_on);
            api.update_group(&UpdateGroup { super_group, ..nothing }).await
        }
        Setting::Muted => {
            let muted = Some(is_on);
            api.update_group(&UpdateGroup { muted, ..nothing }).await
        }
        Setting::OpenHistory => {
            let open_history = Some(is_on);
            api.update_group(&UpdateGroup {
                open_history,
                ..nothing
            })
            .await
        }
        Setting::Dissolved => api.dissolve_group(group).await,
        Setting::MemberMuted(user) => api.mute_member(group, user, if is_on { MUTED_S } else { 0 }).await,
        Setting::Ranks(user) => {
            let role = if is_on { Role::Admin } else { Role::Member };
            api.set_role(group, user, role).await
        }
    }
}
