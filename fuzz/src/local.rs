//! Input files of the local stack: fault plans and templates.

use super::text;
use std::path::Path;
use wigwag_local::faults::FaultPlan;
use wigwag_local::template::{self, TemplateError, TemplateOptions};

/// A fault plan. If it can be read, writing and reading it again gives the same. A refusal says
/// why.
pub fn fault_plan(data: &[u8]) {
    let Some(text) = text(data) else { return };
    match FaultPlan::parse(text) {
        Ok(plan) => {
            let written = serde_json::to_string(&plan).expect("a plan that was read can be written");
            let again: FaultPlan = serde_json::from_str(&written).expect("what was written can be read");
            assert_eq!(again, plan);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A template. The same text gives the same stack, or the same problems, at least one.
pub fn template(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let read = || template::parse(text, Path::new("template.yaml"), &TemplateOptions::default());
    match (read(), read()) {
        // Generated secrets differ.
        (Ok(_), Ok(_)) if text.contains("NoEcho") => {}
        (Ok(one), Ok(other)) => assert_eq!(format!("{one:?}"), format!("{other:?}")),
        (Err(one), Err(other)) => {
            assert_eq!(one.to_string(), other.to_string());
            if let TemplateError::Problems { problems, .. } = one {
                assert!(!problems.is_empty());
            }
        }
        (one, other) => panic!("{one:?} and {other:?}"),
    }
}
