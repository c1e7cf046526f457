//! Rooms: messages reach the users who are in the room, and are not stored.

mod leaving;
mod pages;
mod talking;

use anyhow::Result;
use wigwag_cluster::{Account, Cluster, Device};
use wigwag_protocol::http::RoomUsers;
use wigwag_protocol::pb::{Message, SessionType};

const ROOM: SessionType = SessionType::Room;

fn text(message: &Message) -> (u64, String) {
    (message.seq, String::from_utf8_lossy(&message.content).into_owned())
}

async fn users(cluster: &Cluster, who: &Account, room: u64) -> Result<Vec<u64>> {
    let users: RoomUsers = cluster
        .get(&format!("/room_user/list?room_id={room}"), Some(&who.token))
        .await?;
    let mut ids = users.user_ids;
    ids.sort_unstable();
    Ok(ids)
}

fn sorted(mut ids: Vec<u64>) -> Vec<u64> {
    ids.sort_unstable();
    ids
}

async fn hears(device: &mut Device, words: &str) -> Result<()> {
    assert_eq!(text(&device.pushed().await?), (0, words.to_owned()));
    Ok(())
}
