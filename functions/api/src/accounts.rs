//! Registering, logging in, and profiles.

use crate::failure::ApiError;
use crate::password;
use crate::request::{Request, is_name};
use std::ops::RangeInclusive;
use wigwag_domain::{DeviceKey, UserId};
use wigwag_edge::Claims;
use wigwag_protocol::Code;
use wigwag_protocol::http::{LoggedIn, Login, Me, PLATFORMS, Profile as PublicProfile, Register, Registered};
use wigwag_protocol::limits::{DEVICE_ID_BYTES, MAX_INTEGER, NICKNAME_CHARS, PASSWORD_MAX_BYTES};
use wigwag_store::directory;
use wigwag_store::directory::{Attempt, NewAccount, Profile};

/// Digits of a phone number in the international form of E.164.
const PHONE_DIGITS: RangeInclusive<usize> = 7..=15;

/// How many ids are tried. That two in a row are taken is as good as impossible.
const ID_TRIES: usize = 3;

/// `POST /register`. A retry after a lost answer finds the number taken: the account exists, and
/// the user can log in.
pub(crate) async fn register(request: &Request<'_>) -> Result<Registered, ApiError> {
    let Register {
        phone_number,
        nickname,
        password,
    } = request.body()?;
    let phone_number = canonical(&phone_number).ok_or(Code::PHONE_NUMBER_MALFORMED)?;
    if !is_name(&nickname, NICKNAME_CHARS) {
        return Err(Code::NICKNAME_INVALID.into());
    }
    if !password::is_strong(&password, &phone_number) {
        return Err(Code::PASSWORD_WEAK.into());
    }
    let hash = password::hash(password).await.ok_or(Code::INTERNAL)?;
    let profile = Profile {
        nickname,
        phone_number,
        created_at_ms: request.now_ms,
    };
    for _ in 0..ID_TRIES {
        let user_id = rand::random_range(1..=MAX_INTEGER);
        match directory::create_account(&request.state.store, UserId(user_id), &profile, &hash).await? {
            NewAccount::Made => return Ok(Registered { user_id }),
            NewAccount::PhoneTaken => return Err(Code::PHONE_NUMBER_TAKEN.into()),
            NewAccount::IdTaken => {}
        }
    }
    Err(Code::INTERNAL.into())
}

/// `POST /login`. The same calls are made and the same answer is given whether the number has an
/// account or not.
pub(crate) async fn login(request: &Request<'_>) -> Result<LoggedIn, ApiError> {
    let Login {
        phone_number,
        password,
        platform,
        device_id,
    } = request.body()?;
    if !PLATFORMS.contains(&platform) {
        return Err(ApiError::detailed(
            Code::INVALID_FIELD,
            "platform is a number from 1 to 11",
        ));
    }
    if !(1..=DEVICE_ID_BYTES).contains(&device_id.len()) {
        return Err(Code::DEVICE_ID_INVALID.into());
    }
    let phone_number = canonical(&phone_number).ok_or(Code::PHONE_NUMBER_MALFORMED)?;
    let store = &request.state.store;
    if let Attempt::RefusedUntil(until_ms) = directory::count_attempt(store, &phone_number, request.now_ms).await? {
        let wait_s = u64::try_from((until_ms - request.now_ms) / 1000 + 1).unwrap_or(1);
        return Err(ApiError {
            retry_after_s: Some(wait_s),
            ..Code::TOO_MANY_ATTEMPTS.into()
        });
    }
    let account = directory::account(store, &phone_number).await?;
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    // A password over the limit belongs to nobody, and its hash would cost whatever its sender
    // likes.
    let is_right = password.len() <= PASSWORD_MAX_BYTES && password::verify(password, hash).await;
    let Some(account) = account.filter(|_| is_right) else {
        return Err(Code::WRONG_CREDENTIALS.into());
    };
    directory::forget_attempts(store, &phone_number).await?;
    let claims = Claims {
        user: account.user_id,
        device: DeviceKey::derive(platform, &device_id),
        platform,
        expires_at_s: request.now_ms / 1000 + request.state.token_ttl_s,
    };
    let token = request.state.keys.issue(&claims, request.now_ms).await?;
    Ok(LoggedIn {
        user_id: account.user_id.0,
        token,
        expires_at_ms: claims.expires_at_s * 1000,
    })
}

/// `GET /me`.
pub(crate) async fn me(request: &Request<'_>) -> Result<Me, ApiError> {
    let user_id = request.caller().await?.user;
    let profile = directory::profile(&request.state.store, user_id)
        .await?
        .ok_or(Code::USER_NOT_FOUND)?;
    let Profile {
        nickname,
        phone_number,
        created_at_ms,
    } = profile;
    Ok(Me {
        user_id: user_id.0,
        nickname,
        phone_number,
        created_at_ms,
    })
}

/// `GET /user/{user_id}`.
pub(crate) async fn user(request: &Request<'_>) -> Result<PublicProfile, ApiError> {
    request.caller().await?;
    let user_id = request.path_id("user_id")?;
    let profile = directory::profile(&request.state.store, UserId(user_id))
        .await?
        .ok_or(Code::USER_NOT_FOUND)?;
    Ok(PublicProfile {
        user_id,
        nickname: profile.nickname,
    })
}

/// The one form in which a phone number is stored: `+` and digits.
fn canonical(phone_number: &str) -> Option<String> {
    let digits = phone_number.strip_prefix('+').unwrap_or(phone_number);
    let is_number = PHONE_DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_has_one_form() {
        assert_eq!(canonical("8613800000000"), Some("+8613800000000".to_owned()));
        assert_eq!(canonical("+8613800000000"), canonical("8613800000000"));
        for malformed in [
            "",
            "+",
            "123456",
            "1234567890123456",
            "+86 138",
            "86-138-0000",
            "++8613800000000",
            "８６１３８００００",
        ] {
            assert_eq!(canonical(malformed), None, "{malformed}");
        }
    }
}
