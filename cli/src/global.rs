//! The options that every command takes.

use clap::{Args, ValueEnum};
use std::path::PathBuf;
use wigwag_client::{Encoding, Url};

#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalOptions {
    /// URL of the HTTP API [default: the profile's, or http://127.0.0.1:3000]
    #[arg(long, global = true, env = "WIGWAG_URL", value_name = "URL")]
    pub(crate) url: Option<Url>,
    /// URL and stage of the WebSocket API [default: the profile's, or ws://127.0.0.1:3001/prod]
    #[arg(long, global = true, env = "WIGWAG_WS_URL", value_name = "URL")]
    pub(crate) ws_url: Option<Url>,
    /// Print one JSON object per line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Directory of the profiles [default: $XDG_CONFIG_HOME/wigwag or ~/.config/wigwag]
    #[arg(long, global = true, env = "WIGWAG_HOME", value_name = "DIR")]
    pub(crate) profile_dir: Option<PathBuf>,
    /// The local profile to act as
    #[arg(long = "as", global = true, value_name = "NAME", default_value = "default")]
    pub(crate) profile: String,
    /// Encoding of frames; json needs no subprotocol, which some emulators cannot negotiate
    #[arg(long, global = true, value_enum, default_value_t = FrameEncoding::Protobuf)]
    pub(crate) frames: FrameEncoding,
}

/// How frames are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FrameEncoding {
    Protobuf,
    Json,
}

impl From<FrameEncoding> for Encoding {
    fn from(frames: FrameEncoding) -> Self {
        match frames {
            FrameEncoding::Protobuf => Self::Protobuf,
            FrameEncoding::Json => Self::Json,
        }
    }
}

/// Parses an id. Ids fit into a JavaScript number, so that JSON clients can read them.
pub(crate) fn parse_id(text: &str) -> Result<u64, String> {
    let max = wigwag_client::limits::MAX_INTEGER;
    let id = text.parse().ok().filter(|id| (1..=max).contains(id));
    id.ok_or_else(|| format!("an id is a number from 1 to {max}"))
}
