//! For this project's own tests (feature `test-hooks`, never in a shipped library): a panic where none happens by itself.

use std::cell::Cell;

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

/// The nth step from now on this thread panics: steps are calls into the library, requests, answers, waits for a piece
/// of one, and a change of the visitor while the lock is held. 1 is the next call; 0 takes it back.
#[unsafe(no_mangle)]
pub extern "C" fn kustomer_test_panic(nth: u32) {
    LEFT.set(nth);
}

pub(crate) fn panic_if_told() {
    let left = LEFT.get();
    LEFT.set(left.saturating_sub(1));
    assert!(left != 1, "told to by kustomer_test_panic");
}
