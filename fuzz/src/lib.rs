//! The fuzzing targets: functions that take any bytes, and panic if a promise is broken.
//!
//! They run under libFuzzer (`fuzz_targets/`), and in `cargo test` over the committed corpus and
//! small changes of it (`tests/stories/decoders.rs`). README.md has a row for each.
//!
//! Inputs are text that people can read and write. The targets build the events that AWS builds
//! around the data of a client, so that changing a byte changes only data that a client controls.

mod aws;
mod frames;
mod functions;
mod http;
mod local;
mod stored;
mod token;

pub use frames::{input_frame, output_batch};
pub use functions::{api, sockets, workers};
pub use http::http_bodies;
pub use local::{fault_plan, template};
pub use stored::{stored, task};
pub use token::token;

/// A function that is fuzzed.
pub type Target = fn(&[u8]);

/// Every target by its name. Its binary and its directory in the corpus have the same name.
pub const TARGETS: &[(&str, Target)] = &[
    ("api", api),
    ("fault_plan", fault_plan),
    ("http_bodies", http_bodies),
    ("input_frame", input_frame),
    ("output_batch", output_batch),
    ("sockets", sockets),
    ("stored", stored),
    ("task", task),
    ("template", template),
    ("token", token),
    ("workers", workers),
];

/// The current time for every target, so that no result depends on the day.
const NOW_MS: i64 = 1_800_000_000_000;

/// The input as text. API Gateway forwards nothing else.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
