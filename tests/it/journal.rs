//! A recording whose process is killed can be brought back.

use std::time::{Duration, Instant};

use crate::support::{folder, program, report, run, stdout};

/// Waits until `ready` says so, at most 30 s.
fn wait(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_killed_recording_loses_at_most_its_last_second() {
    // A busy machine may hold up the writing of any one journal.
    let lost: Vec<_> = (0..3).map(|_| lost_when_killed()).take_while(|&lost| lost >= 1.0).collect();
    assert!(lost.len() < 3, "{lost:?} s are lost");
}

/// Seconds that are missing from a recording which was killed.
fn lost_when_killed() -> f64 {
    let folder = folder("killed");
    let journals = folder.join("journals");
    let dir = journals.to_str().unwrap();
    let mut child = program(&["record", "asyncio", "--quiet", "--journal", dir]);
    let mut child = child.stderr(std::process::Stdio::null()).spawn().unwrap();
    wait("a journal", || std::fs::read_dir(&journals).is_ok_and(|mut d| d.next().is_some()));
    let begun = Instant::now();
    std::thread::sleep(Duration::from_millis(2500));
    assert!(stdout(&["recover", "--journal", dir]).contains("No recording"), "it still runs");
    let ran = begun.elapsed();
    // SIGKILL on Unix.
    child.kill().unwrap();
    child.wait().unwrap();

    assert!(stdout(&["recover", "--journal", dir]).contains(".journal"));
    let session = folder.join("back.inferscope");
    stdout(&["recover", "--journal", dir, "-o", session.to_str().unwrap()]);
    let json = report(&session);
    let seconds = json["duration_ns"].as_i64().unwrap() as f64 / 1e9;
    let names: Vec<_> = json["functions"].as_array().unwrap().iter().map(|f| f["name"].clone()).collect();
    assert!(names.iter().any(|n| n == "fetch_user_data"), "{names:?}");
    let facts = json["facts"].to_string();
    assert!(facts.contains("interrupted"), "{facts}");
    assert_eq!(std::fs::read_dir(&journals).unwrap().count(), 0, "its journal is gone once it is saved");
    ran.as_secs_f64() - seconds
}

#[test]
fn an_orderly_recording_leaves_no_journal_and_a_failed_save_keeps_it() {
    let folder = folder("orderly");
    let journals = folder.join("journals");
    let dir = journals.to_str().unwrap();
    let session = folder.join("a.inferscope");
    let args = ["record", "asyncio", "--set", "scale=0.01", "--quiet", "--journal", dir, "-o"];
    stdout(&[&args[..], &[session.to_str().unwrap()]].concat());
    assert_eq!(std::fs::read_dir(&journals).unwrap().count(), 0);

    let nowhere = folder.join("no/such/folder/a.inferscope");
    let out = run(&[&args[..], &[nowhere.to_str().unwrap()]].concat());
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.contains("inferscope recover"), "{said}");
    let kept = std::fs::read_dir(&journals).unwrap().next().unwrap().unwrap().path();
    let json = report(&kept);
    assert!(json["spans"].as_u64().unwrap() >= 9, "the journal itself opens too: {}", json["spans"]);
    assert!(!json["facts"].to_string().contains("interrupted"));
}
