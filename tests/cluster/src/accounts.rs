//! Users who register and log in over HTTP.

use crate::Cluster;
use anyhow::{Context as _, Result, ensure};
use std::sync::atomic::Ordering;
use wigwag_protocol::http::{LoggedIn, Login, PLATFORM_LINUX, Register, Registered};

/// A registered user, logged in on one device.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user's id.
    pub user_id: u64,
    /// As registered.
    pub phone_number: String,
    /// Of the device `device_id` below.
    pub token: String,
    /// The device that is logged in.
    pub device_id: String,
}

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";

impl Cluster {
    /// Registers a user and logs in on a first device.
    pub async fn account(&self, nickname: &str) -> Result<Account> {
        let n = self.phones.fetch_add(1, Ordering::Relaxed);
        let phone_number = format!("+155500{n:05}");
        let register = Register {
            phone_number: phone_number.clone(),
            nickname: nickname.to_owned(),
            password: PASSWORD.to_owned(),
        };
        let registered: Registered = self.post("/register", None, &register).await?;
        let account = Account {
            user_id: registered.user_id,
            phone_number,
            token: String::new(),
            device_id: String::new(),
        };
        self.another_device(&account, &format!("{nickname}'s device")).await
    }

    /// Registers several users, each as [`account`](Self::account) does.
    pub async fn accounts<const N: usize>(&self, nicknames: [&str; N]) -> Result<[Account; N]> {
        let mut accounts = Vec::with_capacity(N);
        for nickname in nicknames {
            accounts.push(self.account(nickname).await?);
        }
        accounts.try_into().ok().context("not one account for each")
    }

    /// Logs the same user in on another device.
    pub async fn another_device(&self, account: &Account, device_id: &str) -> Result<Account> {
        let logged_in = self.log_in(account, device_id).await?;
        ensure!(logged_in.user_id == account.user_id, "logged in as another user");
        Ok(Account {
            token: logged_in.token,
            device_id: device_id.to_owned(),
            ..account.clone()
        })
    }

    /// Logs a user in on a device with this id.
    pub async fn log_in(&self, account: &Account, device_id: &str) -> Result<LoggedIn> {
        let login = Login {
            phone_number: account.phone_number.clone(),
            password: PASSWORD.to_owned(),
            platform: PLATFORM_LINUX,
            device_id: device_id.to_owned(),
        };
        self.post("/login", None, &login).await
    }
}
