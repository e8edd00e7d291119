//! `programs` for libFuzzer: see the module of that name.
//!
//! Why here: libFuzzer has the `main` of its programs.
//!
//! *Invariants*: none.
//!
//! *Locks*: none.
//!
//! *Go:* `go test -fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| goruntime_fuzz::programs(data));
