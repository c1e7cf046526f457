//! Which mutant a process is. In the mutated copy this is `wigwag_protocol::mutant`; no other build has it.

use std::sync::OnceLock;

#[cfg(not(debug_assertions))]
compile_error!("mutants are not for release builds");

/// Whether this process is the mutant of this name. The variable is read once.
pub fn is(name: &str) -> bool {
    static MUTANT: OnceLock<Option<String>> = OnceLock::new();
    let mutant = MUTANT.get_or_init(|| std::env::var("WIGWAG_MUTANT").ok());
    mutant.as_deref() == Some(name)
}
