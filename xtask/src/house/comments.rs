//! Tells code from comments, line by line. `syn` keeps no comments, so this reads the text itself.

/// One line of a file of Rust.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Whether there is code on it.
    pub(super) has_code: bool,
    /// The comment on it, without its slashes.
    pub(super) comment: Option<String>,
}

/// What the reader is in the middle of, when a line ends.
enum Inside {
    Code,
    /// Block comments, nested this deep.
    Comment(usize),
    /// A string that ends with these bytes; escapes count in strings that are not raw.
    Text {
        end: String,
        is_raw: bool,
    },
}

/// The lines of a file.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut inside = Inside::Code;
    text.lines().map(|line| read_line(line, &mut inside)).collect()
}

fn read_line(text: &str, inside: &mut Inside) -> Line {
    let mut line = Line::default();
    let mut rest = text;
    while !rest.is_empty() {
        rest = match inside {
            Inside::Code => read_code(rest, &mut line, inside),
            Inside::Comment(depth) => {
                let (next, length) = match (rest.find("/*"), rest.find("*/")) {
                    (Some(open), close) if close.is_none_or(|close| open < close) => (*depth + 1, open + 2),
                    (_, Some(close)) => (*depth - 1, close + 2),
                    _ => (*depth, rest.len()),
                };
                line.comment.get_or_insert_default().push_str(&rest[..length]);
                *inside = if next == 0 { Inside::Code } else { Inside::Comment(next) };
                &rest[length..]
            }
            Inside::Text { end, is_raw } => {
                line.has_code = true;
                if !*is_raw && rest.starts_with('\\') {
                    skip_chars(rest, 2)
                } else if let Some(after) = rest.strip_prefix(end.as_str()) {
                    *inside = Inside::Code;
                    after
                } else {
                    skip_chars(rest, 1)
                }
            }
        };
    }
    line
}

/// Reads one token or one character of code, and returns what follows it.
fn read_code<'a>(rest: &'a str, line: &mut Line, inside: &mut Inside) -> &'a str {
    if let Some(comment) = rest.strip_prefix("//") {
        line.comment = Some(comment.trim_start_matches(['/', '!']).trim().to_owned());
        return "";
    }
    if let Some(after) = rest.strip_prefix("/*") {
        *inside = Inside::Comment(1);
        return after;
    }
    if !rest.starts_with(char::is_whitespace) {
        line.has_code = true;
    }
    if let Some((end, length)) = raw_string(rest) {
        *inside = Inside::Text { end, is_raw: true };
        return &rest[length..];
    }
    if let Some(after) = rest.strip_prefix('"') {
        let end = "\"".to_owned();
        *inside = Inside::Text { end, is_raw: false };
        return after;
    }
    if rest.starts_with(|first: char| first.is_alphanumeric() || first == '_') {
        let is_word = |next: char| next.is_alphanumeric() || next == '_';
        let word = rest.trim_start_matches(is_word);
        // The prefix of a string, such as b"..." or c"...", is a word too, and its quote comes
        // next.
        return word;
    }
    match char_literal(rest) {
        Some(length) => &rest[length..],
        None => skip_chars(rest, 1),
    }
}

/// The end and the length of the beginning of a raw string, such as `r#"`.
fn raw_string(rest: &str) -> Option<(String, usize)> {
    let after = ["r", "br", "cr"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let text = after.trim_start_matches('#').strip_prefix('"')?;
    let hashes = "#".repeat(after.len() - text.len() - 1);
    Some((format!("\"{hashes}"), rest.len() - text.len()))
}

/// The length of a character literal; a lifetime is none.
fn char_literal(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    let after = match inner.strip_prefix('\\') {
        Some(escape) => skip_chars(escape, 1),
        None => skip_chars(inner, 1),
    };
    let is_escape = inner.starts_with('\\');
    let end = if is_escape { after.find('\'')? } else { 0 };
    after[end..]
        .starts_with('\'')
        .then(|| rest.len() - after.len() + end + 1)
}

fn skip_chars(text: &str, count: usize) -> &str {
    let mut characters = text.chars();
    for _ in 0..count {
        characters.next();
    }
    characters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comments(text: &str) -> Vec<Option<String>> {
        lines(text).into_iter().map(|line| line.comment).collect()
    }

    fn has_code(text: &str) -> Vec<bool> {
        lines(text).iter().map(|line| line.has_code).collect()
    }

    #[test]
    fn comments_of_every_kind_are_read_without_their_slashes() {
        let text = "//! one\n/// two\nlet a = 1; // three\n/* four\nfive */ let b = 2;\n";
        let found: Vec<String> = comments(text).into_iter().flatten().collect();
        assert_eq!(found, ["one", "two", "three", " four", "five */"]);
        assert_eq!(has_code(text), [false, false, true, false, true]);
    }

    #[test]
    fn slashes_in_strings_and_characters_are_code() {
        for code in [
            r#"let a = "http://a";"#,
            r##"let a = r#"// " //"#;"##,
            r#"let a = "\"//";"#,
            r#"let a = ['"', '\'', '/', '/'];"#,
            r#"fn f<'a>(b: &'a str) { b"//" }"#,
        ] {
            assert_eq!(comments(code), [None], "{code}");
        }
    }

    #[test]
    fn a_string_goes_on_over_lines() {
        let text = "let a = \"one\n// two\n\"; // three\n\n";
        assert_eq!(has_code(text), [true, true, true, false]);
        assert_eq!(comments(text)[2].as_deref(), Some("three"));
    }
}
