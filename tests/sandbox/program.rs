//! The sandbox for people: `cargo run --example sandbox -- --help`.

#[path = "mod.rs"]
mod sandbox;

use sandbox::{Options, Outage, RETURNING_LOGINS, RateLimit, Sandbox};
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

const HELP: &str = "\
A stand-in for the Kustomer service, on this machine: real HTTPS and HTTP, made-up conversations.

Usage: sandbox [OPTIONS]
       sandbox [OPTIONS] --run PROGRAM [ARGS...]

It prints what a client needs to know as `export NAME=value` lines, then serves until Ctrl-C. With --run
it gives them to PROGRAM as environment variables instead (and takes every *_proxy variable away), and
ends when PROGRAM ends, with its exit code (128 + signal when it was killed).

  --port PORT            HTTPS port; 0, the default, takes a free one
  --conversations N      conversations of the returning visitor [250]
  --latency-ms N         wait before each answer [0]
  --no-history           the chat's settings say noHistory
  --rate-limit N         requests per window; more get 429 [no limit]
  --rate-window-ms N     length of that window [60000]
  --outage WHAT          503: answer nothing but 503; drop: end each connection without an answer
  --token-life-s N       how long a tracking token is good for [2592000]
  --refuse-expired       401 for an expired tracking token, instead of a new one
  --run PROGRAM ARGS...  run a program against it; all that follows belongs to the program
  --help                 print this

  KUSTOMER_BASE_URL             address of the service (HTTPS)
  KUSTOMER_CA_FILE              the certificate authority to trust, PEM
  KUSTOMER_API_KEY              chat key
  KUSTOMER_TRACKING_TOKEN       saved token of the returning visitor; without it a visitor has no history
  KUSTOMER_SANDBOX_HTTP_URL     the same service without TLS
  KUSTOMER_SANDBOX_SERVER_KEY   server API key
  KUSTOMER_SANDBOX_CUSTOMER_ID  the returning visitor, for calls with the server key
  KUSTOMER_SANDBOX_LOGIN_JWT    logs any visitor in as the returning one; good for 15 minutes
";

struct Arguments {
    options: Options,
    /// Program and arguments.
    run: Option<(OsString, Vec<OsString>)>,
}

fn main() -> ExitCode {
    let arguments = match parse() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(2, &format!("{error}; see --help")),
    };
    // Before any thread starts, for threads inherit it.
    signals::hold(true);
    let port = arguments.options.port;
    let sandbox = match Sandbox::try_start(arguments.options) {
        Ok(sandbox) => sandbox,
        Err(error) => return fail(1, &format!("cannot serve on port {port}: {error}")),
    };
    match arguments.run {
        Some((program, args)) => run(&sandbox, &program, &args),
        None => serve(&sandbox),
    }
}

/// None when help was asked for.
fn parse() -> Result<Option<Arguments>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options { record: false, ..Options::default() };
    let mut rate_limit = None;
    let mut window_ms = 60_000;
    let mut run = None;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("port") => options.port = parser.value()?.parse()?,
            Long("conversations") => options.conversations = parser.value()?.parse()?,
            Long("latency-ms") => options.latency_ms = parser.value()?.parse()?,
            Long("no-history") => options.no_history = true,
            Long("rate-limit") => rate_limit = Some(parser.value()?.parse()?),
            Long("rate-window-ms") => window_ms = parser.value()?.parse()?,
            Long("outage") => options.outage = parser.value()?.parse_with(outage)?,
            Long("token-life-s") => options.token_life_s = parser.value()?.parse()?,
            Long("refuse-expired") => options.renews_expired = false,
            Long("run") => run = Some((parser.value()?, parser.raw_args()?.collect())),
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    options.rate_limit = rate_limit.map(|requests| RateLimit { requests, window_ms });
    Ok(Some(Arguments { options, run }))
}

fn outage(text: &str) -> Result<Outage, &'static str> {
    match text {
        "503" => Ok(Outage::Unavailable),
        "drop" => Ok(Outage::Drop),
        _ => Err("give 503 or drop"),
    }
}

fn exports(sandbox: &Sandbox) -> [(&'static str, String); 8] {
    [
        ("KUSTOMER_BASE_URL", sandbox.https_url()),
        ("KUSTOMER_CA_FILE", sandbox.ca_file().display().to_string()),
        ("KUSTOMER_API_KEY", sandbox.chat_key()),
        ("KUSTOMER_TRACKING_TOKEN", sandbox.tracking_token()),
        ("KUSTOMER_SANDBOX_HTTP_URL", sandbox.http_url()),
        ("KUSTOMER_SANDBOX_SERVER_KEY", sandbox.api_key()),
        ("KUSTOMER_SANDBOX_CUSTOMER_ID", sandbox.customer_id()),
        ("KUSTOMER_SANDBOX_LOGIN_JWT", sandbox.login_jwt(RETURNING_LOGINS[0])),
    ]
}

fn serve(sandbox: &Sandbox) -> ExitCode {
    let mut text = String::from("# The sandbox is up until Ctrl-C. In another shell:\n");
    for (name, value) in exports(sandbox) {
        text += &format!("export {name}={}\n", quoted(&value));
    }
    // Whoever reads this may have closed it, and the service be wanted all the same.
    let mut stdout = std::io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    signals::wait();
    ExitCode::SUCCESS
}

/// For a shell; only the temp folder's name can need it.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    match value.chars().all(is_plain) {
        true => value.into(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

fn run(sandbox: &Sandbox, program: &OsString, args: &[OsString]) -> ExitCode {
    let name = Path::new(program).display();
    let mut command = Command::new(program);
    command.args(args).envs(exports(sandbox));
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().to_lowercase().ends_with("_proxy") {
            command.env_remove(variable);
        }
    }
    signals::hold(false);
    let child = command.spawn();
    signals::hold(true);
    let mut child = match child {
        Ok(child) => child,
        // As a shell does: 127 for no such program, 126 for one that cannot be run.
        Err(error) => {
            let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
            return fail(code, &format!("cannot run {name}: {error}"));
        }
    };
    pass_signals_on(child.id());
    match child.wait() {
        Ok(status) => ExitCode::from(exit_code(status)),
        Err(error) => fail(1, &format!("cannot wait for {name}: {error}")),
    }
}

/// The server ends when the child does, so the child has to be told.
fn pass_signals_on(child: u32) {
    std::thread::spawn(move || {
        loop {
            let signal = signals::wait();
            if signal != signals::FROM_TERMINAL {
                signals::send(child, signal);
            }
        }
    });
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code();
    #[cfg(unix)]
    let code = code.or_else(|| std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn fail(code: u8, message: &str) -> ExitCode {
    eprintln!("sandbox: {message}");
    ExitCode::from(code)
}

/// Ctrl-C and its like, held back so that the temp folder is removed before the end.
#[cfg(unix)]
mod signals {
    fn stopping() -> libc::sigset_t {
        // SAFETY: sigset_t is plain data, and sigemptyset makes it a set.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                libc::sigaddset(&mut set, signal);
            }
            set
        }
    }

    /// In this thread, and what it starts from now on.
    pub fn hold(held: bool) {
        let how = if held { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
        // SAFETY: the set is whole, and the old one is not asked for.
        unsafe { libc::pthread_sigmask(how, &stopping(), std::ptr::null_mut()) };
    }

    /// Until one comes.
    pub fn wait() -> i32 {
        let mut signal = 0;
        // SAFETY: both point to live memory.
        unsafe { libc::sigwait(&stopping(), &mut signal) };
        signal
    }

    pub fn send(process: u32, signal: i32) {
        // SAFETY: no memory is involved.
        unsafe { libc::kill(process as libc::pid_t, signal) };
    }

    /// A terminal sends this one to the child as well.
    pub const FROM_TERMINAL: i32 = libc::SIGINT;
}

/// Elsewhere Ctrl-C ends the process as it likes.
#[cfg(not(unix))]
mod signals {
    pub const FROM_TERMINAL: i32 = 0;
    pub fn hold(_held: bool) {}
    pub fn send(_process: u32, _signal: i32) {}
    pub fn wait() -> i32 {
        loop {
            std::thread::park();
        }
    }
}
