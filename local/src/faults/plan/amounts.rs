//! The values of a plan: rates, waits and numbers of calls, within their bounds.

use serde::{Deserialize, Serialize};

/// Longest wait that a plan can ask for, in milliseconds: the longest time that a function can run
/// on Lambda.
const MS_LIMIT: u64 = 900_000;

/// Most calls after which a plan can kill a process.
const CALLS_LIMIT: u64 = 10_000;

/// A share of cases: 0 is never, 1 always.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(pub(super) f64);

/// A share of cases, and the longest time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as { rate = 0.1, ms = 100 }")]
pub struct Within {
    /// How often.
    pub rate: Rate,
    /// The longest time, in milliseconds; each case draws its own.
    pub ms: Ms,
}

/// A share of cases, and the largest number of calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as { rate = 0.1, calls = 10 }")]
pub struct WithinCalls {
    /// How often.
    pub rate: Rate,
    /// The largest number of calls; each case draws its own, from 1.
    pub calls: CallCount,
}

/// Milliseconds, up to fifteen minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Ms(u64);

/// A number of calls, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct CallCount(u64);

impl Rate {
    /// Happens always.
    pub const ALWAYS: Self = Self(1.0);

    /// A number from 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Ms {
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl CallCount {
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl Default for CallCount {
    fn default() -> Self {
        Self(1)
    }
}

impl TryFrom<f64> for Rate {
    type Error = String;

    fn try_from(rate: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&rate) {
            Ok(Self(rate))
        } else {
            Err(format!("a rate must be from 0 to 1, not {rate}"))
        }
    }
}

impl TryFrom<u64> for Ms {
    type Error = String;

    fn try_from(ms: u64) -> Result<Self, String> {
        if ms <= MS_LIMIT {
            Ok(Self(ms))
        } else {
            Err(format!("ms must be at most {MS_LIMIT}, not {ms}"))
        }
    }
}

impl TryFrom<u64> for CallCount {
    type Error = String;

    fn try_from(calls: u64) -> Result<Self, String> {
        if (1..=CALLS_LIMIT).contains(&calls) {
            Ok(Self(calls))
        } else {
            Err(format!("calls must be from 1 to {CALLS_LIMIT}, not {calls}"))
        }
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl From<Ms> for u64 {
    fn from(ms: Ms) -> Self {
        ms.0
    }
}

impl From<CallCount> for u64 {
    fn from(calls: CallCount) -> Self {
        calls.0
    }
}
