//! Names below `kustomer.test`, whose lookups are answered as a test says, and a count of the connects that were begun.
//! All else is the system's business.
//!
//! The library looks names up by the C library's `getaddrinfo`, and a program's own symbol goes before the C
//! library's: this program has one, and the library needs no hook. So it is with `connect`.

use crate::figures::Watched;
use libc::{addrinfo, c_char, c_int, c_void, sockaddr, socklen_t};
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::net::IpAddr;
use std::ptr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a lookup finds.
#[derive(Clone)]
pub enum Found {
    /// These addresses, in this order.
    Addresses(Vec<IpAddr>),
    /// That there is no such name.
    Nothing,
    /// Nothing yet: it hangs until something else is said.
    Hangs,
}

/// A name of a test's own.
pub struct Name {
    host: String,
}

struct Entry {
    found: Found,
    begun: usize,
    running: usize,
}

static NAMES: LazyLock<Watched<HashMap<String, Entry>>> = LazyLock::new(|| Watched::new(HashMap::new()));

impl Name {
    pub fn new(found: Found) -> Name {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let host = format!("n{}.kustomer.test", NUMBER.fetch_add(1, Ordering::Relaxed));
        NAMES.change(|names| names.insert(host.clone(), Entry { found, begun: 0, running: 0 }));
        Name { host }
    }

    /// A name with addresses, given as text.
    pub fn of(ips: &[&str]) -> Name {
        Name::new(Found::of(ips))
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn set(&self, found: Found) {
        NAMES.change(|names| names.get_mut(&self.host).unwrap().found = found);
    }

    /// How many lookups there were so far.
    pub fn lookups(&self) -> usize {
        NAMES.change(|names| names[&self.host].begun)
    }

    pub fn until_a_lookup_hangs(&self) {
        NAMES.until("a lookup hangs", |names| names[&self.host].running > 0);
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        self.set(Found::Nothing);
    }
}

impl Found {
    pub fn of(ips: &[&str]) -> Found {
        Found::Addresses(ips.iter().map(|ip| ip.parse().unwrap()).collect())
    }
}

static ALL_LOOKUPS: AtomicUsize = AtomicUsize::new(0);

/// How many lookups there were in this process, of any name.
pub fn all_lookups() -> usize {
    ALL_LOOKUPS.load(Ordering::SeqCst)
}

/// What is to be found for a host, if it is a test's name.
fn find(host: &str) -> Option<Found> {
    ALL_LOOKUPS.fetch_add(1, Ordering::SeqCst);
    let ours = NAMES.change(|names| {
        let entry = names.get_mut(host)?;
        entry.begun += 1;
        entry.running += 1;
        Some(())
    });
    ours?;
    let found = NAMES.wait(|names| match &names[host].found {
        Found::Hangs => None,
        found => Some(found.clone()),
    });
    NAMES.change(|names| names.get_mut(host).unwrap().running -= 1);
    Some(found)
}

type Getaddrinfo = unsafe extern "C" fn(*const c_char, *const c_char, *const addrinfo, *mut *mut addrinfo) -> c_int;
type Connect = unsafe extern "C" fn(c_int, *const sockaddr, socklen_t) -> c_int;

/// The C library's.
static REAL: LazyLock<(Getaddrinfo, Connect)> = LazyLock::new(|| {
    let next = |name: &CStr| {
        // SAFETY: the name ends in NUL.
        let symbol = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
        assert!(!symbol.is_null());
        symbol
    };
    // SAFETY: the symbols after this program's own are the C library's, whose types these are.
    unsafe {
        (
            std::mem::transmute::<*mut c_void, Getaddrinfo>(next(c"getaddrinfo")),
            std::mem::transmute::<*mut c_void, Connect>(next(c"connect")),
        )
    }
});

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    result: *mut *mut addrinfo,
) -> c_int {
    let host = if node.is_null() { "" } else { unsafe { CStr::from_ptr(node) }.to_str().unwrap_or_default() };
    match find(host) {
        None => unsafe { (REAL.0)(node, service, hints, result) },
        Some(Found::Addresses(ips)) => {
            let mut end = result;
            unsafe { *end = ptr::null_mut() };
            for ip in ips {
                // A list of one, made by the C library and so freed by it: its freeaddrinfo goes from link to link.
                let ip = CString::new(ip.to_string()).unwrap();
                let code = unsafe { (REAL.0)(ip.as_ptr(), service, hints, end) };
                assert_eq!(code, 0);
                while !unsafe { *end }.is_null() {
                    end = unsafe { &raw mut (**end).ai_next };
                }
            }
            0
        }
        Some(_) => libc::EAI_NONAME,
    }
}

/// How many connects to a port were begun, and go on in the background, so far.
pub fn connects_to(port: u16) -> usize {
    CONNECTS.change(|connects| connects.iter().filter(|to| **to == port).count())
}

static CONNECTS: Watched<Vec<u16>> = Watched::new(Vec::new());

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn connect(socket: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
    let result = unsafe { (REAL.1)(socket, address, length) };
    let error = std::io::Error::last_os_error();
    if result != 0 && error.raw_os_error() == Some(libc::EINPROGRESS) {
        // SAFETY: the kernel has read an address from there. The port of either family is at the same place.
        let port = unsafe { (*address.cast::<libc::sockaddr_in>()).sin_port };
        CONNECTS.change(|connects| connects.push(u16::from_be(port)));
        // SAFETY: this thread's errno, which the lock may have changed.
        unsafe { *libc::__errno_location() = libc::EINPROGRESS };
    }
    result
}
