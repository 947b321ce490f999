//! Is the committed header what cbindgen makes of `src/ffi`, and do its hand-written macros agree with the crate?

use std::path::Path;

fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut header = Vec::new();
    let mut builder = cbindgen::Builder::new().with_config(config);
    // In this order the header declares them.
    for file in ["version", "cancel", "error", "settings", "visitor", "client", "response", "conversations", "pager"] {
        builder = builder.with_src(root.join(format!("src/ffi/{file}.rs")));
    }
    builder.generate().unwrap().write(&mut header);
    String::from_utf8(header).unwrap()
}

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include/kustomer.h")
}

#[test]
fn the_committed_header_is_what_cbindgen_makes() {
    let header = generated();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path(), &header).unwrap();
    }
    let committed = std::fs::read_to_string(path()).unwrap_or_default();
    assert!(
        committed == header,
        "include/kustomer.h is stale: run `BLESS=1 cargo test --test header` and look at the difference"
    );
}

fn macro_value<'a>(header: &'a str, name: &str) -> &'a str {
    let line = header
        .lines()
        .find(|line| line.starts_with(&format!("#define {name} ")))
        .unwrap_or_else(|| panic!("no {name}"));
    line[format!("#define {name} ").len()..].trim()
}

#[test]
fn the_version_macros_are_the_crates_version() {
    let header = generated();
    assert_eq!(macro_value(&header, "KUSTOMER_VERSION"), format!("{:?}", env!("CARGO_PKG_VERSION")));
    for (name, value) in [
        ("KUSTOMER_VERSION_MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("KUSTOMER_VERSION_MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("KUSTOMER_VERSION_PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ] {
        assert_eq!(macro_value(&header, name), value, "{name}");
    }
}

#[test]
fn the_negative_constants_are_what_the_library_answers() {
    use kustomer::ffi::*;
    let header = generated();

    let (unknown, pages, time) = null_answers(std::ptr::null(), std::ptr::null());
    assert_eq!(macro_value(&header, "KUSTOMER_UNKNOWN"), format!("({unknown})"));
    assert_eq!(macro_value(&header, "KUSTOMER_NO_PAGE"), format!("({pages})"));
    assert_eq!((macro_value(&header, "KUSTOMER_NO_TIME"), time), ("INT64_MIN", i64::MIN));

    fn null_answers(c: *const kustomer_conversation, r: *const kustomer_response) -> (i32, i32, i64) {
        // SAFETY: NULL is an argument these functions answer for.
        unsafe {
            (kustomer_conversation_ended(c), (*kustomer_response_pages(r)).next, kustomer_conversation_created_at_ms(c))
        }
    }
}
