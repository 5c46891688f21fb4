//! No recording is lost: neither by a killed process, nor by a report that nobody reads.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::{folder, program, report, run, stdout, wait};

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

    // What can be known before is said before: nothing is started.
    let nowhere = folder.join("no/such/folder/a.inferscope");
    let out = run(&[&args[..], &[nowhere.to_str().unwrap()]].concat());
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!((out.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("no/such/folder") && files(&journals).is_empty(), "{said}");

    // A folder that vanishes meanwhile.
    let gone = folder.join("gone");
    std::fs::create_dir(&gone).unwrap();
    let file = gone.join("a.inferscope");
    let args = ["record", "command", "--quiet", "--journal", dir, "-o", file.to_str().unwrap(), "--"];
    let command = ["sh", "-c", &format!("echo hello; rm -r {}", gone.display())];
    let out = run(&[&args[..], &command].concat());
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.contains("inferscope recover"), "{said}");
    let json = report(&files(&journals)[0]);
    assert_eq!(json["facts"]["Output lines"], "1", "the journal itself opens too: {json}");
    assert!(!json["facts"].to_string().contains("interrupted"));
}

/// Journals in a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).map_or_else(|_| Vec::new(), |d| d.map(|e| e.unwrap().path()).collect())
}

/// A recording without `-o` is thrown away only when somebody has read what it printed.
#[cfg(unix)]
#[test]
fn a_recording_whose_report_nobody_read_stays() {
    use std::process::{Command, Stdio};
    let folder = folder("unread");
    let recording = |name: &str, more: &[&str]| {
        let journals = folder.join(name);
        let args = ["record", "asyncio", "--set", "scale=0.01", "--journal", journals.to_str().unwrap()];
        let mut command = program(&[&args[..], more].concat());
        command.stderr(Stdio::piped());
        (command, journals)
    };
    let kept = |name: &str, journals: &Path, stderr: &[u8]| {
        let said = String::from_utf8_lossy(stderr).into_owned();
        assert!(said.contains("is kept: inferscope recover"), "{name}: {said}");
        let list = stdout(&["recover", "--journal", journals.to_str().unwrap()]);
        assert!(list.contains("not saved") && list.contains("Async pipeline"), "{name}: {list}");
        let session = journals.join("back.inferscope");
        stdout(&["recover", "--journal", journals.to_str().unwrap(), "-o", session.to_str().unwrap()]);
        assert!(report(&session)["spans"].as_u64() >= Some(9), "{name}");
    };
    let (mut command, journals) = recording("read", &[]);
    let out = command.output().unwrap();
    assert!(out.status.success() && !out.stdout.is_empty() && files(&journals).is_empty(), "it was read");

    let (mut command, journals) = recording("quiet", &["--quiet"]);
    kept("quiet", &journals, &command.output().unwrap().stderr);
    let (mut command, journals) = recording("null", &[]);
    kept(
        "null",
        &journals,
        &command.stdout(Stdio::null()).spawn().unwrap().wait_with_output().unwrap().stderr,
    );
    // As a link that is cut leaves it.
    let (mut command, journals) = recording("broken", &[]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    kept("broken", &journals, &child.wait_with_output().unwrap().stderr);
    let (mut command, journals) = recording("unread", &[]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let unread = child.stdout.take();
    kept("unread", &journals, &child.wait_with_output().unwrap().stderr);
    drop(unread);
    // Closed from the start.
    let (command, journals) = recording("closed", &[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" >&-", "sh"]).arg(command.get_program()).args(command.get_args());
    command.get_envs().for_each(|(key, value)| {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    });
    kept("closed", &journals, &shell.stderr(Stdio::piped()).output().unwrap().stderr);
}

/// A recording that goes on does not say that it was interrupted, and is followed to its end.
#[test]
fn a_recording_that_goes_on_is_shown_as_it_grows() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let folder = folder("follow");
    let journals = folder.join("journals");
    let args =
        ["record", "asyncio", "--set", "scale=0.25", "--quiet", "--journal", journals.to_str().unwrap()];
    let mut recorder = program(&args).stderr(Stdio::null()).spawn().unwrap();
    wait("a journal", || files(&journals).first().is_some_and(|f| f.metadata().unwrap().len() > 0));
    let journal = files(&journals).remove(0);
    let facts = report(&journal)["facts"].to_string();
    assert!(facts.contains("still recording") && !facts.contains("interrupted"), "{facts}");

    let args = ["report", "--follow", "--every", "0.2", "--json", journal.to_str().unwrap()];
    let mut follower = program(&args).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let reports: Vec<serde_json::Value> = lines.map(|l| serde_json::from_str(&l.unwrap()).unwrap()).collect();
    assert!(follower.wait().unwrap().success() && recorder.wait().unwrap().success());
    let lengths: Vec<i64> = reports.iter().map(|r| r["duration_ns"].as_i64().unwrap()).collect();
    assert!(lengths.len() >= 3 && lengths.is_sorted(), "{lengths:?}");
    let (last, before) = reports.split_last().unwrap();
    assert!(before.iter().all(|r| r["facts"].to_string().contains("still recording")));
    let end = last["facts"].to_string();
    assert!(!end.contains("still recording") && !end.contains("interrupted"), "{end}");
    let again = report(&journal);
    assert_eq!((&last["functions"], &last["facts"]), (&again["functions"], &again["facts"]));
    let text = stdout(&["report", "--follow", journal.to_str().unwrap()]);
    assert!(text.contains("fetch_user_data"), "one that has ended is reported once: {text}");
}

/// `--journal -` sends the journal as it grows; what cannot be written is said before anything starts.
#[cfg(unix)]
#[test]
fn a_journal_can_be_a_stream() {
    use std::process::Stdio;
    let folder = folder("stream");
    let state = folder.join("state");
    let journals = state.join("inferscope/journal");
    let record = |args: &[&str]| {
        let mut command = program(&[&["record", "command", "--journal"], args].concat());
        command.env("XDG_STATE_HOME", &state).current_dir(&folder).stderr(Stdio::piped());
        command
    };
    let hello = ["-", "--", "sh", "-c", "echo hello; echo 'ERROR: no' >&2; sleep 0.7"];
    let out = record(&hello).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() && said.contains("hello"), "what it wrote goes to the other stream: {said}");
    assert!(!folder.join("-").exists() && files(&journals).is_empty(), "sent to its end");
    let copy = folder.join("copy.journal");
    std::fs::write(&copy, &out.stdout).unwrap();
    let json = report(&copy);
    assert_eq!(json["facts"]["Output lines"], "2", "{json}");
    assert!(!json["facts"].to_string().contains("interrupted"), "{}", json["facts"]);
    // The same by a pipe.
    let mut pipe =
        program(&["report", "--json", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut pipe.stdin.take().unwrap(), &out.stdout).unwrap();
    let piped: serde_json::Value = serde_json::from_slice(&pipe.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(piped["facts"], json["facts"]);

    // Its reader goes away: the journal on the disk stays.
    let mut child = record(&hello).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert!(
        out.status.success() && files(&journals).len() == 1,
        "{:?}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(report(&files(&journals)[0])["facts"]["Output lines"], "2");

    let ran = folder.join("ran");
    let touch = ["--", "touch", ran.to_str().unwrap()];
    for nowhere in ["/dev/stdout", "/dev/null/x", copy.to_str().unwrap()] {
        let out = record(&[&[nowhere][..], &touch].concat()).stdout(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!((out.status.code(), said.lines().count()), (Some(2), 1), "{nowhere}: {said}");
        assert!(said.contains(nowhere) && said.contains("--journal -"), "{said}");
        assert!(!ran.exists(), "{nowhere}: the program was not started");
    }
}
