//! Many users at once, written by the store's own code on the stack's tables.
//!
//! Registering a thousand users over HTTP would cost a thousand password hashes, which no test of a
//! crowd asks about. Their tokens are signed with the stack's own key.

use crate::{Account, Cluster, now_ms};
use anyhow::Result;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use wigwag_domain::{DeviceKey, UserId};
use wigwag_edge::Claims;
use wigwag_protocol::http::PLATFORM_LINUX;
use wigwag_store::directory;
use wigwag_store::directory::Profile;

/// How long a crowd's tokens are valid, in seconds.
const TOKEN_TTL_S: i64 = 3600;

/// Accounts that are made at once.
const AT_ONCE: usize = 16;

/// The device id of each user of a crowd.
const DEVICE: &str = "crowd";

impl Cluster {
    /// Makes `n` users, with ids from `first` on.
    pub async fn crowd(&self, first: u64, n: u64) -> Result<Vec<u64>> {
        let store = self.store();
        stream::iter(first..first + n)
            .map(|user| {
                let store = store.clone();
                async move {
                    let profile = Profile {
                        nickname: format!("member {user}"),
                        phone_number: format!("+1999{user:09}"),
                        created_at_ms: now_ms(),
                    };
                    directory::create_account(&store, UserId(user), &profile, "nobody logs in with this").await?;
                    anyhow::Ok(user)
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    /// A user of a crowd, logged in on a device.
    pub fn member(&self, user_id: u64) -> Result<Account> {
        self.member_on(user_id, DEVICE)
    }

    /// A user of a crowd, logged in on a device with this id.
    pub fn member_on(&self, user_id: u64, device_id: &str) -> Result<Account> {
        let claims = Claims {
            user: UserId(user_id),
            device: DeviceKey::derive(PLATFORM_LINUX, device_id),
            platform: PLATFORM_LINUX,
            expires_at_s: now_ms() / 1000 + TOKEN_TTL_S,
        };
        Ok(Account {
            user_id,
            phone_number: String::new(),
            token: self.keys.issue(&claims, now_ms() / 1000)?,
            device_id: device_id.to_owned(),
        })
    }
}
