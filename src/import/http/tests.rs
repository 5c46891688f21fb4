use super::MAGIC;
use crate::import::{Input, open};
use crate::jobs::Job;
use crate::model::{Outcome, Profile, Request};

/// A file as a process writes it.
struct File(Vec<u8>);

const SECOND: u64 = 1_000_000_000;

impl File {
    fn new(pid: u32) -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(pid.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        bytes.extend((5 * SECOND).to_le_bytes());
        bytes.extend((1_700_000_000 * SECOND).to_le_bytes());
        bytes.extend([0; 32]);
        Self(bytes)
    }

    fn record(&mut self, kind: u8, request: u32, ms: u64, data: &[u8]) -> &mut Self {
        self.0.extend((data.len() as u32).to_le_bytes());
        self.0.extend([kind, 0, 0, 0]);
        self.0.extend(request.to_le_bytes());
        self.0.extend((data.len() as u32).to_le_bytes());
        self.0.extend((5 * SECOND + ms * 1_000_000).to_le_bytes());
        self.0.extend(data);
        self
    }

    fn start(&mut self, request: u32, ms: u64, library: &str, url: &str, more: &str) -> &mut Self {
        let known = url.ends_with("/chat/completions") || url.ends_with("/messages");
        let about = format!(
            r#"{{"library": "{library}", "method": "POST", "url": "{url}", "known": {known}, "thread": 7{more}}}"#
        );
        self.record(1, request, ms, about.as_bytes())
    }

    fn chat(&mut self, request: u32, ms: u64) -> &mut Self {
        let body = br#"{"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}]}"#;
        self.start(request, ms, "httpx2", CHAT, "").record(2, request, ms, body)
    }

    fn answer(&mut self, request: u32, ms: u64, about: &str) -> &mut Self {
        self.record(4, request, ms, about.as_bytes())
    }

    fn open(&self) -> Profile {
        open(&Input::Bytes("x".into(), self.0.clone().into()), &Job::new(), &mut |_| ()).unwrap()
    }
}

const CHAT: &str = "https://api.openai.com/v1/chat/completions";
const STREAM: &str = r#"{"status": 200, "type": "text/event-stream"}"#;

fn word(text: &str) -> Vec<u8> {
    format!("data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-x-1\",\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n").into_bytes()
}

const LAST: &[u8] = b"data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-x-1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";

fn ms(ns: Option<i64>) -> Option<i64> {
    ns.map(|t| t / 1_000_000)
}

fn only(p: &Profile) -> &Request {
    assert_eq!(p.requests.rows.len(), 1);
    &p.requests.rows[0]
}

/// Names of spans with begin and end in ms, by track.
fn spans(p: &Profile, track: &str) -> Vec<(String, i64, i64)> {
    let track = p.tracks.iter().find(|t| p.text(t.name) == track).unwrap();
    let ms = |t: i64| t / 1_000_000;
    track
        .spans
        .rows
        .iter()
        .map(|s| (p.function_name(s.function).to_owned(), ms(s.start), ms(s.end)))
        .collect()
}

fn streamed(file: &mut File) -> &mut File {
    file.chat(1, 100)
        .record(3, 1, 101, b"connect")
        .record(3, 1, 110, b"connected")
        .record(3, 1, 110, b"send")
        .record(3, 1, 111, b"sent")
        .record(3, 1, 150, b"first_byte")
        .answer(1, 151, STREAM)
        .record(5, 1, 200, &word("one "))
        .record(5, 1, 220, &word("two"))
        .record(5, 1, 230, LAST)
}

#[test]
fn a_streamed_call_has_the_stamps_of_its_pieces_and_spans_of_its_waits() {
    let mut file = File::new(42);
    let p = streamed(&mut file).record(6, 1, 240, b"aborted").open();
    let r = only(&p);
    assert_eq!(r.outcome, Outcome::Ok, "the program left when it had all of it");
    assert_eq!(
        (p.text(r.model), p.text(r.requested_model), p.text(r.provider)),
        ("gpt-x-1", "gpt-x", "openai")
    );
    assert_eq!((p.text(r.prompt), p.text(r.completion)), ("hi", "one two"));
    assert_eq!((r.tokens.input, r.tokens.output), (Some(9), Some(2)));
    assert_eq!(
        (ms(r.ttft()), ms(r.first_byte), ms(r.latency()), ms(r.last_token)),
        (Some(100), Some(50), Some(140), Some(120))
    );
    assert_eq!(r.token_times.iter().map(|t| t / 1_000_000).collect::<Vec<_>>(), [100, 120]);
    let expected = [
        ("chat completions", 0, 140),
        ("wait_for_connection", 0, 1),
        ("connect", 1, 10),
        ("send", 10, 11),
        ("wait_for_first_byte", 11, 50),
        ("wait_for_first_token", 50, 100),
        ("receive", 100, 140),
    ];
    assert_eq!(spans(&p, "LLM calls"), expected.map(|(name, a, b)| (name.to_owned(), a, b)));
    assert_eq!(p.meta.origin_unix_ns, Some(1_700_000_000_100_000_000));
}

#[test]
fn what_did_not_end_runs_and_what_was_left_is_cancelled() {
    let mut file = File::new(42);
    file.chat(1, 0).answer(1, 5, STREAM).record(5, 1, 6, &word("one")).record(6, 1, 9, b"aborted");
    file.chat(2, 10).answer(2, 15, STREAM).record(5, 2, 16, &word("two"));
    file.chat(3, 20).record(6, 3, 30, b"ConnectError: refused, key sk-abcdefghijklmnop1234");
    let p = file.open();
    let outcomes: Vec<Outcome> = p.requests.rows.iter().map(|r| r.outcome).collect();
    assert_eq!(outcomes, [Outcome::Cancelled, Outcome::Running, Outcome::Error]);
    let texts: Vec<&str> = p.requests.rows.iter().map(|r| p.text(r.completion)).collect();
    assert_eq!(texts, ["one", "two", ""]);
    assert_eq!(p.text(p.requests.rows[2].error), "ConnectError: refused, key [hidden]");
    assert!(p.requests.rows.iter().all(|r| r.tokens.output.is_none()), "nobody counted");
}

#[test]
fn attempts_are_one_request_with_its_failures() {
    let mut file = File::new(42);
    let limit = br#"{"error": {"message": "slow down", "code": 429}}"#;
    file.chat(1, 0).answer(1, 20, r#"{"status": 429, "type": "application/json"}"#);
    file.record(5, 1, 21, limit).record(6, 1, 22, b"");
    // The same question by somebody else meanwhile.
    file.start(9, 30, "httpx2", CHAT, ", \"task\": 5").record(
        2,
        9,
        30,
        br#"{"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}]}"#,
    );
    file.answer(9, 31, r#"{"status": 400}"#).record(5, 9, 32, limit).record(6, 9, 33, b"");
    file.chat(2, 500).record(6, 2, 600, b"ReadTimeout: ");
    file.chat(3, 1600)
        .answer(3, 1650, STREAM)
        .record(5, 3, 1700, &word("ok"))
        .record(5, 3, 1710, LAST)
        .record(6, 3, 1720, b"");
    let p = file.open();
    assert_eq!(p.requests.rows.len(), 2);
    let r = &p.requests.rows[0];
    let retries: Vec<_> = r
        .retries
        .iter()
        .map(|t| (t.began / 1_000_000, t.failed / 1_000_000, t.again / 1_000_000, p.text(t.reason)))
        .collect();
    assert_eq!(retries, [(0, 22, 500, "HTTP 429"), (500, 600, 1600, "no answer")]);
    assert_eq!((r.outcome, ms(r.ttft()), ms(r.waited())), (Outcome::Ok, Some(100), Some(1700)));
    let other = &p.requests.rows[1];
    assert_eq!((other.outcome, p.text(other.error)), (Outcome::Error, "HTTP 400: slow down"));
    let names: Vec<String> = spans(&p, "LLM calls").into_iter().map(|s| s.0).collect();
    assert_eq!(names.iter().filter(|n| *n == "attempt").count(), 3);
    assert_eq!(names.iter().filter(|n| *n == "back_off").count(), 2);
}

#[test]
fn other_requests_are_spans_without_bodies_and_calls_that_are_none_no_requests() {
    let mut file = File::new(42);
    file.start(1, 0, "urllib3", "https://example.com/items", "")
        .answer(1, 10, r#"{"status": 404}"#)
        .record(6, 1, 12, b"");
    // A chat program's own messages.
    file.start(2, 20, "aiohttp", "https://chat.example/rooms/1/messages", "").record(
        2,
        2,
        20,
        b"{\"content\": \"private\"}",
    );
    file.answer(2, 25, r#"{"status": 200, "type": "application/json"}"#)
        .record(5, 2, 25, b"{\"id\": 1}")
        .record(6, 2, 26, b"");
    let p = file.open();
    assert_eq!(p.requests.rows.len(), 0);
    let spans = spans(&p, "HTTP requests");
    let outer: Vec<&str> = spans.iter().map(|s| s.0.as_str()).filter(|n| n.starts_with("POST")).collect();
    assert_eq!(outer, ["POST example.com", "POST chat.example"]);
    assert!(!p.strings.iter().any(|text| text.contains("private")));
}

#[test]
fn a_call_seen_through_two_doors_is_one() {
    let mut file = File::new(42);
    let local = "http://127.0.0.1:4000/v1/chat/completions";
    file.start(1, 0, "httpx2", local, ", \"task\": 5, \"task_name\": \"Task-1\"");
    file.start(2, 3, "proxy", CHAT, ", \"mark\": \"m-2\"").record(
        2,
        2,
        3,
        br#"{"model": "gpt-x", "messages": []}"#,
    );
    file.answer(2, 40, STREAM).record(5, 2, 50, &word("a"));
    file.answer(1, 41, r#"{"status": 200, "type": "text/event-stream", "through": "m-2"}"#).record(
        5,
        1,
        70,
        &word("a"),
    );
    file.record(5, 2, 60, LAST).record(6, 2, 60, b"").record(5, 1, 71, LAST).record(6, 1, 72, b"");
    let p = file.open();
    let r = only(&p);
    assert_eq!((p.text(r.provider), ms(r.ttft()), ms(r.latency())), ("openai", Some(50), Some(72)));
    let (_, text) = p.meta.facts.iter().map(|f| (&f.name, crate::format::fact(&f.value))).next().unwrap();
    assert_eq!(text, "1, 1 call of a model among them (httpx2 1)");
}

#[test]
fn requests_that_hold_a_loop_are_a_finding() {
    let mut file = File::new(42);
    for n in 0..3 {
        let at = u64::from(n) * 1000;
        file.start(n, at, "urllib3", "https://example.com/x", ", \"blocks\": true").record(
            6,
            n,
            at + 100 * u64::from(n),
            b"",
        );
    }
    let p = file.open();
    let text = p.text(p.findings[0].text);
    assert!(
        text.starts_with("3 requests were made synchronously")
            && text.contains("300 ms")
            && text.contains("200 ms"),
        "{text}"
    );
}

#[test]
fn spans_of_calls_at_one_time_keep_their_own_parts() {
    let mut file = File::new(42);
    for n in 1..=3u32 {
        let at = u64::from(n);
        file.chat(n, at).answer(n, 100 + at, STREAM);
    }
    for n in 1..=3u32 {
        let at = u64::from(n);
        file.record(5, n, 200 - 10 * at, &word("x")).record(5, n, 300, LAST).record(6, n, 300 + at, b"");
    }
    let p = file.open();
    let track = &p.tracks[0];
    for (row, span) in track.spans.rows.iter().enumerate().filter(|(_, s)| s.depth > 0) {
        let parent = &track.spans.rows[span.parent as usize];
        assert!(parent.start <= span.start && span.end <= parent.end, "{row}");
    }
    // Within the time of the first.
    file.chat(4, 210).answer(4, 215, STREAM).record(6, 4, 220, b"");
    let nested = file.open();
    let outer =
        nested.tracks[0].spans.rows.iter().filter(|s| nested.function_name(s.function) == "chat completions");
    assert_eq!(outer.map(|s| s.depth).collect::<Vec<_>>(), [0; 4]);
    let inner = track.spans.rows.iter().filter(|s| s.depth > 0).count();
    assert_eq!(inner, 9, "three parts of each");
}

#[test]
fn damage_never_panics() {
    let mut file = File::new(42);
    streamed(&mut file).record(6, 1, 240, b"");
    let whole = file.0;
    let read = |bytes: Vec<u8>| open(&Input::Bytes("x".into(), bytes.into()), &Job::new(), &mut |_| ());
    for cut in 0..whole.len() {
        if let Ok(p) = read(whole[..cut].to_vec()) {
            assert!(p.requests.rows.len() <= 1);
        }
        let mut odd = whole.clone();
        odd[cut] ^= 0xff;
        drop(read(odd));
    }
    let torn = read(whole[..whole.len() - 30].to_vec()).unwrap();
    assert_eq!(torn.warnings.len(), 1, "{:?}", torn.warnings);
}
