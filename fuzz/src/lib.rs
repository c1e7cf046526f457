//! What each fuzzing target holds: a function that takes any bytes, and panics where they break a promise.
//!
//! The same functions run under libFuzzer (`fuzz_targets/`), and in the stories over the committed corpus and what is made of
//! it by small changes (`tests/stories/decoders.rs`). README.md says what each one is about.
//!
//! Inputs are text that can be read and written by hand: what AWS builds around what a client sent is built here too, so that
//! a change of one byte changes what a client may change.

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

/// A target.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its binary and of its directory in the corpus.
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

/// Now, for every target: what is decoded must not depend on the day.
const NOW_MS: i64 = 1_800_000_000_000;

/// Bytes as the text that everything here is; API Gateway passes nothing else on.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
