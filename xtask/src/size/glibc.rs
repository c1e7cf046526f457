//! Which glibc a bootstrap needs: the versions of the symbols that its ELF file imports.
//!
//! The loader refuses a program that needs a newer glibc than the system has. On Lambda such a
//! function never starts, so this finds it before it is deployed.

use anyhow::{Context as _, Result};
use object::elf::{FileHeader64, SHT_DYNSYM, VER_FLG_WEAK};
use object::read::elf::{FileHeader as _, Sym as _};
use object::{Endianness, SymbolIndex};
use std::collections::BTreeMap;
use std::fmt;

/// The glibc of `provided.al2023`.
pub(super) const RUNTIME: Version = Version::Number(2, 34, 0);

/// A version of glibc that a program needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    /// `GLIBC_2.34`, `GLIBC_2.2.5`.
    Number(u32, u32, u32),
    /// `GLIBC_ABI_DT_RELR`, `GLIBC_PRIVATE`. An older glibc may lack them, so they sort after all numbers.
    Name(String),
}

impl Version {
    /// Parses the part after `GLIBC_`.
    fn parse(text: &str) -> Self {
        let mut numbers = text.split('.').map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), None, None) => Self::Number(major, minor, 0),
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) => Self::Number(major, minor, patch),
            _ => Self::Name(text.to_owned()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(major, minor, 0) => write!(f, "{major}.{minor}"),
            Self::Number(major, minor, patch) => write!(f, "{major}.{minor}.{patch}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The versions that a program needs, each with the symbols that need it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs(BTreeMap<Version, Vec<String>>);

impl Needs {
    /// Reads a 64-bit ELF file, as every architecture of Lambda has. Weak symbols are not counted,
    /// because the loader goes on without them.
    pub(super) fn from_elf(elf: &[u8]) -> Result<Self> {
        Self::read(elf).context("read it as an ELF file of 64 bits")
    }

    fn read(elf: &[u8]) -> object::Result<Self> {
        let header = FileHeader64::<Endianness>::parse(elf)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, elf)?;
        let mut needs = Self::default();
        let Some((mut libraries, strings)) = sections.gnu_verneed(endian, elf)? else {
            return Ok(needs);
        };
        let strings = sections.strings(endian, elf, strings)?;
        while let Some((_, mut versions)) = libraries.next()? {
            while let Some(version) = versions.next()? {
                if !version.vna_flags.get(endian).contains(VER_FLG_WEAK)
                    && let Some(glibc) = glibc(version.name(endian, strings)?)
                {
                    needs.0.entry(glibc).or_default();
                }
            }
        }
        let Some(versions) = sections.versions(endian, elf)? else {
            return Ok(needs);
        };
        let symbols = sections.symbols(endian, elf, SHT_DYNSYM)?;
        for (index, symbol) in symbols.iter().enumerate() {
            let version = versions.version(versions.version_index(endian, SymbolIndex(index)).index())?;
            let wanted = version.and_then(|version| needs.0.get_mut(&glibc(version.name())?));
            if let Some(wanted) = wanted.filter(|_| symbol.is_undefined(endian)) {
                wanted.push(String::from_utf8_lossy(symbols.symbol_name(endian, symbol)?).into_owned());
            }
        }
        Ok(needs)
    }

    /// The latest version; `None` if the program is linked statically.
    pub(super) fn latest(&self) -> Option<&Version> {
        self.0.keys().next_back()
    }

    /// The versions that the runtime does not have, as one line.
    pub(super) fn missing(&self) -> Option<String> {
        let missing = self.0.iter().filter(|(version, _)| **version > RUNTIME);
        let lines: Vec<String> = missing
            .map(|(version, symbols)| format!("{version} ({})", symbols.join(", ")))
            .collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }
}

/// The version in a name such as `GLIBC_2.34`. Other libraries use other names.
fn glibc(name: &[u8]) -> Option<Version> {
    let version = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?;
    Some(Version::parse(version))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::Command;

    /// A library that needs `one@GLIBC_2.34`, and `two` at another version.
    fn library(two: &str) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("libc.c", "void one(void) {}\nvoid two(void) {}\n");
        write(
            "versions",
            &format!("GLIBC_2.34 {{ global: one; }};\n{two} {{ global: two; }};\n"),
        );
        write(
            "caller.c",
            "void one(void);\nvoid two(void);\nvoid call(void) { one(); two(); }\n",
        );
        cc(
            directory.path(),
            &["libc.c", "-Wl,--version-script=versions", "-o", "libversions.so"],
        );
        cc(directory.path(), &["caller.c", "-L.", "-lversions", "-o", "caller.so"]);
        std::fs::read(directory.path().join("caller.so")).unwrap()
    }

    fn cc(directory: &Path, arguments: &[&str]) {
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-nostdlib"]).args(arguments);
        assert!(
            command.current_dir(directory).status().unwrap().success(),
            "{command:?}"
        );
    }

    #[test]
    fn a_version_that_the_runtime_lacks_is_named_with_its_symbols() {
        let needs = Needs::from_elf(&library("GLIBC_2.35")).unwrap();
        assert_eq!(needs.latest(), Some(&Version::Number(2, 35, 0)));
        assert_eq!(needs.missing().as_deref(), Some("2.35 (two)"));
    }

    #[test]
    fn versions_up_to_that_of_the_runtime_are_fine() {
        for version in ["GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.33"] {
            let needs = Needs::from_elf(&library(version)).unwrap();
            assert_eq!(needs.latest(), Some(&RUNTIME), "{version}");
            assert_eq!(needs.missing(), None, "{version}");
        }
    }

    #[test]
    fn a_version_without_a_number_counts_as_missing() {
        let needs = Needs::from_elf(&library("GLIBC_ABI_DT_RELR")).unwrap();
        assert_eq!(needs.missing().as_deref(), Some("ABI_DT_RELR (two)"));
    }

    #[test]
    fn versions_of_other_libraries_are_ignored() {
        let needs = Needs::from_elf(&library("GCC_14.0.0")).unwrap();
        assert_eq!(needs.latest(), Some(&RUNTIME));
    }

    #[test]
    fn a_file_that_is_no_program_is_an_error() {
        assert!(Needs::from_elf(b"#!/bin/sh\n").is_err());
        let whole = library("GLIBC_2.35");
        assert!(Needs::from_elf(&whole[..whole.len() / 2]).is_err());
    }
}
