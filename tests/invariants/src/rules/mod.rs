//! The rules, and the judge that applies all of them.
//!
//! | promise | rules |
//! |---|---|
//! | G1 | [`delivery`]: acknowledged messages are stored; [`content`]: as they were sent; [`copies`]: nothing refers to nothing; [`announcements`]: changes reach those concerned; [`super_groups`] |
//! | G2 | [`density`]: once per timeline; [`copies`]: not in the log alone and in an inbox; [`devices`]: handed on once |
//! | G3 | [`density`]: each seq an entry or a seal; [`devices`], [`group_logs`]: no cursor skips an entry |
//! | G4 | [`order`]: each device's order; [`copies`]: copies agree with the log; [`devices`]: handed on in order |
//! | G5 | [`answers`] |
//! | G6 | [`entitlement`] |
//! | G7 | [`devices`], [`group_logs`]: everything came in the end, as it is stored |
//! | Answered | [`answers`] |
//! | Pushed | [`roll_call`] |
//!
//! While a run goes on, only what can never come right again is a violation: an acknowledged
//! message is stored, and nothing is stored twice, in another order or for the wrong user. That
//! nothing is missing is asked when all has settled. A call that began and was not seen to end may
//! have taken effect or not, so nothing is concluded from it.

pub mod announcements;
pub mod answers;
pub mod content;
pub mod copies;
pub mod delivery;
pub mod density;
pub mod devices;
pub mod entitlement;
pub mod group_logs;
pub mod order;
pub mod roll_call;
pub mod super_groups;

use crate::case::Case;
use crate::history::History;
use crate::tables::Tables;
use crate::violation::{Stage, Violation};

/// The broken promises of a run; empty if all hold. The history was copied **before** the tables
/// were read.
pub fn judge(history: &History, tables: &Tables, stage: Stage) -> Vec<Violation> {
    let case = Case::new(history, tables, stage);
    let mut found = Vec::new();
    let rules = [
        delivery::check,
        super_groups::check,
        announcements::check,
        density::check,
        content::check,
        copies::check,
        order::check,
        answers::check,
        entitlement::check,
        devices::check,
        roll_call::check,
    ];
    for rule in rules {
        rule(&case, &mut found);
    }
    found
}
