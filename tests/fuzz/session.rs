//! What opens can be saved, and the session shows the same.
#![no_main]

use inferscope::export::native;
use inferscope::import::{Input, open_whole};
use inferscope::jobs::Job;
use inferscope::model::dump;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let open = |bytes: &[u8]| open_whole(&Input::Bytes("unknown".into(), bytes.into()), &Job::new());
    let Ok(profile) = open(bytes) else { return };
    let mut session = Vec::new();
    native::write(&profile, &mut session).expect("memory takes any session");
    let again = open(&session).expect("a session that we wrote opens");
    assert_eq!(dump(&again), dump(&profile));
});
