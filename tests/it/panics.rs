//! A panic inside the library is the library's: `tests/c/panic.c` on a library with the feature `test-hooks`.

use crate::c_programs::{Link, build, run_checks};

#[test]
fn a_panic_in_any_step_of_any_call_is_an_error_like_others() {
    print!("{}", run_checks(&build("tests/c/panic.c", "c11", Link::Shared)));
}
