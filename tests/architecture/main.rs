//! Tests of the source itself. They read files and build nothing of the project.

mod layers;

use std::path::Path;

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
