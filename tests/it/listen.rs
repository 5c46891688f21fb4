//! `inferscope listen`: what exporters send becomes a recording, whoever they are. The bytes are recorded ones of real SDKs
//! (`sample_profiles/otlp`); over HTTP they are sent by hand, over gRPC by hyper's client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::support::{file, folder, program, python, report, stdout, wait};

/// A receiver that runs.
struct Receiver {
    child: Child,
    /// `127.0.0.1:PORT`, of HTTP and of gRPC.
    http: String,
    grpc: String,
    session: PathBuf,
    journals: PathBuf,
}

impl Receiver {
    fn start(name: &str, more: &[&str]) -> Self {
        let folder = folder(name);
        let (session, journals) = (folder.join("run.inferscope"), folder.join("journals"));
        let mut args =
            vec!["listen", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--quiet", "--journal"];
        args.extend([journals.to_str().unwrap(), "-o", session.to_str().unwrap()]);
        args.extend(more);
        let mut child = program(&args).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("listens on")).expect("it says where it listens");
        // Somebody must go on reading.
        std::thread::spawn(move || lines.for_each(drop));
        let addresses: Vec<String> = line
            .split(|c: char| c.is_whitespace() || c == ';' || c == ',')
            .filter_map(|word| Some(word.strip_prefix("http://127.0.0.1:")?.to_owned()))
            .collect();
        let at = |n: usize| format!("127.0.0.1:{}", addresses[n]);
        Self { child, http: at(0), grpc: at(1), session, journals }
    }

    /// Posts over HTTP; status, headers and body of the answer.
    fn post(&self, path: &str, headers: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            self.http,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        answer(stream)
    }

    /// Ctrl-C, and the report of what was saved.
    fn end(mut self) -> Value {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert!(self.child.wait().unwrap().success());
        report(&self.session)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(mut stream: TcpStream) -> (u16, String, Vec<u8>) {
    let mut all = Vec::new();
    // A server that refuses may close before it has read all.
    let _ = stream.read_to_end(&mut all);
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, all[end + 4..].to_vec())
}

const PROTOBUF: &str = "Content-Type: application/x-protobuf\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(file("sample_profiles/otlp").join(name)).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What requests say, without when they were.
fn requests(report: &Value) -> Vec<Value> {
    let rows = report["requests"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            let keys = ["name", "model", "provider", "tokens", "ttft_ns", "latency_s", "outcome", "error"];
            keys.iter()
                .map(|key| (key.to_string(), row[key].clone()))
                .collect::<serde_json::Map<_, _>>()
                .into()
        })
        .collect()
}

fn warnings(report: &Value) -> String {
    report["warnings"].to_string()
}

fn fact(report: &Value, name: &str) -> String {
    report["facts"][name].as_str().unwrap_or_default().to_owned()
}

#[test]
fn what_is_sent_is_what_the_file_holds() {
    let receiver = Receiver::start("listen-same", &[]);
    let packed = sample("openai-v2.otlp.pb");
    let (status, head, body) =
        receiver.post("/v1/traces", &format!("{PROTOBUF}Content-Encoding: gzip\r\n"), &gzip(&packed));
    assert_eq!((status, body.len()), (200, 0), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    // The same spans once more, as a client sends them that has waited too long for the answer.
    let (status, head, body) = receiver.post("/v1/traces", JSON, &sample("openai-v2.otlp.json"));
    assert_eq!((status, &body[..]), (200, &b"{}"[..]), "{head}");
    let got = receiver.end();
    let of_file = report(&file("sample_profiles/otlp/openai-v2.otlp.pb"));
    assert_eq!(requests(&got), requests(&of_file));
    assert_eq!(got["spans"], of_file["spans"]);
    let told = fact(&got, "OpenTelemetry");
    assert!(
        told.contains("52 spans") && told.contains("26 sent twice") && told.contains("python 1.31.1"),
        "{told}"
    );
    assert!(warnings(&got).contains("duplicate span"), "{}", warnings(&got));
}

/// A call of a service over HTTP/2, as gRPC's clients make it: status and message.
fn grpc(address: &str, service: &str, coding: Option<&str>, message: &[u8]) -> (String, String) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let address = address.to_owned();
    let mut framed = vec![u8::from(coding.is_some())];
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    runtime.block_on(async move {
        let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, driver) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
        tokio::spawn(driver);
        let mut request =
            hyper::Request::post(format!("http://{address}/opentelemetry.proto.collector.{service}/Export"))
                .header("content-type", "application/grpc")
                .header("te", "trailers");
        if let Some(coding) = coding {
            request = request.header("grpc-encoding", coding);
        }
        let request = request.body(Full::new(Bytes::from(framed))).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let head = response.headers().clone();
        let body = response.into_body().collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or(head);
        let text =
            |name: &str| trailers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        (text("grpc-status"), text("grpc-message"))
    })
}

#[test]
fn calls_of_grpc_are_understood_on_both_ports() {
    let receiver = Receiver::start("listen-grpc", &[]);
    let spans = sample("openai-v2.otlp.pb");
    assert_eq!(grpc(&receiver.grpc, "trace.v1.TraceService", None, &spans).0, "0");
    assert_eq!(grpc(&receiver.http, "trace.v1.TraceService", Some("gzip"), &gzip(&spans)).0, "0");
    assert_eq!(grpc(&receiver.grpc, "logs.v1.LogsService", None, b"").0, "0");
    assert_eq!(grpc(&receiver.grpc, "profiles.v1.ProfilesService", None, b"").0, "12");
    let (status, why) = grpc(&receiver.grpc, "trace.v1.TraceService", Some("snappy"), &spans);
    assert!(status == "12" && why.contains("snappy"), "{status} {why}");
    assert_eq!(grpc(&receiver.grpc, "metrics.v1.MetricsService", None, b"\x0a\xff").0, "3");
    let got = receiver.end();
    assert_eq!(got["spans"], 26);
    assert!(fact(&got, "OpenTelemetry").contains("26 sent twice"));
}

fn span(id: u64, parent: u64, name: &str, from: u64, to: u64) -> Value {
    let base = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let base = base - 1_000_000_000;
    json!({"traceId": format!("{:032x}", 7), "spanId": format!("{id:016x}"), "flags": 256,
        "parentSpanId": if parent == 0 { String::new() } else { format!("{parent:016x}") }, "name": name,
        "startTimeUnixNano": (base + from * 1_000_000).to_string(),
        "endTimeUnixNano": (base + to * 1_000_000).to_string()})
}

fn spans(all: &[Value]) -> Vec<u8> {
    let scope = json!({"scope": {"name": "app"}, "spans": all});
    json!({"resourceSpans": [{"resource": {}, "scopeSpans": [scope]}]}).to_string().into_bytes()
}

#[test]
fn answers_say_what_is_wrong_in_the_encoding_that_was_asked() {
    let receiver = Receiver::start("listen-answers", &[]);
    // Of three spans one has no id: the others are taken.
    let bad = span(0, 0, "bad", 0, 1);
    let (status, _, body) =
        receiver.post("/v1/traces", JSON, &spans(&[span(1, 0, "a", 0, 9), bad, span(2, 1, "b", 1, 2)]));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &body["partialSuccess"]["rejectedSpans"]), (200, &json!("1")), "{body}");
    let (status, _, body) = receiver.post("/v1/traces", JSON, b"{\"resourceSpans\": [");
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &body["code"]), (400, &json!(3)), "{body}");
    let (status, head, body) = receiver.post("/v1/traces", PROTOBUF, b"\x0a\xff\xff");
    assert!(status == 400 && head.contains("x-protobuf") && body.starts_with(&[8, 3, 18]), "{head}");
    let (status, _, body) = receiver.post("/v1/traces", "Content-Type: text/plain\r\n", b"x");
    assert!(status == 415 && String::from_utf8_lossy(&body).contains("application/x-protobuf"));
    let (status, _, body) = receiver.post("/", JSON, b"{}");
    assert!(status == 404 && String::from_utf8_lossy(&body).contains("/v1/traces"));
    let (status, ..) = receiver.post("/v1/traces", &format!("{JSON}Content-Encoding: br\r\n"), b"{}");
    assert_eq!(status, 415);
    let (status, ..) = receiver.post("/v1/traces", &format!("{JSON}Content-Encoding: gzip\r\n"), b"{}");
    assert_eq!(status, 400);
    // A page of somebody, led here by its own name for this machine, or by the browser's.
    for stranger in ["Host: evil.example\r\n", "Origin: https://evil.example\r\n"] {
        let mut stream = TcpStream::connect(&receiver.http).unwrap();
        let host = if stranger.starts_with("Host") { "" } else { "Host: localhost\r\n" };
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\n{host}{stranger}{JSON}Connection: close\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        assert_eq!(answer(stream).0, 403, "{stranger}");
    }
    let mut stream = TcpStream::connect(&receiver.http).unwrap();
    let get = "GET /v1/traces HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(get.as_bytes()).unwrap();
    let (status, head, _) = answer(stream);
    assert!(status == 405 && head.contains("allow: post"), "{head}");
    let mut stream = TcpStream::connect(&receiver.http).unwrap();
    let asks = "OPTIONS /v1/traces HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\nConnection: close\r\n\r\n";
    stream.write_all(asks.as_bytes()).unwrap();
    let (status, head, _) = answer(stream);
    assert!(status == 204 && head.contains("access-control-allow-origin: http://localhost:3000"), "{head}");
    let got = receiver.end();
    assert_eq!(got["spans"], 2);
    let told = warnings(&got);
    for expected in
        ["trace or span id is none", "make no sense", "not for this machine", "encoding is not known"]
    {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn hostile_clients_cost_no_memory_and_nobody_else_waits() {
    let receiver = Receiver::start("listen-hostile", &[]);
    // A length that nobody will send, and a body that goes on for ever.
    let mut huge = TcpStream::connect(&receiver.http).unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n{JSON}Connection: close\r\nContent-Length: 99999999999\r\n\r\n"
    );
    huge.write_all(head.as_bytes()).unwrap();
    assert_eq!(answer(huge).0, 413);
    // Spaces that unpack to 80 MiB.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    (0..80).for_each(|_| encoder.write_all(&vec![b' '; 1 << 20]).unwrap());
    let bomb = encoder.finish().unwrap();
    let (status, _, body) = receiver.post("/v1/traces", &format!("{JSON}Content-Encoding: gzip\r\n"), &bomb);
    assert!(status == 413 && String::from_utf8_lossy(&body).contains("64 MiB"));
    // Those who say nothing, begin and stop, or talk something else.
    let silent: Vec<TcpStream> = (0..100)
        .map(|n| {
            let mut stream = TcpStream::connect(&receiver.http).unwrap();
            let begins: [&[u8]; 4] =
                [b"", b"PR", b"POST /v1/traces HTTP/1.1\r\nHost: loc", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
            stream.write_all(begins[n % 4]).unwrap();
            stream
        })
        .collect();
    for junk in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"\0\0\0\0\0\0\0\0", &[0xff; 4096]] {
        let mut stream = TcpStream::connect(&receiver.http).unwrap();
        let _ = stream.write_all(junk);
    }
    let deep = format!(
        r#"{{"resourceSpans": [{{"resource": {{"attributes": [{{"key": "k", "value": {}1{}}}]}}, "scopeSpans": []}}]}}"#,
        r#"{"arrayValue": {"values": ["#.repeat(20_000),
        "]}}".repeat(20_000)
    );
    assert_eq!(receiver.post("/v1/traces", JSON, deep.as_bytes()).0, 200);
    assert_eq!(receiver.post("/v1/traces", JSON, &spans(&[span(1, 0, "fine", 0, 9)])).0, 200);
    let peak = peak_mib(receiver.child.id());
    drop(silent);
    let got = receiver.end();
    assert_eq!(got["spans"], 1);
    assert!(warnings(&got).contains("larger than 64 MiB"));
    if let Some(peak) = peak {
        assert!(peak < 400, "{peak} MiB");
    }
}

/// The most memory that a process had.
fn peak_mib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? >> 10)
}

fn spans_in(path: &Path) -> Value {
    report(path)["spans"].clone()
}

#[test]
fn a_kill_loses_nothing_that_was_answered() {
    let mut receiver = Receiver::start("listen-kill", &[]);
    assert_eq!(receiver.post("/v1/traces", PROTOBUF, &sample("openai-v2.otlp.pb")).0, 200);
    assert_eq!(receiver.post("/v1/traces", JSON, &sample("traceloop.otlp.json")).0, 200);
    let log = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
        {"timeUnixNano": "1764000000000000000", "severityNumber": 13, "body": {"stringValue": "the key is sk-abcdefghijklmnop1234"}}]}]}]});
    assert_eq!(receiver.post("/v1/logs", JSON, log.to_string().as_bytes()).0, 200);
    receiver.child.kill().unwrap();
    receiver.child.wait().unwrap();
    let journal = std::fs::read_dir(&receiver.journals).unwrap().flatten().map(|e| e.path());
    let journal = journal.into_iter().find(|path| path.extension().is_some_and(|e| e == "journal")).unwrap();
    assert_eq!(spans_in(&journal), 26 + 27);
    let text = stdout(&["report", journal.to_str().unwrap()]);
    assert!(!text.contains("sk-abcdef"), "{text}");
}

#[test]
fn what_is_open_is_provisional_and_what_is_cut_off_is_marked() {
    let receiver = Receiver::start("listen-cut", &[]);
    // The root never comes; its child comes before that one's own parent.
    assert_eq!(receiver.post("/v1/traces", JSON, &spans(&[span(3, 2, "inner", 20, 30)])).0, 200);
    assert_eq!(receiver.post("/v1/traces", JSON, &spans(&[span(2, 1, "outer", 10, 40)])).0, 200);
    let session = receiver.session.clone();
    let got = receiver.end();
    assert_eq!(got["spans"], 3);
    assert!(warnings(&got).contains("span not received"), "{}", warnings(&got));
    assert!(fact(&got, "OpenTelemetry").contains("1 not received"));
    let tree = stdout(&["tree", session.to_str().unwrap()]);
    let at = |name: &str| tree.find(name).unwrap_or_else(|| panic!("{name}: {tree}"));
    assert!(at("span not received") < at("outer") && at("outer") < at("inner"), "{tree}");
}

#[test]
fn logs_and_metrics_lie_on_the_clock_of_the_spans() {
    let receiver = Receiver::start("listen-signals", &[]);
    let one = span(1, 0, "work", 0, 100);
    let time = one["startTimeUnixNano"].clone();
    assert_eq!(receiver.post("/v1/traces", JSON, &spans(std::slice::from_ref(&one))).0, 200);
    let log = json!({"timeUnixNano": time, "severityNumber": 17, "body": {"stringValue": "it failed"},
        "traceId": one["traceId"], "spanId": one["spanId"]});
    let logs =
        json!({"resourceLogs": [{"scopeLogs": [{"scope": {"name": "app.log"}, "logRecords": [log, {}]}]}]});
    let (status, _, body) = receiver.post("/v1/logs", JSON, logs.to_string().as_bytes());
    assert!(status == 200 && String::from_utf8_lossy(&body).contains(r#""rejectedLogRecords":"1""#));
    let points = |values: &[u64]| -> Value {
        values.iter().map(|v| json!({"timeUnixNano": time, "asInt": v.to_string()})).collect()
    };
    let metrics = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "queue.length", "unit": "{request}", "gauge": {"dataPoints": points(&[3, 4])}}]}]}]});
    assert_eq!(receiver.post("/v1/metrics", JSON, metrics.to_string().as_bytes()).0, 200);
    let session = receiver.session.clone();
    let got = receiver.end();
    let told = fact(&got, "OpenTelemetry");
    assert!(told.contains("1 log record,") && told.contains("2 values of metrics"), "{told}");
    let profile = inferscope::import::open(
        &inferscope::import::Input::Path(session),
        &inferscope::jobs::Job::new(),
        &mut |_| (),
    )
    .unwrap();
    let line = profile.instants.iter().find(|i| profile.text(i.name) == "it failed").unwrap();
    let track = &profile.tracks[line.track.unwrap().index()];
    assert_eq!((track.spans.rows.len(), track.spans.rows[0].start), (1, line.time));
    let counter = profile.counters.iter().find(|c| profile.text(c.name) == "queue.length").unwrap();
    assert_eq!(counter.values, [3.0, 4.0]);
}

#[test]
fn texts_are_left_out_when_they_are_not_wanted() {
    let receiver = Receiver::start("listen-no-texts", &["--no-texts"]);
    let mut call = span(1, 0, "chat", 0, 100);
    let text = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
    let count = |key: &str, n: u32| json!({"key": key, "value": {"intValue": n.to_string()}});
    let list = json!({"arrayValue": {"values": [{"stringValue": "a zebra in a list"}]}});
    call["attributes"] = json!([
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.request.model", "m"),
        text("gen_ai.prompt.0.content", "a zebra asks"),
        text("input.value", "zebras all the way"),
        {"key": "gen_ai.input.messages", "value": list},
        count("gen_ai.usage.input_tokens", 7),
        count("gen_ai.usage.output_tokens", 3),
    ]);
    call["events"] = json!([{"timeUnixNano": call["startTimeUnixNano"], "name": "gen_ai.choice",
        "attributes": [text("gen_ai.completion", "the zebra answers")]}]);
    assert_eq!(receiver.post("/v1/traces", JSON, &spans(&[call])).0, 200);
    let log = json!({"timeUnixNano": "1764000000000000000", "body": {"stringValue": "a zebra in the log"}});
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]});
    assert_eq!(receiver.post("/v1/logs", JSON, logs.to_string().as_bytes()).0, 200);
    assert!(!holds(&receiver.journals, "zebra"), "nothing is on any disk");
    let session = receiver.session.clone();
    let got = receiver.end();
    let tokens: Vec<_> =
        got["requests"].as_array().unwrap().iter().map(|r| r["prompt_total"].clone()).collect();
    assert_eq!(tokens, [json!(7)], "tokens are there all the same");
    let profile = inferscope::import::open(
        &inferscope::import::Input::Path(session),
        &inferscope::jobs::Job::new(),
        &mut |_| (),
    )
    .unwrap();
    let left: Vec<&str> = profile.strings.iter().filter(|text| text.contains("zebra")).collect();
    assert_eq!(left, Vec::<&str>::new());
}

/// True when a file in a folder, or below, has this text.
fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).any(|path| {
        let bytes = std::fs::read(&path).unwrap_or_default();
        path.is_dir() && holds(&path, text) || memchr::memmem::find(&bytes, text.as_bytes()).is_some()
    })
}

/// Another receiver that counts what it gets, and answers in its own way.
fn other_server(status: &'static str) -> (String, std::sync::mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/otlp", listener.local_addr().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1).and_then(|l| l.lines().next()?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            let _ = reader.get_mut().write_all(
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes(),
            );
            if tell.send((head, body)).is_err() {
                return;
            }
        }
    });
    (address, told)
}

#[test]
fn exports_are_passed_on_as_they_came_and_failures_are_counted() {
    let (address, told) = other_server("200 OK");
    let receiver = Receiver::start("listen-forward", &["--forward", &address]);
    let packed = gzip(&sample("openai-v2.otlp.pb"));
    let headers = format!("{PROTOBUF}Content-Encoding: gzip\r\nAuthorization: Bearer abc-key-of-theirs\r\n");
    assert_eq!(receiver.post("/v1/traces", &headers, &packed).0, 200);
    let (head, body) = told.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(head.starts_with("POST /otlp/v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains("content-encoding: gzip") && head.contains("authorization: Bearer abc-key-of-theirs")
    );
    assert_eq!(body, packed);
    assert_eq!(grpc(&receiver.grpc, "logs.v1.LogsService", None, b"").0, "0");
    let (head, _) = told.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(head.starts_with("POST /otlp/v1/logs ") && !head.contains("grpc"), "{head}");
    let got = receiver.end();
    assert!(fact(&got, "Passed on").contains("2 exports"), "{}", fact(&got, "Passed on"));
    assert_eq!(got["spans"], 26);

    let (address, _told) = other_server("500 No");
    let receiver = Receiver::start("listen-forward-fails", &["--forward", &address]);
    assert_eq!(receiver.post("/v1/traces", PROTOBUF, &sample("openai-v2.otlp.pb")).0, 200);
    let got = receiver.end();
    assert!(warnings(&got).contains("could not be passed on") && warnings(&got).contains("HTTP 500"));
    assert_eq!(got["spans"], 26, "recorded all the same");
}

/// A program without any SDK that sends as one does.
const SENDER: &str = r#"
import json, os, time, urllib.request
base = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
assert os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
begin = time.time_ns()
time.sleep(0.2)
end = time.time_ns()
span = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": "the work", "flags": 256,
        "startTimeUnixNano": str(begin), "endTimeUnixNano": str(end), "attributes": [], "parentSpanId": os.environ.get("CUT", "")}
body = json.dumps({"resourceSpans": [{"resource": {"attributes": [
    {"key": "service.name", "value": {"stringValue": "my-app"}}]}, "scopeSpans": [{"spans": [span]}]}]})
request = urllib.request.Request(base + "/v1/traces", body.encode(), {"Content-Type": "application/json"})
assert urllib.request.urlopen(request).status == 200
print("sent")
"#;

#[test]
fn a_program_is_run_and_recorded_with_its_spans() {
    let Some(python) = python() else { return };
    let folder = folder("listen-program");
    let script = folder.join("app.py");
    std::fs::write(&script, SENDER).unwrap();
    let session = folder.join("run.inferscope");
    let args = [
        "listen",
        "-o",
        session.to_str().unwrap(),
        "--quiet",
        "--journal",
        folder.to_str().unwrap(),
        "--",
        python,
    ];
    let out = program(&args).arg(&script).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(String::from_utf8_lossy(&out.stdout), "sent\n");
    let got = report(&session);
    let told = fact(&got, "OpenTelemetry");
    assert!(told.contains("1 span in 1 trace"), "{told}");
    let profile = inferscope::import::open(
        &inferscope::import::Input::Path(session.clone()),
        &inferscope::jobs::Job::new(),
        &mut |_| (),
    )
    .unwrap();
    let track = profile.tracks.iter().find(|t| profile.text(t.process) == "my-app").unwrap();
    let span = &track.spans.rows[0];
    assert_eq!(profile.function_name(span.function), "the work");
    let length = span.end - span.start;
    assert!((200_000_000..400_000_000).contains(&length), "{length}");
    // On the clock of the process: it began when the interpreter had started, and ended before it did.
    let processes = profile.tracks.iter().filter(|t| profile.text(t.name).contains("python"));
    let mut lives = processes.flat_map(|t| &t.spans.rows);
    assert!(lives.any(|life| life.start < span.start && span.end < life.end), "{span:?}");
    assert!(profile.counters.iter().any(|c| profile.text(c.name) == "RSS"));
}

#[test]
fn mistakes_are_told_at_once() {
    for (args, why) in [
        (&["listen", "--http", "nonsense"][..], "is no address to listen on"),
        (&["listen", "--forward", "http://me:key@x/"], "must not hold"),
        (&["listen", "--http", "1", "--", "true"], "cannot be used with"),
    ] {
        let out = program(args).output().unwrap();
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && told.contains(why), "{args:?}: {told}");
    }
}

#[test]
fn a_taken_port_gives_way_to_another_one() {
    let first = Receiver::start("listen-first", &[]);
    let args = ["listen", "--quiet", "--http", &first.http, "--grpc", "none"];
    let out = program(&args).output().unwrap();
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        !out.status.success() && told.contains("nothing can listen on") && told.contains("0 for any"),
        "{told}"
    );
    wait("it still answers", || first.post("/v1/traces", JSON, b"{}").0 == 200);
}
