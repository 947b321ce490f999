//! The library file: its name, and what it exports.

use crate::c_programs::library;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(output.status.success(), "{program} {args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The functions that `tests/c/exports.txt` lists, which only ever grows.
fn listed() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join("tests/c/exports.txt")).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn exactly_the_listed_functions_are_exported() {
    let symbols = output("nm", &["-D", "--defined-only", library("so").to_str().unwrap()]);
    let exported: BTreeSet<_> = symbols.lines().filter_map(|line| line.split(' ').nth(2)).map(str::to_owned).collect();
    let mut expected = listed();
    // One more in the library of tests/it/panics.rs, which shows that this would notice it in a shipped one.
    if cfg!(feature = "test-hooks") {
        assert!(expected.insert("kustomer_test_panic".to_owned()));
    }
    assert_eq!(exported, expected);
}

#[test]
fn the_header_declares_exactly_the_listed_functions() {
    let header = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/kustomer.h")).unwrap();
    let code = header.lines().filter(|line| !line.trim_start().starts_with("//") && !line.starts_with(['#', '*', ' ']));
    let declared: BTreeSet<_> = code
        .filter(|line| !line.starts_with("typedef"))
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("kustomer_"))
        .map(str::to_owned)
        .collect();
    assert_eq!(declared, listed());
}

#[test]
fn the_library_has_its_soname_and_stays_mapped() {
    let dynamic = output("readelf", &["-d", library("so").to_str().unwrap()]);
    assert!(dynamic.contains("[libkustomer.so.0]"), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}
