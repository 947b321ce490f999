//! What users may rely on, over real sockets: the Rust API, the C programs, the exported symbols.

#[path = "../sandbox/mod.rs"]
mod sandbox;

mod addresses;
mod api;
mod c_programs;
mod cancels;
mod deadlines;
mod faults;
mod figures;
mod helpful_errors;
mod kiosk;
mod library_file;
mod load;
mod names;
#[cfg(feature = "test-hooks")]
mod panics;
mod phases;
mod prefetch;
mod proxies;
mod retries;
mod secrets;
mod visitors;
