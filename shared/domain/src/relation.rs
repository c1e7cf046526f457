//! What one user is to another, and who may write to whom.

use serde::{Deserialize, Serialize};
use wigwag_protocol::Code;

/// What the other is to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Relation {
    /// The user added the other as a friend.
    pub friend: bool,
    /// The user takes no messages from the other.
    pub blocked: bool,
}

/// Who may write to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessagesFrom {
    /// Everyone, unless the user blocked them.
    Anyone,
    /// Only friends.
    Friends,
}

impl MessagesFrom {
    /// Why somebody may not write to a user; `None` if they may. `relation`: what they are to that
    /// user.
    pub fn refuses(self, relation: Relation) -> Option<Code> {
        match self {
            _ if relation.blocked => Some(Code::BLOCKED),
            Self::Friends if !relation.friend => Some(Code::NOT_FRIENDS),
            Self::Friends | Self::Anyone => None,
        }
    }
}
