//! What `examples-c/kiosk.c` does in months, in seconds: it refreshes, outlasts outages, keeps its visitor and its size.
//!
//! `VALGRIND=1` runs it under valgrind. `KUSTOMER_TEST_FULL=1` takes all counts and strict bounds; with `--nocapture` the
//! figures are shown.

use crate::c_programs::{check, command, compiler, example, factor, is_watched, root};
use crate::faults::{full, random};
use crate::sandbox::{Answer, Options, Outage, RETURNING_LOGINS, RateLimit, Sandbox, Tracking, now_s};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LIST: &str = "/c/v1/chat/sessions";
const SETTINGS: &str = "/p/v1/chat/settings";
/// The returning visitor's list, and nothing that says it is old.
const FRESH: &str = "16 of 250 conversations\n";
const END_OF_SCREEN: &str = "--------";

static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| example("kiosk.c", "c99"));

/// Waits for what can be seen, but not heard of.
fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(30) * factor();
    while !happened() {
        assert!(Instant::now() < limit, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The folder that a kiosk's token outlives it in.
struct Home(TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    fn token_file(&self) -> PathBuf {
        self.0.path().join("token")
    }

    /// What is written there; that it is a whole token, and nobody else's to read.
    fn token(&self) -> Option<Tracking> {
        let text = std::fs::read_to_string(self.token_file()).ok()?;
        let mode = std::fs::metadata(self.token_file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        Some(Tracking::read(&text).unwrap_or_else(|| panic!("no whole token: {text:?}")))
    }

    fn command(&self, sandbox: &Sandbox, args: &[&str]) -> Command {
        let mut command = command(&PROGRAM, sandbox);
        command.arg("--token-file").arg(self.token_file()).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(self.0.path().join("stderr")).unwrap());
        command
    }

    /// As the returning visitor, unless the token file says otherwise.
    fn start(&self, sandbox: &Sandbox, args: &[&str]) -> Kiosk {
        Kiosk::spawn(self.command(sandbox, args))
    }

    fn start_as_new_visitor(&self, sandbox: &Sandbox, args: &[&str]) -> Kiosk {
        let mut command = self.command(sandbox, args);
        command.env_remove("KUSTOMER_TRACKING_TOKEN");
        Kiosk::spawn(command)
    }

    fn start_with_login(&self, sandbox: &Sandbox, args: &[&str], jwt: String) -> Kiosk {
        let mut command = self.command(sandbox, args);
        command.env_remove("KUSTOMER_TRACKING_TOKEN").env("KUSTOMER_LOGIN_JWT", jwt);
        Kiosk::spawn(command)
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(self.0.path().join("stderr")).unwrap()
    }
}

/// A running kiosk and its screens. It is killed when this is dropped.
struct Kiosk {
    child: Child,
    screens: Receiver<String>,
}

impl Kiosk {
    fn spawn(mut command: Command) -> Kiosk {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (shown, screens) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            for line in lines.map_while(Result::ok) {
                if line != END_OF_SCREEN {
                    text += &line;
                    text.push('\n');
                } else if shown.send(std::mem::take(&mut text)).is_err() {
                    break;
                }
            }
        });
        Kiosk { child, screens }
    }

    /// Goes through the screens, from where the last wait ended to one that is it.
    fn wait(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let limit = Instant::now() + Duration::from_secs(30) * factor();
        let mut last = String::new();
        loop {
            match self.screens.recv_timeout(limit.saturating_duration_since(Instant::now())) {
                Ok(screen) if is_it(&screen) => return screen,
                Ok(screen) => last = screen,
                Err(_) => panic!("in vain: {what}; the screen shows:\n{last}"),
            }
        }
    }

    /// A screen that holds it and is not said to be old.
    fn wait_for(&self, part: &str) -> String {
        self.wait(part, |screen| screen.contains(part) && why(screen).is_none())
    }

    /// A screen that says why there is no newer list, and the line that says it.
    fn wait_for_why(&self) -> (String, String) {
        let screen = self.wait("a line that says why", |screen| why(screen).is_some());
        let line = why(&screen).unwrap().to_owned();
        (screen, line)
    }

    fn signal(&self, signal: i32) {
        // SAFETY: no memory is involved. The child has not been waited for, so the id is its own.
        assert_eq!(unsafe { libc::kill(self.child.id() as libc::pid_t, signal) }, 0);
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How it ended, and how long that took.
    fn end(mut self, signal: i32) -> (ExitStatus, Duration) {
        assert!(self.is_running());
        let begin = Instant::now();
        self.signal(signal);
        until("the end of the program", || !self.is_running());
        (self.child.wait().unwrap(), begin.elapsed())
    }

    fn end_well(self) {
        let (status, _) = self.end(libc::SIGTERM);
        assert_eq!(status.code(), Some(0));
    }

    fn resident_kb(&self) -> i64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Kiosk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line that says why there is no newer list. Without it a screen ends with a count, or a request for patience.
fn why(screen: &str) -> Option<&str> {
    let last = screen.lines().last()?;
    let is_count = last.starts_with(|c: char| c.is_ascii_digit()) && last.ends_with(" conversations");
    (!is_count && !last.starts_with("One moment")).then_some(last)
}

/// How old the line says the list is, in seconds, and the reason it gives.
fn age_and_reason(why: &str) -> (u64, &str) {
    let rest = why.strip_prefix("This list is ").unwrap_or_else(|| panic!("no age: {why}"));
    let (age, reason) = rest.split_once(" s old. ").unwrap();
    (age.parse().unwrap(), reason)
}

fn try_again_after(status: u16, wait_s: u64) -> Answer {
    Answer { headers: vec![("retry-after".to_owned(), wait_s.to_string())], ..Answer::json(status, "{}") }
}

/// Long enough for a call under valgrind, short enough to be over soon.
fn short_timeout() -> String {
    (2000 * factor()).to_string()
}

// ---- The list ----

#[test]
fn the_list_is_shown_and_refreshed() {
    let (sandbox, home) = (Sandbox::start(Options::default()), Home::new());
    let kiosk = home.start(&sandbox, &["--interval-ms", "30"]);
    let screen = kiosk.wait_for(FRESH);
    assert!(screen.starts_with("Sandbox Support: Hi! How can we help?\n\n"), "{screen}");
    assert!(screen.contains(" 2 new  I was charged twice for order #48213"), "{screen}");
    assert_eq!(screen.lines().count(), 2 + 16 + 1);
    sandbox.add_conversations(&sandbox.tracking_id(), 1);
    kiosk.wait_for("16 of 251 conversations\n");
    kiosk.end_well();
}

#[test]
fn while_the_service_is_away_the_last_list_stays_with_its_age_and_one_line_why() {
    let (sandbox, home) = (Sandbox::start(Options::default()), Home::new());
    let kiosk = home.start(&sandbox, &["--interval-ms", "30", "--timeout-ms", &short_timeout()]);
    let fresh = kiosk.wait_for(FRESH);
    for (outage, word) in [(Outage::Unavailable, "503"), (Outage::Drop, "connection")] {
        sandbox.set_outage(outage);
        let (screen, why) = kiosk.wait_for_why();
        assert_eq!(screen, format!("{fresh}{why}\n"));
        assert!(age_and_reason(&why).1.contains(word), "{why}");
        let older = age_and_reason(&why).0 + 1;
        kiosk.wait("an older list", |screen| age_and_reason(self::why(screen).unwrap()).0 >= older);
        sandbox.set_outage(Outage::Off);
        assert_eq!(kiosk.wait_for(FRESH), fresh);
    }
    kiosk.end_well();
}

#[test]
fn a_kiosk_starts_while_the_service_is_away_and_shows_the_list_when_it_is_back() {
    let (sandbox, home) = (Sandbox::start(Options { outage: Outage::Drop, ..Options::default() }), Home::new());
    let jwt = sandbox.login_jwt(RETURNING_LOGINS[0]);
    let kiosk = home.start_with_login(&sandbox, &["--interval-ms", "30", "--timeout-ms", &short_timeout()], jwt);
    let (screen, why) = kiosk.wait_for_why();
    assert_eq!(screen, format!("\n\n{why}\n"));
    sandbox.set_outage(Outage::Off);
    kiosk.wait_for(FRESH);
    kiosk.end_well();
}

#[test]
fn a_rate_limited_kiosk_asks_for_nothing_before_the_wait_is_over() {
    let (sandbox, home) = (Sandbox::start(Options::default()), Home::new());
    let kiosk = home.start(&sandbox, &["--interval-ms", "10", "--timeout-ms", &short_timeout()]);
    kiosk.wait_for(FRESH);
    // One that the library does not wait out in the call: the pause is the kiosk's.
    let wait_s = u64::from(2 * factor()) + 1;
    sandbox.answer_next(LIST, try_again_after(429, wait_s));
    let (_, why) = kiosk.wait_for_why();
    assert!(age_and_reason(&why).1.contains("429"), "{why}");
    let before = sandbox.requests();
    kiosk.wait_for(FRESH);
    let after = &sandbox.requests()[before.len()..];
    let waited = after[0].at - before[before.len() - 1].at;
    assert!(waited >= Duration::from_secs(wait_s), "{waited:?}");
    kiosk.end_well();
}

#[test]
fn a_list_that_the_visitor_may_see_no_more_is_taken_from_the_screen() {
    let (sandbox, home) = (Sandbox::start(Options::default()), Home::new());
    let kiosk = home.start(&sandbox, &["--interval-ms", "100"]);
    kiosk.wait_for(FRESH);
    sandbox.set_renews_expired(false);
    sandbox.expire_tokens();
    let (screen, why) = kiosk.wait_for_why();
    assert_eq!(screen, format!("Sandbox Support: Hi! How can we help?\n\n{why}\n"));
    assert!(why.contains("another"), "{why}");
    kiosk.wait_for("0 of 0 conversations\n");
    kiosk.end_well();
    assert_ne!(home.token().unwrap().id, sandbox.tracking_id());
}

#[test]
fn what_strangers_typed_has_no_power_over_the_screen() {
    let (sandbox, home) = (Sandbox::start(Options::default()), Home::new());
    let settings = r#"{"enabled":false,"teamName":"Te\u001b]0;x\u0007am","greeting":"Hi\nyou"}"#;
    sandbox.answer_next(SETTINGS, Answer::json(200, format!(r#"{{"data":{{"attributes":{settings}}}}}"#)));
    let previews = [
        (r"\u001b[2Jwiped", " [2Jwiped"),
        (r"one\r\ntwo\tthree\u0000\u007f.", "one  two three  ."),
        (r"\u009b31mred\u0085", " 31mred "),
        (r"a\u202eb\u2028c\u2069d\u200fe", "a b c d\u{200f}e"),
        ("–éü🎉\u{A0}", "–éü🎉\u{A0}"),
    ];
    let row = |(typed, _): &(&str, &str)| format!(r#"{{"id":"1","attributes":{{"preview":"{typed}"}}}}"#);
    let rows: Vec<String> = previews.iter().map(row).collect();
    sandbox.answer_next(LIST, Answer::json(200, format!(r#"{{"data":[{}]}}"#, rows.join(","))));
    let kiosk = home.start(&sandbox, &[]);
    let screen = kiosk.wait_for("5 conversations\n");
    let mut lines = screen.lines();
    assert_eq!(lines.next(), Some("Te ]0;x am: Hi you"));
    assert_eq!(lines.next(), Some("The chat is closed."));
    assert_eq!(lines.next(), Some(""));
    for ((_, shown), line) in previews.iter().zip(lines) {
        assert_eq!(line.strip_prefix(&format!("{:38}", "draft")), Some(*shown));
    }
    kiosk.end_well();
}

// ---- The end ----

#[derive(Clone, Copy, Debug)]
enum During {
    Pause,
    PauseInAnOutage,
    CallThatHangs,
    PauseBetweenTriesOfACall,
}

/// How long a kiosk that is told to end in such a moment takes.
fn time_to_end(signal: i32, during: During) -> Duration {
    let (sandbox, home) = (Sandbox::start(Options::default()), Home::new());
    match during {
        During::Pause => {}
        During::PauseInAnOutage => sandbox.answer_next(SETTINGS, Answer::json(404, "{}")),
        During::CallThatHangs => sandbox.set_latency_ms(3_600_000),
        During::PauseBetweenTriesOfACall => sandbox.answer_next(SETTINGS, try_again_after(503, 10)),
    }
    let kiosk = home.start(&sandbox, &["--interval-ms", "3600000"]);
    match during {
        During::Pause => drop(kiosk.wait_for(FRESH)),
        During::PauseInAnOutage => drop(kiosk.wait_for_why()),
        During::CallThatHangs | During::PauseBetweenTriesOfACall => {
            until("a request", || !sandbox.requests().is_empty());
        }
    }
    let (status, took) = kiosk.end(signal);
    assert_eq!(status.code(), Some(0), "{during:?}: {}", home.stderr());
    println!("signal {signal}, {during:?}: ended in {took:?}");
    took
}

#[test]
fn told_to_end_it_ends_at_once_and_well() {
    let bound = Duration::from_millis(if full() { 50 } else { 350 }) * factor();
    for signal in [libc::SIGTERM, libc::SIGINT] {
        for during in [During::Pause, During::PauseInAnOutage, During::CallThatHangs, During::PauseBetweenTriesOfACall]
        {
            let in_time = time_to_end(signal, during) <= bound || time_to_end(signal, during) <= bound;
            assert!(in_time, "signal {signal}, {during:?}");
        }
    }
}

#[test]
fn wrong_usage_and_what_no_waiting_mends_end_the_program_with_their_codes() {
    let (sandbox, home) = (Sandbox::start(Options::default()), Home::new());
    let code = |mut command: Command| {
        let status = command.status().unwrap();
        (status.code().unwrap(), home.stderr())
    };
    for args in
        [&["--interval-ms", "0"][..], &["--nonsense"], &["--token-file"], &["--token-file", "/no/such/folder/x"]]
    {
        assert_eq!(code(home.command(&sandbox, args)).0, 2, "{args:?}");
    }
    let mut command = home.command(&sandbox, &[]);
    command.env("KUSTOMER_API_KEY", "");
    assert_eq!(code(command).0, 2);
    let mut command = home.command(&sandbox, &[]);
    command.env("KUSTOMER_CA_FILE", "/no/such/file");
    let (status, stderr) = code(command);
    assert!(status == 11 && stderr.contains("/no/such/file") && stderr.lines().count() == 1, "{status}: {stderr}");
    let mut command = home.command(&sandbox, &[]);
    command.stdout(File::options().write(true).open("/dev/full").unwrap());
    assert_eq!(code(command).0, 1);
    // A token that cannot be read must not be replaced.
    std::fs::create_dir(home.token_file()).unwrap();
    assert_eq!(code(home.command(&sandbox, &[])).0, 2);
    assert!(sandbox.requests().is_empty());
}

#[test]
fn it_is_c99_and_posix_for_gcc_and_clang() {
    let source = root("examples-c/kiosk.c");
    for name in ["gcc", "clang"] {
        let gcc = compiler("kiosk.c", "c99");
        let mut command = Command::new(name);
        command.args(gcc.get_args()).args(["-Wconversion", "-fsyntax-only"]).arg(&source);
        if Command::new(name).arg("--version").output().is_ok() {
            check(&mut command);
        } else {
            eprintln!("skipped: {name} is not installed");
        }
    }
}

// ---- The visitor ----

#[test]
fn restarted_it_is_the_same_visitor_with_the_same_history() {
    let (sandbox, home) = (Sandbox::start(Options::default()), Home::new());
    let kiosk = home.start_as_new_visitor(&sandbox, &["--interval-ms", "30"]);
    kiosk.wait_for("0 of 0 conversations\n");
    let id = home.token().unwrap().id;
    sandbox.add_conversations(&id, 3);
    let list = kiosk.wait_for("3 of 3 conversations\n");
    kiosk.end_well();
    let kiosk = home.start_as_new_visitor(&sandbox, &[]);
    assert_eq!(kiosk.wait_for("3 of 3 conversations\n"), list);
    assert_eq!(home.token().unwrap().id, id);
    kiosk.end_well();
}

#[test]
fn a_visitor_who_logged_in_is_logged_in_after_a_restart_also_with_a_jwt_that_has_had_its_day() {
    let (sandbox, home) = (Sandbox::start(Options::default()), Home::new());
    let kiosk = home.start_with_login(&sandbox, &[], sandbox.login_jwt(RETURNING_LOGINS[0]));
    let list = kiosk.wait_for(FRESH);
    kiosk.end_well();
    let id = home.token().unwrap().id;
    assert_ne!(id, sandbox.tracking_id());
    let kiosk = home.start_as_new_visitor(&sandbox, &[]);
    assert_eq!(kiosk.wait_for(FRESH), list);
    kiosk.end_well();
    let old = sandbox.login_jwt_at(RETURNING_LOGINS[0], now_s() - 3600);
    let kiosk = home.start_with_login(&sandbox, &["--interval-ms", "100"], old);
    let (_, why) = kiosk.wait_for_why();
    assert!(why.contains("JWT"), "{why}");
    assert_eq!(kiosk.wait_for(FRESH), list);
    kiosk.end_well();
    assert_eq!(home.token().unwrap().id, id);
}

#[test]
fn a_new_visitor_on_demand_erases_the_token_of_the_old_one_also_while_the_service_is_away() {
    let (sandbox, home) = (Sandbox::start(Options::default()), Home::new());
    std::fs::write(home.token_file(), sandbox.tracking_token()).unwrap();
    sandbox.set_outage(Outage::Drop);
    let kiosk = home.start(&sandbox, &["--interval-ms", "30", "--new-visitor"]);
    kiosk.wait_for_why();
    assert!(!home.token_file().exists());
    sandbox.set_outage(Outage::Off);
    kiosk.wait_for("0 of 0 conversations\n");
    assert_ne!(home.token().unwrap().id, sandbox.tracking_id());
    kiosk.end_well();
}

#[test]
fn a_token_that_cannot_be_saved_is_complained_of_and_the_list_is_shown() {
    let (sandbox, home) = (Sandbox::start(Options::default()), Home::new());
    std::fs::create_dir(home.0.path().join("token.new")).unwrap();
    let kiosk = home.start_as_new_visitor(&sandbox, &[]);
    kiosk.wait_for("0 of 0 conversations\n");
    kiosk.end_well();
    assert!(home.stderr().starts_with("kiosk: cannot save the tracking token in token: "), "{}", home.stderr());
}

#[test]
fn killed_at_any_moment_it_leaves_the_old_token_or_the_new_one_whole() {
    let sandbox = Arc::new(Sandbox::start(Options { record: false, ..Options::default() }));
    let home = Home::new();
    let kills = if full() { 50 } else { 10 };
    let mut random = random();
    // Before every request, so that every list costs a token.
    let (over, expiring) = (Arc::new(AtomicBool::new(false)), sandbox.clone());
    let stop = over.clone();
    let expiry = std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            expiring.expire_tokens();
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let (mut serial, mut in_the_middle) = (0, 0);
    for _ in 0..kills {
        let kiosk = home.start(&sandbox, &["--interval-ms", "1"]);
        // Past the start, which takes most of the time.
        if serial == 0 || random.u32(..4) > 0 {
            until("a token", || home.token().is_some_and(|token| token.serial > serial));
        }
        std::thread::sleep(Duration::from_micros(random.u64(..40_000)));
        kiosk.end(libc::SIGKILL);
        let token = home.token().expect("the old token or the new one");
        assert_eq!(token.id, sandbox.tracking_id());
        assert!(token.serial >= serial);
        serial = token.serial;
        in_the_middle += u32::from(home.0.path().join("token.new").exists());
    }
    over.store(true, Ordering::Relaxed);
    expiry.join().unwrap();
    println!("{kills} kills while {serial} tokens were issued, {in_the_middle} of them in the middle of saving one");
    let kiosk = home.start(&sandbox, &[]);
    kiosk.wait_for(FRESH);
    kiosk.end_well();
}

// ---- Months ----

/// A refresh after the other, and all that happens to a kiosk in between.
fn a_bad_hour(sandbox: &mut Sandbox, kiosk: &Kiosk, refreshes: usize) {
    sandbox.expire_tokens();
    for _ in 0..refreshes {
        kiosk.wait_for(FRESH);
    }
    for outage in [Outage::Unavailable, Outage::Drop] {
        sandbox.set_outage(outage);
        kiosk.wait_for_why();
        sandbox.set_outage(Outage::Off);
        kiosk.wait_for(FRESH);
    }
    sandbox.set_rate_limit(Some(RateLimit { requests: 0, window_ms: 200 }));
    kiosk.wait_for_why();
    sandbox.set_rate_limit(None);
    kiosk.wait_for(FRESH);
    sandbox.restart(|| drop(kiosk.wait_for_why()));
    kiosk.wait_for(FRESH);
}

#[test]
fn a_day_of_refreshes_outages_and_restarts_costs_no_memory_and_no_descriptors() {
    let mut sandbox = Sandbox::start(Options { record: false, ..Options::default() });
    let home = Home::new();
    let timeout = (200 * factor()).to_string();
    let kiosk = home.start(&sandbox, &["--interval-ms", "1", "--timeout-ms", &timeout]);
    kiosk.wait_for(FRESH);
    let (hours, refreshes) = if full() { (50, 1000) } else { (2, 300) };
    a_bad_hour(&mut sandbox, &kiosk, refreshes);
    let (memory, descriptors) = (kiosk.resident_kb(), kiosk.descriptors());
    for _ in 0..hours {
        a_bad_hour(&mut sandbox, &kiosk, refreshes);
    }
    let growth = kiosk.resident_kb() - memory;
    println!("resident {memory} kB after warm-up, {growth:+} kB after {} refreshes", hours * refreshes);
    // Less than the lists of a few hundred refreshes take. A watching tool's own memory is not the kiosk's.
    assert!(growth <= 1024 || is_watched());
    until("no more descriptors than before", || kiosk.descriptors() <= descriptors);
    kiosk.end_well();
}
