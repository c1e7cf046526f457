//! The type of the server with the most methods, over all its `impl` blocks in its crate.

use super::source::{Checkout, is_for_tests};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};
use syn::{ImplItem, ItemImpl, ItemMod, Type};

pub(super) fn measure(checkout: &Checkout) -> Value {
    let mut found: BTreeMap<(&str, String), (usize, BTreeSet<&str>)> = BTreeMap::new();
    for file in checkout.server() {
        let mut methods = Methods::default();
        methods.visit_file(&file.syntax);
        for (name, count) in methods.0 {
            let (total, files) = found.entry((checkout.crate_of(&file.path), name)).or_default();
            *total += count;
            files.insert(&file.path);
        }
    }
    let largest = found.into_iter().max_by_key(|(_, (count, _))| *count);
    largest.map_or(Value::Null, |((folder, name), (count, files))| {
        json!({ "name": format!("{name} of {folder}"), "methods": count, "files": files.len() })
    })
}

/// Methods by the name of their type. Those of traits are not counted.
#[derive(Default)]
struct Methods(BTreeMap<String, usize>);

impl<'ast> Visit<'ast> for Methods {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_impl(&mut self, block: &'ast ItemImpl) {
        let Type::Path(path) = &*block.self_ty else { return };
        let Some(name) = path.path.segments.last() else { return };
        if block.trait_.is_none() && !is_for_tests(&block.attrs) {
            let methods = block
                .items
                .iter()
                .filter(|item| matches!(item, ImplItem::Fn(function) if !is_for_tests(&function.attrs)));
            *self.0.entry(name.ident.to_string()).or_default() += methods.count();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::checkout;
    use super::*;

    #[test]
    fn methods_are_added_up_over_the_files_of_a_crate() {
        let files = [
            ("shared/store/Cargo.toml", ""),
            (
                "shared/store/src/a.rs",
                "impl Store { fn a() {} fn b() {} const C: u8 = 1; }",
            ),
            ("shared/store/src/b.rs", "impl super::Store { fn c() {} } impl Head {}"),
            ("shared/store/src/c.rs", "impl Clone for Store { fn clone(&self) {} }"),
            (
                "shared/store/src/d.rs",
                "#[cfg(test)] mod tests { impl Store { fn d() {} } }",
            ),
            ("functions/api/Cargo.toml", ""),
            ("functions/api/src/lib.rs", "impl Store { fn e() {} }"),
        ];
        let expected = json!({ "name": "Store of shared/store", "methods": 3, "files": 2 });
        assert_eq!(measure(&checkout(&files)), expected);
    }
}
