//! What can be wrong with a template.
//!
//! Reading goes on after a problem, so that all problems are reported at once.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;

/// Why a template cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("cannot read the template {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not YAML, or is YAML that templates cannot have.
    #[error("{}: {message}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong, and in which line.
        message: String,
    },
    /// The template cannot run; all reasons are here.
    #[error("{} cannot be run:{}", path.display(), listed(problems))]
    Problems {
        /// The file.
        path: PathBuf,
        /// At least one.
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Logical id of the resource, or a name like `parameter Stage`.
    pub subject: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.subject, self.message)
    }
}

fn listed(problems: &[Problem]) -> String {
    problems
        .iter()
        .fold(String::new(), |text, problem| text + "\n  - " + &problem.to_string())
}

/// Collects the problems of a template while it is read.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// Adds a problem.
    pub(super) fn report(&self, subject: &str, message: impl Into<String>) {
        let problem = Problem {
            subject: subject.to_owned(),
            message: message.into(),
        };
        let mut problems = self.0.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// Turns an error into a problem of `subject`. An empty error has been reported already.
    pub(super) fn report_error<T>(&self, subject: &str, result: Result<T, String>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(message) => {
                if !message.is_empty() {
                    self.report(subject, message);
                }
                None
            }
        }
    }

    /// All problems, in the order in which they were found.
    pub(super) fn into_vec(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}
