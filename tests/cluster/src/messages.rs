//! Messages of a group, taken apart, and everything in an inbox.

use crate::{Account, Cluster};
use anyhow::Result;
use wigwag_protocol::pb::{GroupChange, GroupChangeType, Message, MessageType};

/// The texts, without the changes of the group.
pub fn texts(messages: &[Message]) -> Vec<String> {
    let said = messages
        .iter()
        .filter(|message| message.message_type == i32::from(MessageType::Text));
    said.map(|message| String::from_utf8_lossy(&message.content).into_owned())
        .collect()
}

/// The changes of the group, without the texts.
pub fn changes(messages: &[Message]) -> Vec<GroupChangeType> {
    let changes = messages.iter().filter_map(|message| message.group_change.as_ref());
    changes.map(GroupChange::r#type).collect()
}

impl Cluster {
    /// Everything in a user's inbox once the workers have finished.
    pub async fn inbox(&self, who: &Account) -> Result<Vec<Message>> {
        self.settled().await?;
        let mut device = self.device(who).await?;
        let messages = device.catch_up(0).await?;
        device.leave().await?;
        Ok(messages)
    }
}
