//! Calls to the HTTP API: accounts, relations, groups, history.

use crate::conversation::Range;
use crate::error::ApiError;
use crate::tls;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::time::Duration;
use url::Url;
use wigwag_protocol::http::{
    Block, CreateGroup, Done, Friend, Friends, Group, GroupCreated, GroupMemberRef, GroupRef, GroupUsers, Groups,
    History, LoggedIn, Login, Me, Members, MembersChanged, MuteMember, Profile, Register, Registered, Role, RoomUsers,
    SetRole, UpdateGroup,
};

/// Limit for one call, which leaves room for a cold start and a password hash.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A client of the HTTP API, cheap to clone.
///
/// Each call is made once. The caller decides whether to repeat it ([`ApiError::is_retryable`]).
/// All calls except [`Api::register`] and [`Api::login`] need a token.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

impl Api {
    /// Uses the API at `base`, such as `https://….amazonaws.com` or `http://127.0.0.1:3000`. If the
    /// process has no default crypto provider for rustls, this installs ring.
    ///
    /// # Panics
    /// If TLS cannot be set up, like [`reqwest::Client::new`].
    pub fn new(base: Url) -> Self {
        tls::prepare();
        Self {
            http: reqwest::Client::new(),
            base,
            token: None,
        }
    }

    /// The same API, called on behalf of the token's user.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self {
            token: Some(token.into()),
            ..self.clone()
        }
    }

    /// Creates an account.
    ///
    /// # Errors
    /// `PHONE_NUMBER_TAKEN`, `PASSWORD_WEAK`, `NICKNAME_INVALID`, …
    pub async fn register(&self, register: &Register) -> Result<Registered, ApiError> {
        self.post("register", register).await
    }

    /// Gets a token for one device.
    ///
    /// # Errors
    /// `WRONG_CREDENTIALS`, also for an unknown number; `TOO_MANY_ATTEMPTS`.
    pub async fn login(&self, login: &Login) -> Result<LoggedIn, ApiError> {
        self.post("login", login).await
    }

    /// Returns the account that the token belongs to.
    ///
    /// # Errors
    /// `TOKEN_INVALID`, `TOKEN_EXPIRED`: log in again.
    pub async fn me(&self) -> Result<Me, ApiError> {
        self.get("me", &[]).await
    }

    /// Returns the public profile of a user.
    ///
    /// # Errors
    /// `USER_NOT_FOUND`.
    pub async fn user(&self, user_id: u64) -> Result<Profile, ApiError> {
        self.get(&format!("user/{user_id}"), &[]).await
    }

    /// Adds a user to this user's friends. It does not add this user to theirs.
    ///
    /// # Errors
    /// `USER_NOT_FOUND`, `BLOCKED`, `RELATION_TO_SELF`.
    pub async fn friend_add(&self, friend_id: u64) -> Result<(), ApiError> {
        self.post("friend/add", &Friend { friend_id }).await.map(discard)
    }

    /// Removes a user from this user's friends.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn friend_remove(&self, friend_id: u64) -> Result<(), ApiError> {
        self.post("friend/remove", &Friend { friend_id }).await.map(discard)
    }

    /// Returns a page of friend ids above `after`, ascending. Start with 0.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn friend_list(&self, after: u64) -> Result<Friends, ApiError> {
        self.get("friend/list", &[("after", after.to_string())]).await
    }

    /// Blocks messages from a user.
    ///
    /// # Errors
    /// `RELATION_TO_SELF`.
    pub async fn block_add(&self, user_id: u64) -> Result<(), ApiError> {
        self.post("block/add", &Block { user_id }).await.map(discard)
    }

    /// Unblocks messages from a user.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn block_remove(&self, user_id: u64) -> Result<(), ApiError> {
        self.post("block/remove", &Block { user_id }).await.map(discard)
    }

    /// Returns a page of the conversation with `peer_id`.
    ///
    /// # Errors
    /// `INVALID_RANGE`.
    pub async fn history(&self, peer_id: u64, range: Range) -> Result<History, ApiError> {
        self.get(&format!("history/{peer_id}"), &range_query(range)).await
    }

    /// Creates a group, owned by this user.
    ///
    /// # Errors
    /// `USER_NOT_FOUND`, `GROUP_NAME_INVALID`, `TOO_MANY_USERS`.
    pub async fn create_group(&self, group: &CreateGroup) -> Result<GroupCreated, ApiError> {
        self.post("group/create", group).await
    }

    /// Adds users to a group. Only for its owner and admins.
    ///
    /// # Errors
    /// `NOT_A_MEMBER`, `ROLE_TOO_LOW`, `USER_NOT_FOUND`, `GROUP_FULL`, `TOO_MANY_USERS`,
    /// `GROUP_DISSOLVED`.
    pub async fn add_members(&self, group_id: u64, user_ids: Vec<u64>) -> Result<MembersChanged, ApiError> {
        self.post("group/add", &GroupUsers { group_id, user_ids }).await
    }

    /// Removes users from a group. Only for its owner and admins; admins can remove only plain
    /// members.
    ///
    /// # Errors
    /// `NOT_A_MEMBER`, `ROLE_TOO_LOW`, `OWNER_STAYS`, `TOO_MANY_USERS`, `GROUP_DISSOLVED`.
    pub async fn remove_members(&self, group_id: u64, user_ids: Vec<u64>) -> Result<MembersChanged, ApiError> {
        self.post("group/remove", &GroupUsers { group_id, user_ids }).await
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// `OWNER_STAYS`, `GROUP_NOT_FOUND`.
    pub async fn leave_group(&self, group_id: u64) -> Result<(), ApiError> {
        self.post("group/leave", &GroupRef { group_id }).await.map(discard)
    }

    /// Makes a member the owner. This user, the owner until then, becomes an admin.
    ///
    /// # Errors
    /// `ROLE_TOO_LOW`, `MEMBER_NOT_FOUND`, `GROUP_DISSOLVED`.
    pub async fn hand_over_group(&self, group_id: u64, user_id: u64) -> Result<(), ApiError> {
        let body = GroupMemberRef { group_id, user_id };
        self.post("group/hand_over", &body).await.map(discard)
    }

    /// Makes a member an admin, or an admin a plain member. Only for the owner.
    ///
    /// # Errors
    /// `ROLE_TOO_LOW`, `MEMBER_NOT_FOUND`, `OWNER_STAYS`, `GROUP_DISSOLVED`.
    pub async fn set_role(&self, group_id: u64, user_id: u64, role: Role) -> Result<(), ApiError> {
        let body = SetRole {
            group_id,
            user_id,
            role,
        };
        self.post("group/role", &body).await.map(discard)
    }

    /// Keeps a member from sending for this many seconds; 0 lets them send again. Only for the
    /// owner and admins.
    ///
    /// # Errors
    /// `ROLE_TOO_LOW`, `MEMBER_NOT_FOUND`, `OWNER_STAYS`, `GROUP_DISSOLVED`.
    pub async fn mute_member(&self, group_id: u64, user_id: u64, seconds: u64) -> Result<(), ApiError> {
        let body = MuteMember {
            group_id,
            user_id,
            seconds,
        };
        self.post("group/mute_member", &body).await.map(discard)
    }

    /// Changes the name and the settings of a group. `super_group: Some(true)` cannot be undone.
    ///
    /// # Errors
    /// `NOT_A_MEMBER`, `ROLE_TOO_LOW`, `GROUP_NAME_INVALID`, `GROUP_DISSOLVED`.
    pub async fn update_group(&self, update: &UpdateGroup) -> Result<(), ApiError> {
        self.post("group/update", update).await.map(discard)
    }

    /// Dissolves a group. Only for its owner. This cannot be undone.
    ///
    /// # Errors
    /// `ROLE_TOO_LOW`, `GROUP_NOT_FOUND`.
    pub async fn dissolve_group(&self, group_id: u64) -> Result<(), ApiError> {
        self.post("group/dissolve", &GroupRef { group_id }).await.map(discard)
    }

    /// Returns a page of this user's groups with ids above `after`. Start with 0.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn groups(&self, after: u64) -> Result<Groups, ApiError> {
        self.get("group/list", &[("after", after.to_string())]).await
    }

    /// Returns a group. Only for its present and former members.
    ///
    /// # Errors
    /// `GROUP_NOT_FOUND`, `NOT_A_MEMBER`.
    pub async fn group(&self, group_id: u64) -> Result<Group, ApiError> {
        self.get(&format!("group/{group_id}"), &[]).await
    }

    /// Returns a page of a group's members in the order in which they joined. `after` is
    /// [`Members::next`] of the page before, or 0 at first.
    ///
    /// # Errors
    /// `GROUP_NOT_FOUND`, `NOT_A_MEMBER`.
    pub async fn members(&self, group_id: u64, after: u64) -> Result<Members, ApiError> {
        let query = [("group_id", group_id.to_string()), ("after", after.to_string())];
        self.get("group_user/list", &query).await
    }

    /// Returns a page of the group's messages that this user may read.
    ///
    /// # Errors
    /// `GROUP_NOT_FOUND`, `NOT_A_MEMBER`, `INVALID_RANGE`.
    pub async fn group_history(&self, group_id: u64, range: Range) -> Result<History, ApiError> {
        self.get(&format!("group/{group_id}/history"), &range_query(range))
            .await
    }

    /// Returns a page of the users in a room, one entry per connection. `after` is
    /// [`RoomUsers::next`] of the page before.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn room_users(&self, room_id: u64, after: Option<&str>) -> Result<RoomUsers, ApiError> {
        let mut query = vec![("room_id", room_id.to_string())];
        query.extend(after.map(|after| ("after", after.to_owned())));
        self.get("room_user/list", &query).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, ApiError> {
        self.call(self.request(Method::GET, path).query(query)).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ApiError> {
        self.call(self.request(Method::POST, path).json(body)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        let request = self.http.request(method, url).timeout(TIMEOUT);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ApiError> {
        let unreachable = |source: reqwest::Error| ApiError::Unreachable {
            url: self.base.as_str().trim_end_matches('/').to_owned(),
            source: source.without_url(),
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unreachable)?;
        read(status, &body)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("base", &self.base.as_str())
            .field("token", &self.token.as_ref().map(|_| "***"))
            .finish_non_exhaustive()
    }
}

fn discard(_: Done) {}

fn range_query(range: Range) -> [(&'static str, String); 4] {
    [
        ("begin_seq", range.begin_seq.to_string()),
        ("end_seq", range.end_seq.to_string()),
        ("limit", range.limit.to_string()),
        ("descending", range.descending.to_string()),
    ]
}

fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, ApiError> {
    let unexpected = ApiError::Unexpected {
        status: status.as_u16(),
    };
    if status.is_success() {
        return serde_json::from_slice(body).map_err(|_| unexpected);
    }
    match serde_json::from_slice(body) {
        Ok(failure) => Err(ApiError::Refused(failure)),
        Err(_) => Err(unexpected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_protocol::Code;

    #[test]
    fn a_refusal_keeps_its_code_and_whether_to_retry() {
        let body = br#"{"code":1107,"message":"TOO_MANY_ATTEMPTS: wait","retryable":true,"retry_after_s":30}"#;
        let error = read::<Me>(StatusCode::TOO_MANY_REQUESTS, body).unwrap_err();
        assert_eq!(error.code(), Some(Code::TOO_MANY_ATTEMPTS));
        assert!(error.is_retryable());
        assert_eq!(error.to_string(), "TOO_MANY_ATTEMPTS: wait (1107)");
    }

    #[test]
    fn an_unexpected_answer_is_reported_with_its_status() {
        let error = read::<Me>(StatusCode::BAD_GATEWAY, b"<html>").unwrap_err();
        assert!(error.is_retryable(), "{error}");
        let error = read::<Me>(StatusCode::OK, b"<html>").unwrap_err();
        assert!(!error.is_retryable(), "{error}");
    }

    #[test]
    fn paths_are_appended_to_any_base_url() {
        for (base, url) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000/user/7"),
            ("https://example.org/api/", "https://example.org/api/user/7"),
        ] {
            let request = Api::new(Url::parse(base).unwrap()).request(Method::GET, "user/7");
            assert_eq!(request.build().unwrap().url().as_str(), url);
        }
    }

    #[test]
    fn debug_does_not_show_the_token() {
        let api = Api::new(Url::parse("http://127.0.0.1:3000").unwrap()).with_token("secret");
        assert!(!format!("{api:?}").contains("secret"));
    }
}
