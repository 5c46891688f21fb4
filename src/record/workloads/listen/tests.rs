use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::{Profile, SpanStatus};
use crate::record::{Options, Recording, start};

/// Waits at most so long as recordings of other tests, which come first, may take.
fn wait<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn address(recording: &Recording) -> Option<String> {
    Some(recording.status().stage.strip_prefix("Listening on http://")?.to_owned())
}

fn span(id: u64, parent: u64, name: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!(
        r#"{{"traceId": "{:032x}", "spanId": "{id:016x}", "parentSpanId": "{parent:016x}", "flags": 256,
            "name": "{name}", "startTimeUnixNano": "{}", "endTimeUnixNano": "{now}"}}"#,
        7,
        now - 1_000_000
    )
}

fn post(address: &str, spans: &str) {
    let body = format!(r#"{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{spans}]}}]}}]}}"#);
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn status(profile: &Profile, name: &str) -> Option<SpanStatus> {
    let mut rows = profile.tracks.iter().flat_map(|t| &t.spans.rows);
    Some(rows.find(|s| profile.function_name(s.function) == name)?.status)
}

#[test]
fn what_came_is_seen_while_it_records_and_the_status_counts_it() {
    let revisions: Arc<Mutex<Option<Arc<Profile>>>> = Arc::default();
    let latest = revisions.clone();
    let on_revision = Box::new(move |profile| *latest.lock().unwrap() = Some(profile));
    let options = Options { journal: None, ..Options::default() };
    let params = ["http=127.0.0.1:0".to_owned(), "grpc=none".to_owned()];
    let recording = start("listen", &params, options, on_revision).unwrap();
    let address = wait("it listens", || address(&recording));
    post(&address, &span(2, 1, "part"));
    let seen = |name: &str| revisions.lock().unwrap().as_ref().and_then(|profile| status(profile, name));
    let whole = wait("a revision", || seen("span not received"));
    assert_eq!((whole, seen("part")), (SpanStatus::Unfinished, Some(SpanStatus::Ok)));
    // Other tests of this process may have spans, too.
    assert!(recording.status().spans >= 1);
    post(&address, &span(1, 0, "whole"));
    wait("a later revision", || seen("whole"));
    recording.stop();
    let profile = recording.join().unwrap();
    assert_eq!((status(&profile, "part"), profile.meta.failed.clone()), (Some(SpanStatus::Ok), None));
    assert_eq!(status(&profile, "span not received"), None);
}
