//! Mutants: bugs on purpose, to show that the checker finds them.

use anyhow::Result;
use wigwag_invariants::Promise::{self, Answered, G1, G2, G3, G6, G7, Pushed};
use wigwag_local::faults::FaultPlan;

/// A bug that the mutant build has if it is named in its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutant {
    /// Its name on the command line.
    pub name: &'static str,
    /// The bug, in a few words.
    pub what: &'static str,
    /// The promises that it breaks. The mutant is caught if the judge reports one of them.
    pub breaks: &'static [Promise],
    /// Whether it shows only if a writer died between two writes. Then more of them die.
    pub needs_deaths: bool,
}

/// All mutants.
pub const MUTANTS: &[Mutant] = &[
    anywhere(
        "read-past-hole",
        "a page's cursor goes to its last row, past holes",
        &[G3],
    ),
    anywhere(
        "cursor-to-counter",
        "a cursor passes what is still being written",
        &[G3],
    ),
    after_deaths(
        "ack-before-log",
        "a message is acknowledged before it is written",
        &[G1],
    ),
    anywhere("repeat-gets-new-seq", "a repeat is stored again", &[G2]),
    anywhere("repeat-dropped", "a repeat is not answered", &[Answered]),
    after_deaths("repeat-unfinished", "a repeat is answered, and not finished", &[G1, G7]),
    anywhere(
        "disconnect-unchecked",
        "$disconnect removes any connection of the device",
        &[Pushed],
    ),
    anywhere("redelivery-copies-again", "a task that comes again copies again", &[G2]),
    after_deaths("no-seal", "readers seal no hole", &[G3, Answered]),
    after_deaths(
        "seal-ignores-late-writer",
        "a late writer writes over a seal",
        &[G3, G7],
    ),
    anywhere(
        "push-to-removed",
        "users who left a super group are still pushed its messages",
        &[G6],
    ),
    anywhere("copy-to-removed", "users who left a group still get copies", &[G6]),
    anywhere(
        "history-before-join",
        "members read what was said before they joined",
        &[G6],
    ),
    anywhere(
        "become-untold",
        "no inbox is told that a group became a super group",
        &[G1, G7],
    ),
    after_deaths(
        "super-judged-now",
        "whether the group is a super group is asked when a message is finished",
        &[G1],
    ),
    anywhere("dissolve-unchecked", "a dissolved group accepts messages", &[G6]),
    anywhere("mute-unchecked", "muted members may send", &[G6]),
    anywhere("history-stays-open", "an opened history is never closed again", &[G6]),
];

const fn anywhere(name: &'static str, what: &'static str, breaks: &'static [Promise]) -> Mutant {
    Mutant {
        name,
        what,
        breaks,
        needs_deaths: false,
    }
}

const fn after_deaths(name: &'static str, what: &'static str, breaks: &'static [Promise]) -> Mutant {
    Mutant {
        name,
        what,
        breaks,
        needs_deaths: true,
    }
}

/// The part of a fault plan with which more processes die.
const DEATHS: &str = "processes = { kill_after_calls = { rate = 0.2, calls = 8 } }";

impl Mutant {
    /// The mutant with this name.
    pub fn named(name: &str) -> Option<Self> {
        MUTANTS.iter().find(|mutant| mutant.name == name).copied()
    }

    /// The fault plan under which it is looked for: this one, or this one with more deaths.
    ///
    /// # Errors
    /// The built-in part of the plan does not parse.
    pub fn faults(&self, plan: &FaultPlan) -> Result<FaultPlan> {
        let mut plan = plan.clone();
        if self.needs_deaths {
            plan.processes = FaultPlan::parse(DEATHS)?.processes;
        }
        Ok(plan)
    }
}
