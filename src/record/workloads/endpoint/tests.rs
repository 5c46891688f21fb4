//! The client against a server that misbehaves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::server::{Server, Step, answer, event, farewell, head, json, stream_head, word};
use crate::model::{Outcome, Profile, Request, Severity, SpanStatus, TrackKind};
use crate::record::testing::{Seen, all, fact, one, quiet};
use crate::record::{Options, Recording, start};

fn begin(server: &str, params: &[&str]) -> Recording {
    let fixed = [format!("url={server}")];
    let fixed = fixed.into_iter().chain(
        ["model=tested", "proxy=none", "key_env=INFERSCOPE_NO_SUCH_KEY", "requests=1", "retries=0"]
            .map(str::to_owned),
    );
    let params: Vec<String> = fixed.chain(params.iter().map(ToString::to_string)).collect();
    start("endpoint", &params, quiet(), Box::new(|_| ())).unwrap()
}

fn ask(server: &str, params: &[&str]) -> Arc<Profile> {
    begin(server, params).join().unwrap()
}

/// The only request, its answer and its error.
fn only(p: &Profile) -> (&Request, &str, &str) {
    assert_eq!(p.requests.rows.len(), 1);
    let row = &p.requests.rows[0];
    (row, p.text(row.completion), p.text(row.error))
}

const MS: i64 = 1_000_000;

#[test]
fn answers_are_streamed_over_kept_connections_with_all_stamps_and_counts() {
    let server = Server::start(|_, _| answer(&["The ", "grüne ", "answer"]));
    let p = ask(&server.url(), &["requests=7", "concurrency=2"]);
    assert_eq!(fact(&p, "Ended"), "");
    assert_eq!(p.requests.rows.len(), 7);
    for row in &p.requests.rows {
        assert_eq!((row.outcome, p.text(row.completion)), (Outcome::Ok, "The grüne answer"));
        assert!(!p.text(row.prompt).is_empty() && p.text(row.name).starts_with('#'));
        let t = row.tokens;
        assert_eq!((t.input, t.cache_read, t.output, t.reasoning), (Some(12), Some(8), Some(3), None));
        assert_eq!(row.token_times.len(), 3);
        let stamps = [row.arrived, row.scheduled.unwrap(), row.first_byte.unwrap(), row.first_token.unwrap()];
        assert!(stamps.is_sorted() && row.first_token <= row.finished, "{stamps:?}");
        assert_eq!(p.track(row.track.unwrap()).kind, TrackKind::Task);
    }
    assert_eq!((all(&p, "client").len(), all(&p, "connect").len()), (2, 2), "connections are kept");
    let requests = all(&p, "request");
    assert!(requests.iter().all(|r| r.parent == "client" && r.arg("finish_reason") == "stop"));
    assert_eq!((requests[0].arg("model"), requests[0].arg("chunks")), ("tested", "3"));
    assert!(all(&p, "wait_for_first_token").iter().all(|s| s.parent == "attempt"));
    let chunks = p.instants.iter().filter(|i| p.text(i.name) == "chunk");
    assert_eq!(chunks.count(), 21);
    assert_eq!(fact(&p, "Load"), "closed loop: 7 requests, 2 at a time");
    assert_eq!(fact(&p, "Requests ended"), "7: 7 ok");
    let tokens = "140 prompt (56 cached), 21 output, in 7 answers";
    assert_eq!(fact(&p, "Tokens, as the server counts"), tokens);
    let seen = server.seen();
    assert!(seen[0].head.starts_with("POST /v1/chat/completions HTTP/1.1"));
    assert!(seen[0].body.contains("\"include_usage\":true") && seen[0].body.contains("\"max_tokens\":128"));
    assert!(!seen[0].head.to_lowercase().contains("authorization"));
    assert!(seen.iter().all(|s| s.connection < 2));
}

#[test]
fn a_slow_first_token_and_gaps_are_where_they_happen() {
    let server = Server::start(|_, _| {
        let mut steps =
            vec![Step::Wait(60), stream_head(), Step::Wait(90), word("a"), Step::Wait(50), word("b")];
        steps.extend(farewell(5, 0, 2));
        steps
    });
    let p = ask(&server.url(), &[]);
    let (row, text, _) = only(&p);
    assert_eq!(text, "ab");
    let (byte, first) = (row.first_byte.unwrap(), row.first_token.unwrap());
    // What happens is seen a little late on a busy machine, so gaps may shrink; sums do not.
    assert!(byte < first && byte - row.arrived >= 60 * MS && first - row.arrived >= 149 * MS, "{row:?}");
    assert!(row.finished.unwrap() - row.arrived >= 199 * MS);
    let spans = ["wait_for_first_byte", "wait_for_first_token", "receive"].map(|name| one(&p, name));
    let met = |span: &Seen, stamp| (span.start..=span.end + MS).contains(&stamp);
    assert!(met(&spans[0], byte) && met(&spans[1], first), "{spans:?}");
    assert!(spans.is_sorted_by(|a, b| a.end <= b.start), "{spans:?}");
    let waited: i64 = spans.iter().map(Seen::waiting).sum();
    let from_sent = row.finished.unwrap() - spans[0].start;
    assert!(waited > 0 && waited <= from_sent, "{waited} of {from_sent} ns");
}

#[test]
fn a_server_that_vanishes_or_stalls_leaves_what_came_before() {
    let begun = || vec![stream_head(), word("half "), word("an")];
    let with = |more: Vec<Step>| move |_: usize, _: &_| [begun(), more.clone()].concat();
    let cases = [
        (with(vec![Step::Close]), "cut", "1 × cut"),
        (with(vec![Step::Chunk(b"data: {\"choi".to_vec()), Step::Close]), "cut", "1 × cut"),
        (with(vec![Step::End]), "cut: the stream ended before", "1 × cut"),
        (with(vec![Step::Wait(5000)]), "timeout: nothing came for 1s", "1 × timeout"),
        (
            with(vec![event(r#"{"error":{"message":"out of memory"}}"#)]),
            "the server says: out of memory",
            "error",
        ),
    ];
    for (script, error, kind) in cases {
        let server = Server::start(script);
        let p = ask(&server.url(), &["timeout=1", "retries=3"]);
        let (row, text, why) = only(&p);
        assert_eq!((row.outcome, text), (Outcome::Error, "half an"), "{why}");
        assert!(why.starts_with(error), "{why}");
        assert!(row.token_times.len() == 2 && row.finished.is_some() && row.tokens.output.is_none());
        assert!(fact(&p, "Requests ended").contains(kind), "{}", fact(&p, "Requests ended"));
        assert_eq!(one(&p, "request").status, SpanStatus::Error);
        assert!(fact(&p, "Ended").contains("no request succeeded"));
        assert_eq!(server.seen().len(), 1, "a begun answer is not paid for twice");
    }
}

#[test]
fn a_stream_that_is_done_without_a_token_is_no_answer() {
    let role = r#"{"choices":[{"delta":{"role":"assistant"}}]}"#;
    let server = Server::start(move |_, _| vec![stream_head(), event(role), event("[DONE]"), Step::End]);
    let p = ask(&server.url(), &["retries=0"]);
    let (row, text, why) = only(&p);
    assert_eq!((row.outcome, text), (Outcome::Error, ""));
    assert!(why.starts_with("cut: the server ended the stream without a token"), "{why}");
}

#[test]
fn refusals_are_retried_after_a_back_off_that_is_a_span() {
    let server = Server::start(|n, _| match n {
        0 => json("429 Too Many Requests", "retry-after: 0.08\r\n", r#"{"error":{"message":"slow down"}}"#),
        1 => json("503 Service Unavailable", "retry-after-ms: 20\r\n", "busy"),
        _ => answer(&["ok"]),
    });
    let p = ask(&server.url(), &["retries=3"]);
    let (row, text, _) = only(&p);
    assert_eq!((row.outcome, text), (Outcome::Ok, "ok"));
    let waits = all(&p, "back_off");
    let seen: Vec<_> = waits.iter().map(|s| (s.arg("reason"), s.arg("after_attempt"))).collect();
    assert_eq!(seen, [("HTTP 429", "1"), ("HTTP 503", "2")]);
    assert!(waits[0].duration() >= 79 * MS && waits.iter().all(|w| w.parent == "request"));
    let attempts = all(&p, "attempt");
    let errors: Vec<_> = attempts.iter().map(|a| a.arg("error")).collect();
    assert_eq!(errors, ["HTTP 429: slow down", "HTTP 503: busy", ""]);
    assert_eq!((all(&p, "connect").len(), &*fact(&p, "Retries")), (1, "2"));
    assert!(row.first_byte.unwrap() >= waits[1].end, "the first byte of the answer, not of a refusal");
    // What it took is lost time, apart from the time to the first token.
    let reasons: Vec<_> = row.retries.iter().map(|r| p.text(r.reason)).collect();
    assert_eq!(reasons, ["HTTP 429", "HTTP 503"]);
    assert!(row.retries[0].back_off() >= 79 * MS && row.lost() >= row.retries[0].back_off() + 19 * MS);
    assert!(row.retries.iter().all(|r| r.began <= r.failed && r.failed <= r.again), "{:?}", row.retries);
    assert_eq!(row.waited().unwrap() - row.lost(), row.ttft().unwrap());
    assert!(row.ttft().unwrap() + 98 * MS <= row.waited().unwrap());
    let names: Vec<_> = crate::analysis::requests::parts(row, 0).iter().map(|part| part.2.name()).collect();
    let wanted = ["failed attempt", "back-off", "failed attempt", "back-off", "prefill", "decode"];
    assert_eq!(names.iter().filter(|n| **n != "queued").copied().collect::<Vec<_>>(), wanted);
    let lost = fact(&p, "Lost to retries");
    assert!(lost.contains("2 failed attempts (1 × HTTP 429, 1 × HTTP 503)"), "{lost}");
    assert!(p.findings.iter().any(|f| p.text(f.kind) == "Time lost to retries"));

    let server = Server::start(|_, _| json("500 Oops", "retry-after: 0\r\n", ""));
    let p = ask(&server.url(), &["retries=2"]);
    assert_eq!((only(&p).2, server.seen().len()), ("HTTP 500", 3));
    let server = Server::start(|_, _| json("404 Not Found", "", r#"{"error":"no such model"}"#));
    let p = ask(&server.url(), &["retries=2"]);
    assert_eq!((only(&p).2, server.seen().len()), ("HTTP 404: no such model", 1), "would not help");
}

#[test]
fn malformed_chunks_are_skipped_and_counted_but_not_for_ever() {
    let server = Server::start(|_, _| {
        let mut steps = vec![stream_head(), word("a"), event("{\"choices\": [{"), event("nonsense")];
        steps.push(Step::Chunk([b"data: ".to_vec(), vec![b'x'; 2 << 20], b"\n\n".to_vec()].concat()));
        steps.push(word("b"));
        steps.extend(farewell(1, 0, 2));
        steps
    });
    let p = ask(&server.url(), &[]);
    assert_eq!((only(&p).0.outcome, only(&p).1), (Outcome::Ok, "ab"));
    assert_eq!((&*fact(&p, "Malformed chunks"), one(&p, "request").arg("malformed_chunks")), ("3", "3"));
    assert_eq!(p.instants.iter().filter(|i| i.severity == Severity::Warning).count(), 3);
    let hole = p.findings.iter().find(|f| p.text(f.kind) == "Hole in an answer").unwrap();
    assert!(hole.request.is_some() && p.text(hole.text).contains("3 chunks"), "{}", p.text(hole.text));

    let server = Server::start(|_, _| {
        let junk = std::iter::repeat_n(event("junk"), 5000);
        [stream_head()].into_iter().chain(junk).collect()
    });
    let p = ask(&server.url(), &[]);
    assert!(only(&p).2.contains("no JSON objects"), "{}", only(&p).2);
    let server = Server::start(|_, _| vec![Step::Raw(b"SSH-2.0-OpenSSH\r\n".repeat(10)), Step::Close]);
    let p = ask(&server.url(), &[]);
    assert!(only(&p).2.contains("does not speak HTTP"), "{}", only(&p).2);
    let server =
        Server::start(|_, _| vec![Step::Raw(b"x-header: ".to_vec()), Step::Raw(vec![b'y'; 8 << 20])]);
    assert!(!only(&ask(&server.url(), &["timeout=2"])).2.is_empty(), "an endless header");
}

#[test]
fn answers_in_one_piece() {
    let body = r#"{"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":4,"completion_tokens":2}}"#;
    let server = Server::start(move |_, _| json("200 OK", "", body));
    for params in [&["stream=false"][..], &[]] {
        let p = ask(&server.url(), params);
        let (row, text, _) = only(&p);
        assert_eq!((row.outcome, text, row.tokens.output), (Outcome::Ok, "whole", Some(2)));
        assert_eq!((row.first_token, row.ttft()), (None, None), "nobody knows when the first token was made");
    }
    assert!(server.seen()[0].body.contains("\"stream\":false"));
}

#[test]
fn without_usage_rates_are_by_chunks_and_say_so() {
    let server = Server::start(|_, _| {
        let mut steps = vec![stream_head()];
        for text in ["a", "b", "c"] {
            steps.extend([word(text), Step::Wait(20)]);
        }
        steps.extend([
            event(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#),
            event("[DONE]"),
            Step::End,
        ]);
        steps
    });
    let p = ask(&server.url(), &[]);
    let (row, text, why) = only(&p);
    assert_eq!((row.outcome, text, why), (Outcome::Ok, "abc", ""));
    assert_eq!((row.tokens.output, row.output(), row.is_estimated()), (None, Some((3, true)), true));
    let (tpot, rate) = (row.tpot().unwrap(), row.tokens_per_second().unwrap());
    assert!(tpot >= 15e6 && (rate - 1e9 / tpot).abs() < 1e-6, "{tpot} {rate}");
    let figures = crate::analysis::overview::request_figures(&p, None, &<_>::default()).unwrap();
    assert!(figures.estimated && figures.output_tokens == Some(3) && figures.tpot.is_some());
}

#[test]
fn one_of_n_requests_is_a_row_with_its_spans() {
    let server = Server::start(|_, _| answer(&["a"]));
    let url = format!("url={}", server.url());
    let params = [url.as_str(), "model=m", "requests=20", "concurrency=3", "proxy=none"].map(str::to_owned);
    let options = Options { one_root_of: 5, ..quiet() };
    let p = start("endpoint", &params, options, Box::new(|_| ())).unwrap().join().unwrap();
    assert_eq!((p.requests.rows.len(), all(&p, "request").len()), (4, 4));
    assert_eq!(fact(&p, "Requests ended"), "20: 20 ok", "all were made");
    assert!(fact(&p, "Root spans").starts_with("4 of 20 recorded"), "{}", fact(&p, "Root spans"));
}

#[test]
fn the_key_is_sent_and_never_kept() {
    // A variable that is always there, and that nobody may find in a recording here.
    let key = std::env::var("PATH").unwrap();
    let leak = format!(r#"{{"error":{{"message":"Incorrect API key provided: {key}"}}}}"#);
    let server = Server::start(move |_, _| json("401 Unauthorized", "", &leak));
    let p = ask(&server.url(), &["key_env=PATH"]);
    assert!(server.seen()[0].head.contains(&format!("Bearer {key}")));
    assert_eq!(only(&p).2, "HTTP 401: Incorrect API key provided: [key]");
    assert_eq!(fact(&p, "Key"), "from $PATH");
    let text = crate::model::dump(&p);
    assert!(!text.contains(&key) && !text.contains("Bearer"));
}

#[test]
fn texts_stay_out_when_they_shall() {
    let server = Server::start(|_, _| answer(&["secret"]));
    let params =
        [format!("url={}", server.url()), "model=tested".into(), "requests=1".into(), "proxy=none".into()];
    let options = Options { texts: false, ..quiet() };
    let p = start("endpoint", &params, options, Box::new(|_| ())).unwrap().join().unwrap();
    let (row, text, _) = only(&p);
    assert_eq!((text, p.text(row.prompt), p.text(row.name)), ("", "", "#1"));
    assert_eq!((row.token_times.len(), row.tokens.output), (1, Some(1)));
}

#[test]
fn tls_with_a_root_of_our_own_and_an_error_that_says_why_without_it() {
    let server = Server::start_tls(|_, _| answer(&["safe"]));
    let ca = format!("ca={}/tests/data/tls/ca.pem", env!("CARGO_MANIFEST_DIR"));
    let p = ask(&server.url(), &[&ca]);
    assert_eq!((only(&p).1, only(&p).2), ("safe", ""));
    assert_eq!(one(&p, "tls").parent, "connect");
    let p = ask(&server.url(), &["ca=/no/such/file.pem"]);
    assert!(fact(&p, "Ended").contains("cannot be read as PEM"), "{}", fact(&p, "Ended"));
    let other = format!("ca={}/tests/data/tls/self.pem", env!("CARGO_MANIFEST_DIR"));
    let p = ask(&server.url(), &[&other]);
    assert!(only(&p).2.starts_with("TLS with localhost failed: invalid peer certificate"), "{}", only(&p).2);
    // A certificate that is its own authority is good where it is named itself, and nowhere else.
    let server = Server::start_self_signed(|_, _| answer(&["own"]));
    assert_eq!(only(&ask(&server.url(), &[&other])).1, "own");
    let p = ask(&server.url(), &[&ca]);
    assert!(only(&p).2.starts_with("TLS with localhost failed: invalid peer certificate"), "{}", only(&p).2);
    let elsewhere = server.url().replace("localhost", "ip6-localhost.invalid");
    assert_eq!(only(&ask(&elsewhere, &[&other])).0.outcome, Outcome::Error);
}

#[test]
fn proxies_pass_plain_requests_on_and_tunnel_encrypted_ones() {
    let proxy = Server::start(|_, _| answer(&["by proxy"]));
    let via = format!("proxy=http://{}", proxy.address());
    let p = ask("http://far.example/v1", &[&via]);
    assert_eq!((only(&p).1, &*fact(&p, "Through the proxy")), ("by proxy", proxy.address().as_str()));
    assert!(proxy.seen()[0].head.starts_with("POST http://far.example/v1/chat/completions HTTP/1.1"));

    let server = Server::start_tls(|_, _| answer(&["tunnelled"]));
    let address = server.address();
    let proxy = Server::start(move |_, _| vec![head("200 OK", ""), Step::Tunnel(address.clone())]);
    let via = format!("proxy=http://{}", proxy.address());
    let ca = format!("ca={}/tests/data/tls/ca.pem", env!("CARGO_MANIFEST_DIR"));
    let p = ask(&server.url(), &[&via, &ca]);
    assert_eq!((only(&p).1, only(&p).2), ("tunnelled", ""));
    assert!(proxy.seen()[0].head.starts_with(&format!("CONNECT {}", server.address())));
    assert_eq!(one(&p, "proxy_tunnel").parent, "connect");

    let proxy = Server::start(|_, _| json("407 Proxy Authentication Required", "", ""));
    let p = ask(&server.url(), &[&format!("proxy=http://{}", proxy.address()), &ca]);
    assert!(only(&p).2.contains("gives no tunnel: HTTP 407"), "{}", only(&p).2);
}

#[test]
fn in_an_open_loop_requests_arrive_by_the_clock_and_waiting_for_a_client_counts() {
    let server = Server::start(|_, _| [vec![Step::Wait(150)], answer(&["a"])].concat());
    let params = ["requests=4", "concurrency=1", "rate=50", "poisson=false"];
    let p = ask(&server.url(), &params);
    let rows = &p.requests.rows;
    assert_eq!(rows.len(), 4);
    assert!(rows[3].arrived - rows[0].arrived < 400 * MS, "arrivals do not wait for the server");
    let queued: Vec<_> = rows.iter().map(|r| r.queued().unwrap()).collect();
    assert!(queued[3] > 150 * MS && queued[3] > queued[0], "{queued:?}");
    assert!(rows[3].ttft().unwrap() > 250 * MS, "and that wait is part of the time to the first token");
    assert_eq!(
        fact(&p, "Load"),
        "open loop: 4 requests, 50 per second at equal distances, at most 1 at a time"
    );
    assert!(p.counters.iter().any(|c| p.text(c.name) == "Requests waiting for a client"));
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_is_no_failure() {
    let server = Server::start(|_, _| [answer(&["a"]), vec![Step::Close]].concat());
    let p = ask(&server.url(), &["requests=5", "concurrency=1"]);
    assert_eq!(fact(&p, "Requests ended"), "5: 5 ok");
    assert_eq!(all(&p, "connect").len(), 5);
}

#[test]
fn nobody_there_is_one_line() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let p = ask(&format!("http://127.0.0.1:{port}/v1"), &["requests=2"]);
    let ended = fact(&p, "Ended");
    assert!(ended.contains("no request succeeded") && ended.contains("Connection refused"), "{ended}");
    assert_eq!(fact(&p, "Requests ended"), "2: 0 ok, 2 × no connection");
    assert_eq!(one_of(&p, "connect").status, SpanStatus::Error);
    for (params, expected) in [
        (&["model="][..], "the model has no name"),
        (&["extra=[1]"], "no JSON object"),
        (&["prompts=/no/such/prompts"], "cannot be opened"),
        (&["url=gopher://x"], "is no address of a server"),
    ] {
        let p = ask("http://127.0.0.1:9/v1", params);
        assert!(fact(&p, "Ended").contains(expected), "{}", fact(&p, "Ended"));
    }
}

fn one_of(p: &Profile, name: &str) -> Seen {
    all(p, name).into_iter().next().unwrap()
}

#[test]
fn stopping_keeps_what_has_come_and_cancelling_ends_at_once() {
    let script = |_: usize, _: &_| vec![stream_head(), word("so "), word("far"), Step::Wait(60_000)];
    let server = Server::start(script);
    let params = ["requests=100", "concurrency=3"];
    let wait = |recording: &Recording, until: usize| {
        let limit = Instant::now() + Duration::from_secs(20);
        while (server.seen().len() < until || recording.status().spans < 12) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let recording = begin(&server.url(), &params);
    wait(&recording, 3);
    recording.stop();
    // Within the minute that the server would let it wait.
    let begin_stop = Instant::now();
    let p = recording.join().unwrap();
    assert!(begin_stop.elapsed() < Duration::from_secs(2), "{:?}", begin_stop.elapsed());
    assert_eq!(fact(&p, "Ended"), "stopped by the user");
    assert_eq!(p.requests.rows.len(), 3);
    for row in &p.requests.rows {
        assert_eq!(
            (row.outcome, p.text(row.completion), row.token_times.len()),
            (Outcome::Cancelled, "so far", 2)
        );
    }
    let recording = begin(&server.url(), &params);
    wait(&recording, 6);
    recording.cancel();
    assert!(recording.join().is_err());
}
