//! Lines of code: without blank lines and comments.

use super::source::{Checkout, RustFile};
use serde_json::{Value, json};

pub(super) fn measure(checkout: &Checkout) -> Value {
    let count = |files: &mut dyn Iterator<Item = &RustFile>, test: bool| -> usize {
        files.map(|file| code_lines(file, test)).sum()
    };
    json!({
        "server": count(&mut checkout.server(), false),
        "production Rust of the whole workspace": count(&mut checkout.rust.iter(), false),
        "tests": count(&mut checkout.rust.iter(), true),
    })
}

/// Lines of code of a file, of its tests or of the rest.
fn code_lines(file: &RustFile, test: bool) -> usize {
    let numbered = (1..).zip(&file.lines);
    let counted = numbered.filter(|(number, line)| line.has_code && file.is_test_line(*number) == test);
    counted.count()
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::checkout;
    use super::*;

    #[test]
    fn blank_lines_and_comments_are_not_counted() {
        let text = "//! A map.\n\nfn a() {} // one\n\n#[cfg(test)]\nmod tests {\n    // two\n    fn b() {}\n}\n";
        let files = [
            ("shared/store/src/lib.rs", text),
            ("cli/src/main.rs", "fn main() {}\n"),
            ("tests/stories/main.rs", "fn c() {}\n"),
        ];
        let measured = measure(&checkout(&files));
        assert_eq!(measured["server"], 1);
        assert_eq!(measured["production Rust of the whole workspace"], 2);
        assert_eq!(measured["tests"], 5);
    }
}
