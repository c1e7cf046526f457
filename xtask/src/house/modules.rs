//! The modules of a crate, and which file defines the item that a path names.

use super::source::{RustFile, attributes, is_for_tests};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};
use syn::{Item, ItemUse, UseTree, Visibility};

/// Imports followed from one to the next before a path is given up: they can go round in a circle.
const HOPS: usize = 16;

/// The path of a module in its crate; empty for the root.
type ModulePath = Vec<String>;

/// One module: a file, or a `mod` block in one.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// Index of its file.
    file: usize,
    items: BTreeSet<String>,
    imports: Vec<Import>,
    /// Paths in its code, other than imports.
    paths: Vec<Vec<String>>,
}

/// One name that a `use` brings in.
#[derive(Debug)]
struct Import {
    /// The name in this module; nothing for `*`.
    name: Option<String>,
    path: Vec<String>,
    /// A re-export is no use of the name.
    is_reexport: bool,
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    Module(ModulePath),
    /// An item, by the index of its file.
    Item(usize),
}

/// All modules of a crate.
#[derive(Debug, Default)]
pub(super) struct Modules(BTreeMap<ModulePath, Module>);

impl Modules {
    /// From the files of a crate, with paths below its `src/`. A library's binaries are left out.
    pub(super) fn read(files: &[(&str, &RustFile)]) -> Self {
        let has_library = files.iter().any(|(path, _)| *path == "lib.rs");
        let mut modules = Self::default();
        for (index, (path, file)) in files.iter().enumerate() {
            let is_binary = *path == "main.rs" || path.starts_with("bin/");
            if !(is_binary && has_library) {
                modules.add(module_path(path), index, &file.syntax.items);
            }
        }
        modules
    }

    fn add(&mut self, path: ModulePath, file: usize, items: &[Item]) {
        let mut module = Module {
            file,
            ..Module::default()
        };
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            match item {
                Item::Mod(inner) => {
                    if let Some((_, items)) = &inner.content {
                        self.add(child(&path, &inner.ident.to_string()), file, items);
                    }
                }
                other => {
                    module.items.extend(defined_name(other));
                    Uses(&mut module).visit_item(other);
                }
            }
        }
        self.0.insert(path, module);
    }

    /// Pairs of files, by index: the first uses an item that the second defines.
    pub(super) fn edges(&self) -> BTreeSet<(usize, usize)> {
        let mut edges = BTreeSet::new();
        for (path, module) in &self.0 {
            let imports = module.imports.iter().filter(|import| !import.is_reexport);
            for used in imports.map(|import| &import.path).chain(&module.paths) {
                if let Some(Named::Item(file)) = self.resolve(path, used, 0)
                    && file != module.file
                {
                    edges.insert((module.file, file));
                }
            }
        }
        edges
    }

    /// What a path names when it is written in `module`; nothing if it is outside this crate.
    fn resolve(&self, module: &[String], path: &[String], hops: usize) -> Option<Named> {
        let mut module = module.to_vec();
        let mut rest = path;
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" => module.clear(),
                "super" => drop(module.pop()),
                "self" => {}
                _ => break,
            }
            rest = others;
        }
        let is_relative = rest.len() == path.len();
        while let Some((first, others)) = rest.split_first() {
            match self.find(&module, first, hops + 1) {
                Some(Named::Module(inner)) => module = inner,
                Some(item) => return Some(item),
                // A macro may have made it.
                None if !is_relative || rest.len() < path.len() => return Some(Named::Item(self.0.get(&module)?.file)),
                None => return None,
            }
            rest = others;
        }
        Some(Named::Module(module))
    }

    /// What a name is in a module: a child, an item, or what an import brings in.
    fn find(&self, path: &[String], name: &str, hops: usize) -> Option<Named> {
        if hops > HOPS {
            return None;
        }
        let inner = child(path, name);
        if self.0.contains_key(&inner) {
            return Some(Named::Module(inner));
        }
        let module = self.0.get(path)?;
        if module.items.contains(name) {
            return Some(Named::Item(module.file));
        }
        let named = module
            .imports
            .iter()
            .find(|import| import.name.as_deref() == Some(name));
        if let Some(import) = named {
            return self.resolve(path, &import.path, hops);
        }
        let mut globs = module.imports.iter().filter(|import| import.name.is_none());
        globs.find_map(|glob| match self.resolve(path, &glob.path, hops)? {
            Named::Module(other) if other != path => self.find(&other, name, hops + 1),
            _ => None,
        })
    }
}

/// The module that a file is, by its path below `src/`.
fn module_path(path: &str) -> ModulePath {
    let mut parts: ModulePath = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

fn child(path: &[String], name: &str) -> ModulePath {
    path.iter().cloned().chain([name.to_owned()]).collect()
}

fn defined_name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

/// Collects the imports and paths of a module.
struct Uses<'a>(&'a mut Module);

impl Uses<'_> {
    fn add_imports(&mut self, tree: &UseTree, path: &[String], is_reexport: bool) {
        let mut add = |name: Option<String>, path: Vec<String>| {
            self.0.imports.push(Import {
                name,
                path,
                is_reexport,
            });
        };
        match tree {
            UseTree::Path(inner) => self.add_imports(&inner.tree, &child(path, &inner.ident.to_string()), is_reexport),
            UseTree::Group(group) => {
                for inner in &group.items {
                    self.add_imports(inner, path, is_reexport);
                }
            }
            UseTree::Name(name) if name.ident == "self" => add(path.last().cloned(), path.to_vec()),
            UseTree::Name(name) => add(Some(name.ident.to_string()), child(path, &name.ident.to_string())),
            UseTree::Rename(it) => add(Some(it.rename.to_string()), child(path, &it.ident.to_string())),
            UseTree::Glob(_) => add(None, path.to_vec()),
        }
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        let is_reexport = !matches!(import.vis, Visibility::Inherited);
        self.add_imports(&import.tree, &[], is_reexport);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|segment| segment.ident.to_string());
        self.0.paths.push(segments.collect());
        visit::visit_path(self, path);
    }
}
