//! The C and C++ programs of `tests/c` and `examples-c`, on the real library, against a sandbox.
//!
//! `VALGRIND=1` runs the same programs under valgrind. `KUSTOMER_TEST_LIBRARY` is a folder with another build of the
//! library, `KUSTOMER_TEST_CC` another C compiler, `KUSTOMER_TEST_CFLAGS` are flags for the programs beside the usual
//! ones: so sanitizers come in (`.ci/run asan`).
//! `KUSTOMER_TEST_TIME_FACTOR` stretches the time limits.

use crate::sandbox::{Options, RETURNING_LOGINS, Sandbox, now_s};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::Duration;
use tempfile::TempDir;

const WARNINGS: [&str; 6] = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wmissing-field-initializers", "-Werror"];
/// How much slower than on bare metal a program under valgrind is.
const VALGRIND_FACTOR: u32 = 30;

/// Where the programs are built, with the library under the name they look for.
static BUILD: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(library("so"), folder.path().join("libkustomer.so.0")).unwrap();
    folder
});

/// The library that `cargo test` built, beside this test's own program, or the one to test instead.
pub fn library(kind: &str) -> PathBuf {
    let folder = match std::env::var_os("KUSTOMER_TEST_LIBRARY") {
        Some(folder) => root("").join(folder),
        None => std::env::current_exe().unwrap().parent().unwrap().to_owned(),
    };
    folder.join(format!("libkustomer.{kind}"))
}

fn flags() -> String {
    std::env::var("KUSTOMER_TEST_CFLAGS").unwrap_or_default()
}

pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn check(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

pub enum Link {
    Shared,
    Static,
    /// The program opens the library itself.
    Itself,
}

pub fn compiler(source: &str, standard: &str) -> Command {
    let chosen = std::env::var("KUSTOMER_TEST_CC").unwrap_or_else(|_| "gcc".to_owned());
    let mut command = Command::new(if source.ends_with('c') { &chosen } else { "g++" });
    command.arg(format!("-std={standard}")).args(WARNINGS).arg("-I").arg(root("include"));
    command
}

/// The program made of a source, once, however many tests run it at the same time.
pub fn build(source: &str, standard: &str, link: Link) -> PathBuf {
    static BUILT: LazyLock<Mutex<HashMap<PathBuf, Arc<OnceLock<()>>>>> = LazyLock::new(Mutex::default);
    let name = format!("{}{}", source.replace(['/', '.'], "_"), matches!(link, Link::Static) as u8);
    let program = BUILD.path().join(name);
    let built = BUILT.lock().unwrap().entry(program.clone()).or_default().clone();
    built.get_or_init(|| compile(source, standard, link, &program));
    program
}

fn compile(source: &str, standard: &str, link: Link, program: &Path) {
    let mut command = compiler(source, standard);
    command.args(flags().split_whitespace());
    command.args(["-g", "-pthread", "-D_GNU_SOURCE", "-o"]).arg(program).arg(root(source));
    match link {
        Link::Shared => command.arg(BUILD.path().join("libkustomer.so.0")).arg("-Wl,-rpath,$ORIGIN"),
        // The line of the README.
        Link::Static => command.arg(library("a")).args(["-lgcc_s", "-lm", "-lrt", "-lpthread", "-ldl"]),
        Link::Itself => command.arg("-ldl"),
    };
    check(&mut command);
}

pub fn under_valgrind() -> bool {
    std::env::var_os("VALGRIND").is_some_and(|v| v == "1")
}

/// Whether a tool looks over the programs' shoulders.
pub fn is_watched() -> bool {
    under_valgrind() || !flags().is_empty()
}

pub fn factor() -> u32 {
    let given = std::env::var("KUSTOMER_TEST_TIME_FACTOR").ok().and_then(|factor| factor.parse().ok());
    given.unwrap_or(if under_valgrind() { VALGRIND_FACTOR } else { 1 })
}

/// A command under the tool that was chosen, and with no proxy in its environment.
pub fn watched(program: &Path) -> Command {
    let mut command = if under_valgrind() {
        let mut valgrind = Command::new("valgrind");
        // A child forked while other threads were in a call has their memory without those threads: that is
        // lost in the child by nature, so the program that forks is checked for errors only.
        let leaks = !program.to_string_lossy().contains("process");
        valgrind.args(["--quiet", "--error-exitcode=99", "--show-leak-kinds=definite,indirect"]);
        valgrind.arg(if leaks { "--leak-check=full" } else { "--leak-check=no" });
        valgrind.args(["--errors-for-leak-kinds=definite,indirect", "--fair-sched=try"]);
        valgrind.arg(format!("--suppressions={}", root("tests/c/valgrind.supp").display())).arg(program);
        valgrind
    } else {
        Command::new(program)
    };
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().to_ascii_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command
        .env("RUST_BACKTRACE", "0")
        .env("ASAN_OPTIONS", "detect_stack_use_after_return=1:strict_string_checks=1")
        .env("KUSTOMER_TEST_TIME_FACTOR", factor().to_string());
    command
}

/// The same with the sandbox in its environment.
pub fn command(program: &Path, sandbox: &Sandbox) -> Command {
    let mut command = watched(program);
    command
        .env("KUSTOMER_BASE_URL", sandbox.https_url())
        .env("KUSTOMER_CA_FILE", sandbox.ca_file())
        .env("KUSTOMER_API_KEY", sandbox.chat_key())
        .env("KUSTOMER_TRACKING_TOKEN", sandbox.tracking_token())
        .env("KUSTOMER_SANDBOX_HTTP_URL", sandbox.http_url())
        .env("KUSTOMER_SANDBOX_SERVER_KEY", sandbox.api_key())
        .env("KUSTOMER_SANDBOX_CUSTOMER_ID", sandbox.customer_id())
        .env("KUSTOMER_SANDBOX_LOGIN_JWT", sandbox.login_jwt(RETURNING_LOGINS[0]))
        .env("KUSTOMER_SANDBOX_OTHER_LOGIN_JWT", sandbox.login_jwt("customer-7"))
        .env("KUSTOMER_SANDBOX_OLD_LOGIN_JWT", sandbox.login_jwt_at(RETURNING_LOGINS[0], now_s() - 16 * 60))
        .env("KUSTOMER_LIBRARY", BUILD.path().join("libkustomer.so.0"));
    command
}

/// Runs a command; one that hangs is ended.
pub fn run(command: Command) -> (Output, String) {
    run_within(command, Duration::from_secs(60) * factor().min(15))
}

pub fn run_within(mut command: Command, limit: Duration) -> (Output, String) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let (done, waiting) = std::sync::mpsc::channel();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let errors = std::thread::spawn(move || std::io::read_to_string(&mut stderr).unwrap_or_default());
    let reader = std::thread::spawn(move || {
        let text = std::io::read_to_string(&mut stdout).unwrap_or_default();
        let _ = done.send(());
        text
    });
    if waiting.recv_timeout(limit).is_err() {
        let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        let _ = child.wait();
        panic!("{command:?} did not end; stdout: {} stderr: {}", reader.join().unwrap(), errors.join().unwrap());
    }
    let status = child.wait().unwrap();
    let (stdout, stderr) = (reader.join().unwrap(), errors.join().unwrap());
    (Output { status, stdout: stdout.into_bytes(), stderr: stderr.clone().into_bytes() }, stderr)
}

/// Runs one of the programs of `tests/c`, which says itself what it checked.
pub fn run_checks(program: &Path) -> String {
    let sandbox = Sandbox::start(Options::default());
    let (output, stderr) = run(command(program, &sandbox));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}: {}\n{stdout}\n{stderr}", program.display(), output.status);
    assert!(stdout.trim_end().ends_with(" checks, 0 failed"), "{stdout}");
    stdout
}

/// What a tool has to report, each planted by an argument of `tests/c/planted.c`, and by which word.
const PLANTED: [(&str, &str, &str); 8] = [
    ("valgrind", "read-after-free", "Invalid read"),
    ("valgrind", "leak", "definitely lost"),
    ("address", "read-after-free", "heap-use-after-free"),
    // Read by the library's own code, which proves that it was built for the sanitizer as well.
    ("address", "call-after-free", "kustomer_error_code"),
    ("address", "leak", "LeakSanitizer"),
    ("undefined", "overflow", "signed integer overflow"),
    ("thread", "race", "data race"),
    ("thread", "race-in-the-library", "kustomer_error_code"),
];

#[test]
fn the_tool_that_watches_the_programs_reports_what_is_planted() {
    let sandbox = Sandbox::start(Options::default());
    let watching = if under_valgrind() { "valgrind".to_owned() } else { flags() };
    let program = build("tests/c/planted.c", "c99", Link::Shared);
    for (_, argument, word) in PLANTED.iter().filter(|(tool, ..)| watching.contains(tool)) {
        let mut command = command(&program, &sandbox);
        command.arg(argument);
        let (output, stderr) = run(command);
        assert!(!output.status.success() && stderr.contains(word), "{argument}: {}\n{stderr}", output.status);
    }
}

macro_rules! programs {
    ($($name:ident $source:literal $standard:literal $link:ident,)*) => {
        $(#[test] fn $name() { run_checks(&build($source, $standard, Link::$link)); })*
    };
}

programs! {
    abi "tests/c/abi.c" "c99" Shared,
    options "tests/c/options.c" "c11" Shared,
    nulls "tests/c/nulls.c" "c99" Shared,
    lifecycle "tests/c/lifecycle.c" "c11" Shared,
    callback "tests/c/callback.c" "c11" Shared,
    callback_with_the_static_library "tests/c/callback.c" "c11" Static,
    prefetch "tests/c/prefetch.c" "c11" Shared,
    threads "tests/c/threads.c" "c11" Shared,
    cancel "tests/c/cancel.c" "c11" Shared,
    visitor "tests/c/visitor.c" "c11" Shared,
    process "tests/c/process.c" "c11" Shared,
    dlopen "tests/c/dlopen.c" "c11" Itself,
    cpp "tests/c/cpp.cpp" "c++11" Shared,
}

#[test]
fn the_header_compiles_alone_and_twice_in_every_standard() {
    for (source, standards) in [
        ("tests/c/header.c", &["c99", "c11", "c17", "c2x"][..]),
        ("tests/c/header.cpp", &["c++98", "c++03", "c++11", "c++14", "c++17", "c++20", "c++23"]),
    ] {
        for standard in standards {
            check(compiler(source, standard).arg("-fsyntax-only").arg(root(source)));
        }
    }
}

pub fn example(name: &str, standard: &str) -> PathBuf {
    build(&format!("examples-c/{name}"), standard, Link::Shared)
}

fn lines(sandbox: &Sandbox, program: &Path, args: &[&str]) -> (Option<i32>, Vec<String>, String) {
    let mut command = command(program, sandbox);
    command.args(args);
    let (output, stderr) = run(command);
    let stdout = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), stdout.lines().map(str::to_owned).collect(), stderr)
}

#[test]
fn the_example_lists_a_page_all_pages_and_json() {
    let sandbox = Sandbox::start(Options::default());
    let program = example("get_conversations.c", "c99");
    let (code, page, _) = lines(&sandbox, &program, &[]);
    assert_eq!(code, Some(0));
    assert!(page.len() > 100 && page.len() < 110, "{page:?}");
    let (code, json, stderr) = lines(&sandbox, &program, &["--all", "--json"]);
    assert_eq!((code, json.len()), (Some(0), 250), "{stderr}");
    for line in json {
        let row: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(row["conversationId"].is_string() && row["preview"].is_string(), "{line}");
    }
    let (code, some, _) = lines(&sandbox, &program, &["--page", "2", "--page-size", "25", "--json"]);
    assert_eq!((code, some.len()), (Some(0), 25));
}

#[test]
fn the_example_says_what_to_do_and_ends_with_the_kind_of_failure() {
    let sandbox = Sandbox::start(Options::default());
    let program = example("get_conversations.c", "c99");
    assert_eq!(lines(&sandbox, &program, &["--page", "x"]).0, Some(2));
    sandbox.set_outage(crate::sandbox::Outage::Unavailable);
    let (code, stdout, stderr) = lines(&sandbox, &program, &[]);
    assert_eq!((code, stdout.len()), (Some(10 + 12), 0), "{stderr}");
    assert!(stderr.contains("503") && stderr.contains("try again later"), "{stderr}");
}

#[test]
fn the_minimal_and_the_cpp_example_list_conversations() {
    let sandbox = Sandbox::start(Options::default());
    let (code, previews, stderr) = lines(&sandbox, &example("minimal.c", "c99"), &[]);
    assert!(code == Some(0) && previews.len() >= 100, "{code:?} {previews:?} {stderr}");
    let (code, rows, stderr) = lines(&sandbox, &example("get_conversations.cpp", "c++11"), &[]);
    assert!(code == Some(0) && rows.len() >= 250, "{code:?} {rows:?} {stderr}");
}
