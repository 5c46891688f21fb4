//! Calls of language models that a recorded Python program makes, through whatever library.
//!
//! The server is `tests/examples/python/model_server.py`; httpx2, urllib3 and aiohttp are stand-ins with the real ones' inner names,
//! `http.client` is the real one. Without a python3 the tests say so and pass.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::{file, folder, own_errors, program, python, report, stdout};

/// A model server that runs.
struct Server {
    _child: Ends,
    base: String,
    log: PathBuf,
}

impl Server {
    fn start(python: &str, folder: &Path) -> Self {
        let log = folder.join("server.log");
        let script = file("tests/examples/python/model_server.py");
        let mut child = Command::new(python)
            .args([script.as_os_str(), "0".as_ref(), log.as_os_str()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { _child: Ends(child), base: format!("http://127.0.0.1:{}/v1", line.trim()), log }
    }

    /// What it wrote down of each request.
    fn seen(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Records `words` into a session in `folder`.
fn record(folder: &Path, more: &[&str], words: &[&str], base: &str) -> (Output, PathBuf) {
    let session = folder.join("run.inferscope");
    let journals = folder.join("journals");
    let mut args = vec!["record", "command", "--quiet", "--set", "profilers=none", "--journal"];
    args.extend([journals.to_str().unwrap(), "-o", session.to_str().unwrap()]);
    args.extend(more);
    args.push("--");
    args.extend(words);
    let mut command = program(&args);
    command.env("OPENAI_BASE_URL", base).env("OPENAI_API_KEY", "sk-abcdefghijklmnop1234");
    let out = command.env("PYTHONPATH", file("tests/data/python/standins")).output().unwrap();
    assert!(session.exists(), "{}", String::from_utf8_lossy(&out.stderr));
    (out, session)
}

/// All texts of a session.
fn texts(session: &Path) -> String {
    use inferscope::import::{Input, open};
    let p = open(&Input::Path(session.to_owned()), &inferscope::jobs::Job::new(), &mut |_| ()).unwrap();
    let all = p.strings.iter().collect::<Vec<_>>().join("\n");
    format!("{all}\n{}", serde_json::to_string(&p.meta).unwrap())
}

fn sum(rows: &[Value], path: &[&str]) -> u64 {
    rows.iter().filter_map(|row| path.iter().try_fold(row, |v, key| v.get(key))?.as_u64()).sum()
}

#[test]
fn the_calls_of_an_assistant_are_requests_with_the_tokens_that_the_server_counted() {
    let Some(python) = python() else { return };
    let folder = folder("assistant");
    let server = Server::start(python, &folder);
    let script = file("tests/examples/python/assistant.py");
    let (out, session) = record(&folder, &[], &[python, script.to_str().unwrap()], &server.base);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let json = report(&session);
    let (rows, seen) = (json["requests"].as_array().unwrap(), server.seen());
    let answered: Vec<Value> = seen.into_iter().filter(|line| line.get("input").is_some()).collect();
    assert_eq!(rows.len(), 12, "six questions, an embedding each");
    assert_eq!(sum(rows, &["tokens", "input"]), sum(&answered, &["input"]));
    assert_eq!(sum(rows, &["tokens", "output"]), sum(&answered, &["output"]));
    let streamed = rows.iter().filter(|row| !row["ttft_ns"].is_null()).count();
    assert_eq!(streamed, 6, "answers that came word by word have a first token");
    assert!(rows.iter().all(|row| row["outcome"] == "ok"), "{rows:?}");
    let embeds = rows.iter().filter(|row| row["model"] == "text-embedding-3-small").count();
    assert_eq!(embeds, 6);
    assert!(
        json["facts"]["HTTP requests made"].as_str().unwrap().contains("12 calls of models"),
        "{}",
        json["facts"]
    );
    let all = texts(&session);
    assert!(all.contains("GET 127.0.0.1") && all.contains("Why is the first token slow?"));
    for secret in ["not-kept", "sk-abcdefghijklmnop1234"] {
        assert!(!all.contains(secret), "{secret}");
    }
}

/// Output, complaints and exit code are what they are without a recorder, and every call is there, once.
#[cfg(unix)]
#[test]
fn a_program_does_not_notice_that_its_requests_are_recorded() {
    let Some(usual) = python() else { return };
    let folder = folder("talks");
    let script = file("tests/data/python/talks.py");
    let server = Server::start(usual, &folder);
    let mut pythons = crate::support::interpreters(&["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]);
    pythons.push(usual.to_owned());
    for python in &pythons {
        let words = [python, script.to_str().unwrap(), &server.base];
        let (recorded, session) = record(&folder, &[], &words, &server.base);
        let mut plain = Command::new(python);
        plain.args(&words[1..]).env("PYTHONPATH", file("tests/data/python/standins"));
        let plain = plain.env("PYTHONUNBUFFERED", "1").output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(text(&recorded.stdout), text(&plain.stdout), "{python}");
        let complained = text(&recorded.stderr);
        assert_eq!(own_errors(&complained), text(&plain.stderr), "{python}");
        assert_eq!((recorded.status.code(), plain.status.code()), (Some(5), Some(5)), "{python}");

        let json = report(&session);
        let outcome = |row: &Value| row["outcome"].as_str().unwrap_or_default().to_owned();
        let mut outcomes: Vec<String> = json["requests"].as_array().unwrap().iter().map(outcome).collect();
        assert_eq!(outcomes.len(), 22, "{python}: {outcomes:?}");
        outcomes.sort();
        outcomes.dedup_by_key(|o| o.clone());
        assert_eq!(outcomes, ["cancelled", "error", "ok"]);
        let count = |what: &str| {
            json["requests"].as_array().unwrap().iter().filter(|row| row["outcome"] == what).count()
        };
        // Left in the middle twice, never read; cut off and refused by each of the asynchronous ones and more.
        assert_eq!((count("cancelled"), count("error")), (3, 6), "{python}");
        let findings = json["findings"].to_string();
        assert!(findings.contains("held the event loop"), "{python}: {findings}");
        let all = texts(&session);
        assert!(all.contains("the zebra question") && !all.contains("not-kept") && !all.contains("sk-abc"));
    }
}

/// Runs `code` with our files in it and no recorder around it; gives what it left and what it printed.
fn inside(python: &str, folder: &Path, code: &str, arguments: &[&str]) -> (Vec<u8>, Output) {
    let trace = folder.join("trace");
    std::fs::create_dir_all(&trace).unwrap();
    let paths = ["assets/python/inferscope_inject", "tests/data/python/standins"].map(file);
    let mut command = Command::new(python);
    command.args(["-c", code]).args(arguments).env("INFERSCOPE_TRACE", &trace);
    command.env("PYTHONPATH", std::env::join_paths(paths).unwrap()).env("PYTHONDONTWRITEBYTECODE", "1");
    let out = command.output().unwrap();
    let left = std::fs::read_dir(&trace).unwrap().flatten().map(|e| e.path());
    let left = left.filter(|path| path.extension().is_some_and(|e| e == "calls"));
    (left.flat_map(|path| std::fs::read(path).unwrap()).collect(), out)
}

const STREAMED: &str = "\
import json, sys, urllib.request
said = [{'role': 'user', 'content': 'the zebra question'}]
body = {'model': 'm', 'messages': said, 'max_tokens': 9, 'stream': True}
url = sys.argv[1] + '/chat/completions'
for line in urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode())):
    pass
";

/// Times and lengths of the pieces in a file of one exchange.
fn pieces(file: &[u8]) -> Vec<(u64, u64)> {
    let number = |at: usize| u64::from(u32::from_le_bytes(file[at..at + 4].try_into().unwrap()));
    let (mut at, mut found) = (64, Vec::new());
    while at + 24 <= file.len() {
        let length = number(at) as usize;
        if file[at + 4] == 5 {
            let time = number(at + 16) | number(at + 20) << 32;
            found.push((time, number(at + 12)));
        }
        at += 24 + length;
    }
    found
}

/// Nothing is seen before it was sent, and nothing is missing.
#[cfg(target_os = "linux")]
#[test]
fn pieces_have_stamps_of_one_clock_with_the_servers() {
    let Some(python) = python() else { return };
    let folder = folder("stamps");
    let server = Server::start(python, &folder);
    let (left, out) = inside(python, &folder, STREAMED, &[&server.base]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let sent = server.seen()[0]["pieces"].as_array().unwrap().clone();
    let read = pieces(&left);
    assert!(read.is_sorted_by_key(|piece| piece.0));
    let (mut so_far, mut seen) = (0, read.iter());
    let mut there = 0;
    let mut last = 0;
    for piece in &sent {
        so_far += piece[1].as_u64().unwrap();
        while there < so_far {
            let (time, bytes) = seen.next().expect("all bytes are there");
            (there, last) = (there + bytes, *time);
        }
        assert!(last >= piece[0].as_u64().unwrap(), "seen before it was sent");
    }
    assert_eq!((there, seen.next()), (so_far, None));
}

#[test]
fn without_texts_no_prompt_and_no_answer_are_anywhere() {
    let Some(python) = python() else { return };
    let folder = folder("no-texts");
    let server = Server::start(python, &folder);
    let trace = folder.join("trace");
    std::fs::create_dir(&trace).unwrap();
    std::fs::write(trace.join("no-texts"), "").unwrap();
    let (left, _) = inside(python, &folder, STREAMED, &[&server.base]);
    let has = |bytes: &[u8], text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    assert!(has(&left, "chat.completion.chunk") && has(&left, "\"model\""));
    assert!(!has(&left, "zebra") && !has(&left, "depends"), "{}", String::from_utf8_lossy(&left));

    let script = file("tests/data/python/talks.py");
    let words = [python, script.to_str().unwrap(), &server.base];
    let (_, session) = record(&folder, &["--no-texts", "--set", "echo=false"], &words, &server.base);
    let all = texts(&session);
    assert!(!all.contains("zebra") && !all.contains("depends on"), "{all}");
    let json = report(&session);
    let rows = json["requests"].as_array().unwrap();
    let tokens: Vec<_> = rows.iter().map(|row| row["tokens"]["output"].as_u64()).collect();
    // One whole answer of six tokens, one streamed, by each client; packed and embeddings.
    assert!(tokens.iter().filter(|n| **n == Some(6)).count() >= 8, "{tokens:?}");
    assert!(rows.iter().all(|row| row["model"] != ""), "{rows:?}");
}

/// A library that is not what we know, and a hook that fails on the way, cost a line and nothing else.
#[test]
fn a_hook_that_does_not_work_switches_itself_off() {
    let Some(python) = python() else { return };
    let folder = folder("broken");
    let server = Server::start(python, &folder);
    let other =
        "import sys, types; sys.path.insert(0, sys.argv[2]); import httpx; print(httpx.Client().get())";
    std::fs::write(folder.join("httpx.py"), "class Client:\n    def get(self):\n        return 'fine'\n")
        .unwrap();
    let (left, out) = inside(python, &folder, other, &[&server.base, folder.to_str().unwrap()]);
    let said = |out: &Output| {
        (
            String::from_utf8_lossy(&out.stdout).trim().to_owned(),
            String::from_utf8_lossy(&out.stderr).lines().map(str::to_owned).collect::<Vec<_>>(),
        )
    };
    let (printed, complaints) = said(&out);
    assert_eq!((printed.as_str(), complaints.len(), left.len()), ("fine", 1, 0), "{complaints:?}");
    assert!(complaints[0].contains("httpx is not recorded"), "{complaints:?}");

    let failing = format!(
        "import os\nclass Full(Exception): pass\ndef full(*_): raise Full('no room')\n{STREAMED}"
    )
    .replace("url = ", "os.write, write = full, os.write\nurl = ")
        + "urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode())).read()\nprint('done')\n";
    let (_, out) = inside(python, &folder, &failing, &[&server.base]);
    let (printed, complaints) = said(&out);
    assert_eq!((printed.as_str(), complaints.len()), ("done", 1), "{complaints:?}");
    assert!(
        complaints[0].contains("no longer recorded") && complaints[0].contains("no room"),
        "{complaints:?}"
    );
}

#[cfg(unix)]
#[test]
fn what_a_killed_program_and_a_killed_recorder_had_is_kept() {
    let Some(python) = python() else { return };
    let folder = folder("killed-calls");
    let server = Server::start(python, &folder);
    let script = folder.join("app.py");
    let dies = STREAMED.replace("    pass", "    if b'prompt' in line:\n        os.kill(os.getpid(), 9)");
    std::fs::write(&script, format!("import os\n{dies}").replace("'max_tokens': 9", "'max_tokens': 30"))
        .unwrap();
    let words = [python, script.to_str().unwrap(), &server.base];
    let (out, session) = record(&folder, &[], &words, &server.base);
    assert_eq!(out.status.code(), Some(137));
    let json = report(&session);
    assert_eq!(json["requests"][0]["outcome"], "running", "{}", json["requests"]);
    assert!(texts(&session).contains("The answer depends on the load"));

    // The program ends after its recorder.
    let waits = format!(
        "import os, time\nrecorder = os.getppid()\n{STREAMED}\nopen(sys.argv[2], 'w').close()\nwhile os.getppid() == recorder:\n    time.sleep(0.01)\n"
    );
    std::fs::write(&script, waits).unwrap();
    let (journals, mark) = (folder.join("left"), folder.join("asked"));
    let dir = journals.to_str().unwrap();
    let args = ["record", "command", "--quiet", "--set", "profilers=none", "--journal", dir, "--"];
    let words = [python, script.to_str().unwrap(), &server.base, mark.to_str().unwrap()];
    let child = Ends(program(&[&args[..], &words].concat()).stderr(Stdio::null()).spawn().unwrap());
    crate::support::wait("the program's call", || mark.exists());
    // SIGKILL.
    drop(child);
    stdout(&["recover", "--journal", dir, "-o", session.to_str().unwrap()]);
    let json = report(&session);
    let rows = json["requests"].as_array().unwrap();
    assert_eq!((rows.len(), rows[0]["outcome"].as_str()), (1, Some("ok")), "{rows:?}");
    assert_eq!(std::fs::read_dir(&journals).unwrap().count(), 0);
}

/// A body, and the head in lower case, as they come over a connection of their own.
fn ask(address: &str, route: &str, body: &str) -> (String, Vec<u8>) {
    use std::io::{Read, Write};
    let host = address.trim_start_matches("http://").split('/').next().unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let length = body.len();
    let key = "authorization: Bearer sk-abcdefghijklmnop1234\r\nx-api-key: swordfish-key";
    let head = format!(
        "POST {route} HTTP/1.1\r\nhost: {host}\r\n{key}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = memchr::memmem::find(&all, b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
    let body = all[end + 4..].to_vec();
    (head.clone(), if head.contains("chunked") { pieces_of(&body).concat() } else { body })
}

/// The pieces of a chunked body, as far as they are whole.
fn pieces_of(mut body: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while let Some(end) = memchr::memmem::find(body, b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        let Some(piece) = body.get(end + 2..end + 2 + length).filter(|piece| !piece.is_empty()) else {
            break;
        };
        pieces.push(piece.to_vec());
        body = &body[end + 4 + length..];
    }
    pieces
}

/// A process that ends with its test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A proxy that records, and its address.
#[cfg(unix)]
fn proxy(folder: &Path, to: &str, more: &[&str]) -> (Ends, String) {
    let (session, journals) = (folder.join("run.inferscope"), folder.join("journals"));
    let mut args = vec!["record", "proxy", "--quiet", "--to", to, "--set", "port=0", "--journal"];
    args.extend([journals.to_str().unwrap(), "-o", session.to_str().unwrap()]);
    args.extend(more);
    let mut child = Ends(program(&args).stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("passes requests on")).expect("it says where it listens");
    // Somebody must go on reading.
    std::thread::spawn(move || lines.for_each(drop));
    let address = line.split_whitespace().find(|word| word.starts_with("http://127")).unwrap().to_owned();
    (child, address)
}

#[cfg(unix)]
fn interrupt(mut child: Ends) -> std::process::ExitStatus {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.0.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    child.0.wait().unwrap()
}

/// Files below a folder that hold a text.
fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()) {
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if memchr::memmem::find(&std::fs::read(&path).unwrap_or_default(), text.as_bytes()).is_some() {
            found.push(path);
        }
    }
    found
}

const ASKED: &str = r#"{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "the zebra question"}], "max_tokens": 5"#;

#[cfg(unix)]
#[test]
fn a_proxy_passes_everything_on_as_it_is_and_records_it() {
    let Some(python) = python() else { return };
    let folder = folder("proxy");
    let server = Server::start(python, &folder);
    let origin = server.base.trim_end_matches("/v1").to_owned();
    let (child, address) = proxy(&folder, &origin, &[]);
    let streamed = format!(r#"{ASKED}, "stream": true, "stream_options": {{"include_usage": true}}}}"#);
    let packed = ASKED.replace("gpt", "packed-gpt") + "}";
    for (route, body) in [
        ("/v1/chat/completions?key=not-kept", streamed.clone()),
        ("/v1/chat/completions", packed),
        ("/v1/messages", format!("{ASKED}}}")),
        ("/v1/nothing", "{}".to_owned()),
    ] {
        let (head, through) = ask(&address, route, &body);
        let (direct_head, direct) = ask(&origin, route, &body);
        assert_eq!(through, direct, "{route}");
        assert!(head.contains("x-inferscope-request: "), "{head}");
        let without: Vec<&str> =
            head.lines().filter(|l| !l.starts_with("x-inferscope") && !l.starts_with("date")).collect();
        for line in direct_head.lines().filter(|l| !l.starts_with("date") && !l.starts_with("x-request-id")) {
            assert!(without.contains(&line), "{line} is missing in {head}");
        }
    }
    // Nobody waits for the end of this one.
    let (_, cut) = ask(&address, "/v1/chat/completions", &streamed.replace("gpt", "cut-gpt"));
    assert!(!cut.is_empty());
    assert!(holding(&folder.join("journals"), "sk-abcdefgh").is_empty());
    assert!(interrupt(child).success());
    let session = folder.join("run.inferscope");
    let json = report(&session);
    let rows = json["requests"].as_array().unwrap();
    let outcomes: Vec<&str> = rows.iter().map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["ok", "ok", "ok", "error"]);
    let tokens: Vec<_> = rows.iter().map(|row| row["tokens"]["output"].as_u64()).collect();
    assert_eq!(tokens[..3], [Some(5); 3]);
    assert!(!rows[0]["ttft_ns"].is_null());
    let all = texts(&session);
    assert!(all.contains("the zebra question") && all.contains("POST 127.0.0.1"));
    for secret in ["not-kept", "sk-abcdefgh", "swordfish"] {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[cfg(unix)]
#[test]
fn a_proxy_without_texts_puts_no_prompt_on_any_disk() {
    let Some(python) = python() else { return };
    let folder = folder("proxy-no-texts");
    let server = Server::start(python, &folder);
    let (child, address) = proxy(&folder, server.base.trim_end_matches("/v1"), &["--no-texts"]);
    ask(&address, "/v1/chat/completions", &format!("{ASKED}}}"));
    ask(&address, "/v1/chat/completions", &format!("{ASKED}, \"stream\": true}}"));
    assert!(holding(&folder.join("journals"), "zebra").is_empty());
    assert!(interrupt(child).success());
    let session = folder.join("run.inferscope");
    let json = report(&session);
    assert_eq!(json["requests"][0]["tokens"]["output"], 5);
    let all = texts(&session);
    assert!(!all.contains("zebra") && !all.contains("depends"), "{all}");
}

#[test]
fn an_address_that_leads_nowhere_is_an_error_of_the_proxy_and_not_of_the_recording() {
    let out = program(&["record", "proxy", "--quiet"]).output().unwrap();
    assert!(!out.status.success());
    assert!(String::from_utf8_lossy(&out.stderr).contains("--to https://api.openai.com"), "{out:?}");
    for args in
        [&["record", "command", "--to", "http://x", "--", "true"][..], &["record", "asyncio", "--proxy"]]
    {
        let out = program(args).output().unwrap();
        assert!(String::from_utf8_lossy(&out.stderr).contains("goes with"), "{out:?}");
    }
}

/// A server that cannot be reached is a failed request, with what was asked.
#[cfg(unix)]
#[test]
fn a_call_that_the_proxy_cannot_pass_on_is_a_failed_request() {
    let folder = folder("proxy-502");
    // Nobody listens there any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (child, address) = proxy(&folder, &format!("http://{gone}"), &[]);
    let (head, _) = ask(&address, "/v1/chat/completions", &format!("{ASKED}}}"));
    assert!(head.contains("502"), "{head}");
    assert!(interrupt(child).success());
    let json = report(&folder.join("run.inferscope"));
    let requests = json["requests"].as_array().unwrap();
    assert_eq!((requests.len(), &requests[0]["outcome"]), (1, &Value::from("error")), "{json}");
}

/// A transport of the program's own makes the answer itself: it is whole, not given up.
#[test]
fn an_answer_that_was_made_whole_is_one() {
    let Some(python) = python() else { return };
    let has = Command::new(python).args(["-c", "import httpx"]).output().unwrap().status.success();
    if !has {
        eprintln!("no httpx here: nothing is checked with it");
        return;
    }
    let folder = folder("mock-transport");
    let code = "import httpx
said = {'role': 'assistant', 'content': 'hi'}
usage = {'prompt_tokens': 11, 'completion_tokens': 2, 'total_tokens': 13}
answer = {'model': 'm', 'choices': [{'index': 0, 'message': said, 'finish_reason': 'stop'}], 'usage': usage}
client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, json=answer)))
asked = {'model': 'm', 'messages': [{'role': 'user', 'content': 'q'}]}
print(client.post('http://host/v1/chat/completions', json=asked).json()['usage']['total_tokens'])";
    let (out, session) = record(&folder, &[], &[python, "-c", code], "http://host");
    assert_eq!(out.stdout, b"13\n", "{out:?}");
    let row = &report(&session)["requests"][0];
    assert_eq!((&row["outcome"], &row["tokens"]["output"]), (&Value::from("ok"), &Value::from(2)), "{row}");
}

/// The library's side and the proxy's are put together: nothing is there twice.
#[cfg(unix)]
#[test]
fn a_call_through_both_doors_is_one_request() {
    let Some(python) = python() else { return };
    let folder = folder("both-doors");
    let server = Server::start(python, &folder);
    let script = file("tests/examples/python/assistant.py");
    let words = [python, script.to_str().unwrap()];
    for (more, by) in
        [(&["--proxy"][..], "(http.client "), (&["--proxy", "--set", "requests=false"], "(proxy ")]
    {
        let (out, session) = record(&folder, more, &words, &server.base);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let json = report(&session);
        assert_eq!(json["requests"].as_array().unwrap().len(), 12, "{by}");
        let made = json["facts"]["HTTP requests made"].as_str().unwrap().to_owned();
        assert!(made.contains(by), "{made}");
        assert_eq!(made.matches("proxy").count() + made.matches("http.client").count(), 1, "{made}");
        assert!(json["facts"]["Proxy"].as_str().unwrap().contains("OPENAI_BASE_URL"));
    }
}

/// Prompts and answers are kept up to 64 MiB; tokens and times of what follows are there all the same.
#[test]
fn calls_after_many_texts_keep_their_tokens_and_are_counted() {
    let Some(python) = python() else { return };
    let folder = folder("many-texts");
    let server = Server::start(python, &folder);
    let script = folder.join("app.py");
    let text = r#"
import json, sys, urllib.request
def ask(path, **body):
    request = urllib.request.Request(sys.argv[1] + path, json.dumps(body).encode(), {"content-type": "application/json"})
    return urllib.request.urlopen(request).read()
for _ in range(68):
    ask("/embeddings", model="e", input="x" * 1000000)
for n in range(3):
    ask("/chat/completions", model="late", stream=True, stream_options={"include_usage": True},
        messages=[{"role": "user", "content": "a late secret"}])
ask("/chat/completions", model="late", messages=[{"role": "user", "content": "a late secret"}])
"#;
    std::fs::write(&script, text).unwrap();
    let (out, session) = record(
        &folder,
        &["--set", "tasks=false"],
        &[python, script.to_str().unwrap(), &server.base],
        &server.base,
    );
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let json = report(&session);
    let (rows, seen) = (json["requests"].as_array().unwrap(), server.seen());
    assert_eq!((rows.len(), seen.len()), (72, 72));
    assert_eq!(sum(rows, &["tokens", "input"]), sum(&seen, &["input"]));
    assert_eq!(sum(rows, &["tokens", "output"]), sum(&seen, &["output"]));
    assert!(rows.iter().all(|row| row["outcome"] == "ok"));
    let late: Vec<&Value> = rows.iter().filter(|row| row["model"] == "late").collect();
    assert_eq!(late.len(), 4);
    assert!(late[..3].iter().all(|row| !row["ttft_ns"].is_null() && row["prompt"].is_null()), "{late:?}");
    assert!(!texts(&session).contains("late secret"));
    let warnings = json["warnings"].to_string();
    assert!(
        warnings.contains("prompts and answers left out: the program made more than 64 MiB"),
        "{warnings}"
    );
}

/// What found no room is a call all the same, of which nothing is known.
#[test]
fn a_call_whose_bodies_were_not_kept_is_a_call_with_unknown_tokens() {
    let folder = folder("unkept");
    let mut bytes = b"\x89IHTTP1\n".to_vec();
    bytes.extend(7u32.to_le_bytes());
    bytes.extend([0; 52]);
    let mut add = |kind: u8, size: u32, at: u64, data: &[u8]| {
        bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        bytes.extend([kind, 0, 0, 0]);
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(size.to_le_bytes());
        bytes.extend(at.to_le_bytes());
        bytes.extend(data);
    };
    let url = "http://127.0.0.1:8000/v1/chat/completions";
    add(
        1,
        0,
        1_000,
        format!(r#"{{"library":"proxy","method":"POST","url":"{url}","known":true}}"#).as_bytes(),
    );
    add(2, 500, 2_000, b"");
    add(4, 0, 3_000, br#"{"status":200,"type":"text/event-stream"}"#);
    add(5, 300, 4_000, b"");
    add(6, 0, 5_000, b"");
    let path = folder.join("http-7-0.calls");
    std::fs::write(&path, bytes).unwrap();
    let json = report(&path);
    let rows = json["requests"].as_array().unwrap();
    assert_eq!((rows.len(), rows[0]["outcome"].as_str(), &rows[0]["tokens"]), (1, Some("ok"), &Value::Null));
    assert!(json["warnings"].to_string().contains("calls of models without tokens"), "{}", json["warnings"]);
}
