//! How long functions and files are, in lines.

use super::source::{Checkout, RustFile};
use serde_json::{Value, json};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, ItemFn, Signature, TraitItemFn};

pub(super) fn measure(checkout: &Checkout) -> Value {
    json!({ "production": measure_part(checkout, false), "tests": measure_part(checkout, true) })
}

/// The figures of the tests, or of everything else.
fn measure_part(checkout: &Checkout, test: bool) -> Value {
    let mut functions: Vec<Function> = Vec::new();
    for file in &checkout.rust {
        let mut found = Functions {
            file,
            found: Vec::new(),
        };
        found.visit_file(&file.syntax);
        functions.extend(found.found.into_iter().filter(|function| function.is_test == test));
    }
    functions.sort_by_key(|function| function.lines);
    let files = checkout.rust.iter().map(|file| (file_lines(file, test), &file.path));
    let longest_file = files.max().map(|(lines, path)| format!("{lines} ({path})"));
    let longest = functions
        .last()
        .map(|it| format!("{} ({}, {})", it.lines, it.name, it.path));
    json!({
        "functions": functions.len(),
        "function p50": percentile(&functions, 50),
        "function p99": percentile(&functions, 99),
        "functions over 60 lines": functions.iter().filter(|function| function.lines > 60).count(),
        "longest function": longest,
        "longest file": longest_file,
        "files over 400 lines": checkout.rust.iter().filter(|file| file_lines(file, test) > 400).count(),
    })
}

/// A function with a body.
struct Function {
    name: String,
    path: String,
    lines: usize,
    is_test: bool,
}

struct Functions<'a> {
    file: &'a RustFile,
    found: Vec<Function>,
}

impl Functions<'_> {
    /// From `fn` to the closing brace; attributes and documentation are not counted.
    fn add(&mut self, signature: &Signature, body: &Block) {
        let (first, last) = (signature.span().start().line, body.span().end().line);
        self.found.push(Function {
            name: signature.ident.to_string(),
            path: self.file.path.clone(),
            lines: last - first + 1,
            is_test: self.file.is_test_line(first),
        });
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(body) = &function.default {
            self.add(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// All lines of a file, of its tests or of the rest. A file with both counts as production, without
/// its tests.
fn file_lines(file: &RustFile, test: bool) -> usize {
    if file.is_test() != test {
        return 0;
    }
    let numbers = 1..=file.lines.len();
    numbers.filter(|number| file.is_test_line(*number) == test).count()
}

/// The nearest-rank percentile of functions that are sorted by their length.
fn percentile(functions: &[Function], percent: usize) -> usize {
    let rank = (functions.len() * percent).div_ceil(100).max(1);
    functions.get(rank - 1).map_or(0, |function| function.lines)
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::checkout;
    use super::*;

    #[test]
    fn functions_methods_and_default_methods_are_measured_from_fn_to_brace() {
        let text = "/// Doc.\n#[inline]\nfn one() {}\nimpl A {\n    fn three(\n    ) {\n    }\n}\n\
                    trait B {\n    fn none();\n    fn two() {\n    }\n}\n\
                    #[cfg(test)]\nmod tests {\n    fn four() {\n\n\n    }\n}\n";
        let checkout = checkout(&[("shared/a/src/lib.rs", text)]);
        let production = measure_part(&checkout, false);
        assert_eq!(production["functions"], 3);
        assert_eq!(production["function p50"], 2);
        assert_eq!(production["longest function"], "3 (three, shared/a/src/lib.rs)");
        assert_eq!(production["longest file"], "13 (shared/a/src/lib.rs)");
        assert_eq!(measure_part(&checkout, true)["function p99"], 4);
    }

    #[test]
    fn a_percentile_is_a_length_that_occurs() {
        let function = |lines| Function {
            name: String::new(),
            path: String::new(),
            lines,
            is_test: false,
        };
        let functions: Vec<Function> = (1..=200).map(function).collect();
        assert_eq!(percentile(&functions, 50), 100);
        assert_eq!(percentile(&functions, 99), 198);
        assert_eq!(percentile(&[], 99), 0);
    }
}
