//! The organisation's chat settings.

use super::{KUSTOMER_UNKNOWN, kustomer_tristate, look, take, text_out, tristate, with_nul};
use crate::model::Settings;
use libc::{c_char, size_t};

/// The organisation's chat settings, as last fetched. Immutable; independent of the client. Text lives as long as it.
pub struct kustomer_settings(pub(super) Settings);

/// All attributes as the service sent them, as JSON.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_settings_json(s: *const kustomer_settings, out_len: *mut size_t) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text_out(look(s).map(|s| s.0.fields().json.with_nul()), out_len) }
}

/// Whether chat is switched on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_settings_enabled(s: *const kustomer_settings) -> kustomer_tristate {
    // SAFETY: see the module's contract.
    unsafe { look(s) }.map_or(KUSTOMER_UNKNOWN, |s| tristate(s.0.enabled()))
}

/// Whether visitors are shown no ended conversations: then every list is of active ones.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_settings_no_history(s: *const kustomer_settings) -> kustomer_tristate {
    // SAFETY: see the module's contract.
    unsafe { look(s) }.map_or(KUSTOMER_UNKNOWN, |s| tristate(s.0.no_history()))
}

/// The team's name; NULL: the service left it out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_settings_team_name(
    s: *const kustomer_settings,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text_out(look(s).and_then(|s| with_nul(&s.0.fields().team_name)), out_len) }
}

/// The greeting; NULL: the service left it out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_settings_greeting(
    s: *const kustomer_settings,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text_out(look(s).and_then(|s| with_nul(&s.0.fields().greeting)), out_len) }
}

/// Frees settings you own. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_settings_free(s: *mut kustomer_settings) {
    // SAFETY: see the module's contract.
    unsafe { take(s) };
}
