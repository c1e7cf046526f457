//! How much of the old dialect is left in comments and documents, and how long the comments are.

use super::source::{Checkout, RustFile, has_extension};
use regex_lite::Regex;
use serde_json::{Map, Value, json};

/// What is counted, and the words that show it. All but the headless clauses ignore case.
const MARKERS: [(&str, &str); 6] = [
    ("where", r"(?i)\bwhere\b"),
    ("stands, stood", r"(?i)\b(stands?|stood)\b"),
    ("headless what, who", HEADLESS),
    ("whoever, whom", r"(?i)\b(whoever|whom)\b"),
    ("of which", r"(?i)\bof which\b"),
    (
        "beside, so long yet, none such",
        r"(?i)\b(beside|so long yet|none such)\b",
    ),
];

/// A sentence that begins with "What" or "Who" and is no question, or such a clause after a
/// conjunction.
const HEADLESS: &str = r"(^|[.:;!?] )(What|Who) [^.?!]*([.!:;]|$)|\b(and|but|that|if|when|so|because|than) (what|who) ";

/// Most lines of a comment's paragraph.
const PARAGRAPH_LINES: usize = 6;

pub(super) fn measure(checkout: &Checkout) -> Value {
    let mut comments = Tally::default();
    let mut documents = Tally::default();
    let mut long_paragraphs = 0;
    for file in &checkout.rust {
        for paragraph in paragraphs(file) {
            long_paragraphs += usize::from(paragraph.len() > PARAGRAPH_LINES);
            comments.add(&paragraph.join(" "));
        }
    }
    for (path, text) in &checkout.texts {
        if has_extension(path, "md") {
            text.split("\n\n")
                .for_each(|paragraph| documents.add(&paragraph.replace('\n', " ")));
        } else {
            text.lines()
                .filter_map(script_comment)
                .for_each(|comment| comments.add(comment));
        }
    }
    json!({
        "comments": comments.as_json(),
        "documents": documents.as_json(),
        "comment paragraphs over six lines": long_paragraphs,
    })
}

/// Words, and how often each marker is among them.
struct Tally {
    words: usize,
    found: Vec<(&'static str, Regex, usize)>,
}

impl Default for Tally {
    fn default() -> Self {
        let compiled = MARKERS.map(|(name, pattern)| (name, Regex::new(pattern).expect("a valid pattern"), 0));
        Self {
            words: 0,
            found: compiled.into(),
        }
    }
}

impl Tally {
    fn add(&mut self, text: &str) {
        self.words += text.split_whitespace().count();
        for (_, marker, count) in &mut self.found {
            *count += marker.find_iter(text).count();
        }
    }

    fn as_json(&self) -> Value {
        let per_thousand = |count: usize| -> f64 {
            let words = u32::try_from(self.words.max(1)).unwrap_or(u32::MAX);
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            (f64::from(count) * 10_000.0 / f64::from(words)).round() / 10.0
        };
        let all = self.found.iter().map(|(_, _, count)| count).sum();
        let mut figures = Map::from_iter([
            ("words".to_owned(), self.words.into()),
            ("markers per thousand words".to_owned(), per_thousand(all).into()),
        ]);
        for (name, _, count) in &self.found {
            figures.insert(format!("\"{name}\" per thousand"), per_thousand(*count).into());
        }
        Value::Object(figures)
    }
}

/// The comments of a file, as paragraphs of lines. A line of code or an empty comment line ends
/// one.
fn paragraphs(file: &RustFile) -> Vec<Vec<&str>> {
    let (mut all, mut current) = (Vec::new(), Vec::new());
    for line in &file.lines {
        let text = line.comment.as_deref().unwrap_or_default().trim();
        if text.is_empty() || line.has_code {
            all.push(std::mem::take(&mut current));
        }
        if !text.is_empty() {
            current.push(text);
        }
    }
    all.push(current);
    all.retain(|paragraph| !paragraph.is_empty());
    all
}

/// The comment on a line of a script or of settings. A `#` in a string may be taken for one.
fn script_comment(line: &str) -> Option<&str> {
    let (before, comment) = line.split_once('#')?;
    (before.is_empty() || before.ends_with(char::is_whitespace)).then_some(comment)
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::checkout;
    use super::*;

    fn count(marker: &str, text: &str) -> usize {
        let mut tally = Tally::default();
        tally.add(text);
        let found = tally.found.iter().find(|(name, _, _)| *name == marker);
        found.expect("a marker").2
    }

    #[test]
    fn headless_clauses_are_told_from_questions_and_relative_clauses() {
        let headless = |text| count("headless what, who", text);
        assert_eq!(headless("What the functions log, beside what is graver."), 1);
        assert_eq!(headless("It is over. Who comes back is in the shard."), 1);
        assert_eq!(headless("It says that what was claimed is finished."), 1);
        assert_eq!(headless("What is a slot? A place."), 0);
        assert_eq!(headless("Users who come back, and say what they need."), 0);
    }

    #[test]
    fn markers_are_counted_for_a_thousand_words() {
        let words = "word ".repeat(98);
        let documents = format!("# Title\n\n{words}\n");
        let files = [
            ("docs/a.md", documents.as_str()),
            (
                "a/src/lib.rs",
                "/// It stands there\n/// where it stood.\nfn where_() {} // of which\n",
            ),
        ];
        let measured = measure(&checkout(&files));
        assert_eq!(measured["documents"]["words"], 100);
        assert_eq!(measured["documents"]["markers per thousand words"], 0.0);
        assert_eq!(measured["comments"]["words"], 8);
        assert_eq!(measured["comments"]["\"stands, stood\" per thousand"], 250.0);
        assert_eq!(measured["comments"]["markers per thousand words"], 500.0);
    }

    #[test]
    fn an_empty_comment_line_begins_a_new_paragraph() {
        let seven = "/// word\n".repeat(7);
        let split = format!("{0}///\n{0}", "/// word\n".repeat(4));
        let long = |text: &str| measure(&checkout(&[("a/src/lib.rs", &format!("{text}fn a() {{}}\n"))]));
        assert_eq!(long(&seven)["comment paragraphs over six lines"], 1);
        assert_eq!(long(&split)["comment paragraphs over six lines"], 0);
    }
}
