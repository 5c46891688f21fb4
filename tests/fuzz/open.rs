//! Any bytes are a profile, or an error that says something: no panic, no hang, no memory that the bytes only claim.
#![no_main]

use inferscope::import::{Input, open_whole};
use inferscope::jobs::Job;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match open_whole(&Input::Bytes("unknown".into(), bytes.into()), &Job::new()) {
        Ok(profile) => drop(profile),
        Err(e) => assert!(!e.what.is_empty()),
    }
});
