#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wigwag_fuzz::token(data));
