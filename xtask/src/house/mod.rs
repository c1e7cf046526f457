//! `cargo xtask house`: measures the source itself, so that a change of its shape can be seen.
//!
//! One file per measure. All of them read what git tracks in a checkout, which `--root` chooses.
//! `docs/house.md` has the figures, and says what each of them means.

mod circles;
mod comments;
mod language;
mod lengths;
mod lines;
mod methods;
mod modules;
mod source;
mod walk;

use anyhow::Result;
use serde_json::{Value, json};
use source::Checkout;
use std::path::PathBuf;

/// Flags of `cargo xtask house`.
#[derive(Debug, clap::Args)]
pub(crate) struct HouseArgs {
    /// Measure this checkout.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."))]
    root: PathBuf,
    /// Markdown file that lists the files of a 1:1 message [default: docs/contributor/architecture.md of the
    /// checkout].
    #[arg(long, value_name = "FILE")]
    walk: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &HouseArgs) -> Result<()> {
    let checkout = Checkout::read(&arguments.root)?;
    let walk = arguments.walk.clone();
    let walk = walk.unwrap_or_else(|| arguments.root.join("docs/contributor/architecture.md"));
    let measures = measure(&checkout, walk::files(&walk, &arguments.root)?.as_deref());
    if arguments.json {
        println!("{measures:#}");
    } else {
        println!("| measure | figure |\n|---|---|");
        print_rows("", &measures);
    }
    Ok(())
}

/// All figures as one JSON object. `walk`: the files that a 1:1 message goes through.
fn measure(checkout: &Checkout, walk: Option<&[String]>) -> Value {
    json!({
        "code lines": lines::measure(checkout),
        "largest type of the server": methods::measure(checkout),
        "import circles of the server": circles::measure(checkout),
        "files of a 1:1 message": walk.map(<[_]>::len),
        "functions and files": lengths::measure(checkout),
        "language": language::measure(checkout),
    })
}

/// One row of a Markdown table for each figure; an object's members are rows of their own.
fn print_rows(name: &str, value: &Value) {
    if let Value::Object(members) = value {
        for (member, value) in members {
            let separator = if name.is_empty() { "" } else { ": " };
            print_rows(&format!("{name}{separator}{member}"), value);
        }
        return;
    }
    let figure = match value {
        Value::Null => "not listed".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    println!("| {name} | {figure} |");
}
