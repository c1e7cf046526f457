//! Super groups: pushed to members who are online, read from the log by everyone, copied to nobody.

mod conversion;
mod ending;
mod talking;

use wigwag_protocol::pb::SessionType;

const GROUP: SessionType = SessionType::Group;
