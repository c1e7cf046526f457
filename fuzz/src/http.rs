//! Bodies of the HTTP API, as the function and the client read them.

use super::text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wigwag_protocol::http;

/// A body, read as every kind of body. If it can be read, writing and reading it again gives the
/// same.
pub fn http_bodies(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let reads: &[fn(&str)] = &[
        read::<http::Register>,
        read::<http::Registered>,
        read::<http::Login>,
        read::<http::LoggedIn>,
        read::<http::Me>,
        read::<http::Profile>,
        read::<http::Friend>,
        read::<http::Friends>,
        read::<http::Block>,
        read::<http::Done>,
        read::<http::History>,
        read::<http::CreateGroup>,
        read::<http::GroupCreated>,
        read::<http::GroupUsers>,
        read::<http::MembersChanged>,
        read::<http::GroupRef>,
        read::<http::GroupMemberRef>,
        read::<http::SetRole>,
        read::<http::MuteMember>,
        read::<http::UpdateGroup>,
        read::<http::Group>,
        read::<http::Groups>,
        read::<http::Member>,
        read::<http::Members>,
        read::<http::RoomUsers>,
        read::<http::Failure>,
    ];
    for read in reads {
        read(text);
    }
}

/// Compares JSON values, because not every type of body can be compared.
fn read<T: Serialize + DeserializeOwned>(text: &str) {
    let Ok(body) = serde_json::from_str::<T>(text) else {
        return;
    };
    let value = |body: &T| -> Value { serde_json::to_value(body).expect("a body that was read can be written") };
    let written = value(&body);
    let again: T = serde_json::from_value(written.clone()).expect("what was written can be read");
    assert_eq!(value(&again), written);
}
