#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| kustomer::fuzz::settings(data));
