//! A recorded LLM session for tests and pictures of views: phases, memory and load counters, requests
//! with token times, log lines, tasks and a GPU stream. The same in every run.

mod agent;

pub use agent::agent;

use crate::model::*;
use crate::model::{Fact, FactKind};

const MS: i64 = 1_000_000;
const MIB: f64 = 1024.0 * 1024.0;

/// Numbers without a pattern, the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % below.max(1) as u64) as i64
    }
}

/// Start, first token and end of each request, and the slot that served it.
struct Served {
    arrived: i64,
    scheduled: i64,
    first: i64,
    tokens: Vec<i64>,
    slot: usize,
}

/// The session.
pub fn session() -> Profile {
    let mut b = ProfileBuilder::new("inferscope");
    b.meta = Meta {
        format: "inferscope".into(),
        tool: "inferscope 0.1.0".into(),
        title: "Summarise 20 support tickets".into(),
        origin_unix_ns: Some(1_764_150_312_437_000_000),
        basis: Basis::Timed,
        facts: vec![
            Fact::new(FactKind::Input, "Command", "inferscope record generate --requests 20 --concurrency 4"),
            Fact::new(FactKind::Input, "Model file", "models/qwen3-0.6b-q4_k_m.gguf"),
            Fact::new(FactKind::Setting, "Precision", "Q4_K_M, KV cache f16"),
            Fact::new(FactKind::Setting, "Seed", "42"),
        ],
        machine: vec![
            Fact::new(FactKind::Machine, "CPU", "AMD EPYC 7763, 16 cores"),
            Fact::new(FactKind::Machine, "RAM", "128 GiB"),
            Fact::new(FactKind::Machine, "GPU", "NVIDIA H100 80GB HBM3"),
            Fact::new(FactKind::Machine, "Driver", "570.86.15"),
        ],
        ..Meta::default()
    };
    let mut noise = Noise(7);
    let served = schedule(&mut noise);
    let end = served.iter().flat_map(|s| s.tokens.last()).max().copied().unwrap_or(0) + 180 * MS;
    let main = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 1 });
    let mut functions = Names { file: "src/serve.rs" };
    phases(&mut b, &served, end);
    main_thread(&mut b, main, &mut functions, end);
    tasks(&mut b, main, &mut functions, &served, &mut noise);
    counters(&mut b, &served, end, &mut noise);
    logs(&mut b, main, &served);
    requests(&mut b, &served, &mut noise);
    b.warn("log line without a time (kept at the time before it)", "line 41");
    b.warn("log line without a time (kept at the time before it)", "line 57");
    b.warn("span that ends before it starts (shown with length 0)", "byte 18 204");
    b.finish()
}

struct Names {
    file: &'static str,
}

impl Names {
    fn get(&mut self, b: &mut ProfileBuilder, module: &str, name: &str, line: u32) -> FunctionId {
        b.function(FunctionSpec { name, module, file: self.file, line, category: "" })
    }
}

fn schedule(noise: &mut Noise) -> Vec<Served> {
    let mut free = [1900 * MS; 4];
    (0..20i64)
        .map(|i| {
            let arrived = 1700 * MS + i * 170 * MS + noise.next(90) * MS;
            let slot = (0..4).min_by_key(|&s| free[s]).unwrap_or(0);
            let scheduled = free[slot].max(arrived) + (2 + noise.next(9)) * MS;
            let first = scheduled + (70 + noise.next(120)) * MS;
            let count = if i == 13 { 6 } else { 14 + noise.next(38) };
            let mut at = first;
            let mut tokens = vec![first];
            for _ in 1..count {
                at += 14 * MS + noise.next(7 * MS) + if noise.next(25) == 0 { 55 * MS } else { 0 };
                tokens.push(at);
            }
            free[slot] = at + 3 * MS;
            Served { arrived, scheduled, first, tokens, slot }
        })
        .collect()
}

fn phases(b: &mut ProfileBuilder, served: &[Served], end: i64) {
    let track = b.track(TrackSpec { name: "Phases", process: "", kind: TrackKind::Phase, sort: 0 });
    let last = served.iter().flat_map(|s| s.tokens.last()).max().copied().unwrap_or(0);
    for (name, from, to) in [
        ("load model", 40 * MS, 1480 * MS),
        ("to device", 1480 * MS, 1800 * MS),
        ("warm up", 1800 * MS, 1890 * MS),
        ("generate", 1900 * MS, last),
        ("write report", last + 20 * MS, end - 30 * MS),
    ] {
        let f = b.function(FunctionSpec { name, category: "phase", ..FunctionSpec::default() });
        b.span(track, from, to, f, ArgsRef::NONE);
    }
}

fn main_thread(b: &mut ProfileBuilder, main: TrackId, f: &mut Names, end: i64) {
    let names = [
        ("main", 12),
        ("load_model", 48),
        ("read_tensors", 77),
        ("dequantise", 102),
        ("copy_to_device", 131),
        ("serve", 160),
        ("poll_tasks", 171),
        ("write_report", 230),
    ];
    let ids = names.map(|(name, line)| f.get(b, "serve", name, line));
    b.span(main, 0, end, ids[0], ArgsRef::NONE);
    b.span(main, 40 * MS, 1800 * MS, ids[1], ArgsRef::NONE);
    for i in 0..24 {
        let start = 50 * MS + i * 58 * MS;
        let (key, layer) = (b.string("layer"), Value::Int(i));
        let args = b.args([(key, layer)]);
        b.span(main, start, start + 52 * MS, ids[2], args);
        b.span(main, start + 20 * MS, start + 47 * MS, ids[3], args);
    }
    b.span(main, 1490 * MS, 1790 * MS, ids[4], ArgsRef::NONE);
    b.span(main, 1895 * MS, end - 170 * MS, ids[5], ArgsRef::NONE);
    let mut at = 1900 * MS;
    while at < end - 200 * MS {
        b.span(main, at, at + 9 * MS, ids[6], ArgsRef::NONE);
        at += 31 * MS;
    }
    b.span(main, end - 160 * MS, end - 30 * MS, ids[7], ArgsRef::NONE);
}

fn tasks(b: &mut ProfileBuilder, main: TrackId, f: &mut Names, served: &[Served], noise: &mut Noise) {
    let slots: Vec<_> = (0..4)
        .map(|i| {
            let name = format!("slot {i}");
            b.track(TrackSpec { name: &name, process: "tasks", kind: TrackKind::Task, sort: 2 })
        })
        .collect();
    let gpu = b.track(TrackSpec { name: "stream 7", process: "GPU 0", kind: TrackKind::GpuStream, sort: 3 });
    let handle = f.get(b, "serve", "handle_request", 184);
    let (tokenise, prefill) = (f.get(b, "llm", "tokenise", 20), f.get(b, "llm", "prefill", 55));
    let (step, attention) = (f.get(b, "llm", "decode_step", 90), f.get(b, "llm", "attention", 120));
    let (mlp, sample) = (f.get(b, "llm", "mlp", 141), f.get(b, "llm", "sample_token", 170));
    let kernel = b.function(FunctionSpec {
        name: "void mmq_q4_K<64, 8, false>(void const*, void const*, float*, int, int)",
        category: "kernel",
        ..FunctionSpec::default()
    });
    for (i, s) in served.iter().enumerate() {
        let (track, last) = (slots[s.slot], s.tokens.last().copied().unwrap_or(s.first));
        let keys = ["request", "prompt_tokens", "temperature", "stream"].map(|k| b.string(k));
        let id = b.string(&format!("req-{i:02}"));
        let values = [Value::Text(id), Value::Int(300), Value::Float(0.7), Value::Bool(true)];
        let args = b.args(keys.into_iter().zip(values));
        let handle = b.open_span(track, s.scheduled, handle, args);
        let status = if i == 13 { SpanStatus::Error } else { SpanStatus::Ok };
        b.close_span(track, handle, last + 2 * MS, status);
        b.span(track, s.scheduled + MS / 2, s.scheduled + 2 * MS, tokenise, ArgsRef::NONE);
        b.span(track, s.scheduled + 2 * MS, s.first, prefill, ArgsRef::NONE);
        let link = b.string("spawn");
        b.link(Link { from: (main, s.scheduled - MS / 4), to: (track, s.scheduled + MS / 4), name: link });
        for w in s.tokens.windows(2) {
            let (from, to) = (w[0], w[1]);
            let length = to - from;
            b.span(track, from, to, step, ArgsRef::NONE);
            b.span(track, from + length / 20, from + length / 2, attention, ArgsRef::NONE);
            b.span(track, from + length / 2, from + length * 8 / 10, mlp, ArgsRef::NONE);
            b.span(track, from + length * 8 / 10, to - length / 50, sample, ArgsRef::NONE);
            let launch = from + length / 10;
            b.span(gpu, launch, launch + length / 4 + noise.next(MS), kernel, ArgsRef::NONE);
        }
    }
}

fn counters(b: &mut ProfileBuilder, served: &[Served], end: i64, noise: &mut Noise) {
    let rss = b.counter("RSS", "", Unit::Bytes);
    let reserved = b.counter("CUDA reserved", "", Unit::Bytes);
    let allocated = b.counter("CUDA allocated", "", Unit::Bytes);
    let kv = b.counter("KV cache", "", Unit::Bytes);
    let cpu = b.counter("CPU", "", Unit::MilliPercent);
    let busy = b.counter("GPU busy", "", Unit::MilliPercent);
    let waiting = b.counter("Requests waiting", "", Unit::Count);
    let mut held = 0.0f64;
    let mut t = 0;
    while t <= end {
        let loaded = ((t - 40 * MS) as f64 / (1440 * MS) as f64).clamp(0.0, 1.0);
        let on_device = ((t - 1480 * MS) as f64 / (320 * MS) as f64).clamp(0.0, 1.0);
        let live: f64 = served
            .iter()
            .filter(|s| s.scheduled <= t && s.tokens.last().is_some_and(|&e| e > t))
            .map(|s| 300.0 + s.tokens.iter().filter(|&&x| x <= t).count() as f64 * 6.0)
            .sum();
        let jitter = noise.next(1000) as f64 / 1000.0;
        let freed = if t > 1810 * MS { 420.0 } else { 0.0 };
        b.point(rss, t, (210.0 + 1180.0 * loaded - freed + live * 0.02 + jitter * 6.0) * MIB);
        if t > 1480 * MS {
            let used = 980.0 * on_device + live * 0.9;
            held = held.max((used / 256.0).ceil() * 256.0);
            b.point(allocated, t, used * MIB);
            b.point(reserved, t, held * MIB);
            b.point(kv, t, live * 0.45 * MIB);
        }
        let working = live > 0.0;
        let share = if t < 1480 * MS {
            88.0
        } else if working {
            31.0
        } else {
            4.0
        };
        b.point(cpu, t, (share + jitter * 9.0) * 1000.0);
        let load = if working { 42.0 + live / 60.0 + jitter * 15.0 } else { 0.0 };
        b.point(busy, t, load * 1000.0);
        let queue = served.iter().filter(|s| s.arrived <= t && s.scheduled > t).count();
        b.point(waiting, t, queue as f64);
        t += 20 * MS;
    }
}

fn logs(b: &mut ProfileBuilder, main: TrackId, served: &[Served]) {
    for (ms, text, severity) in [
        (38, "opening models/qwen3-0.6b-q4_k_m.gguf", Severity::Info),
        (1482, "weights read: 310 tensors, 378 MiB", Severity::Info),
        (1795, "allocator grew the pool to 1.25 GiB", Severity::Debug),
        (1893, "ready on 127.0.0.1:8080", Severity::Info),
        (3055, "queue is longer than 4: new requests wait", Severity::Warning),
    ] {
        let name = b.string(text);
        b.instant(Instant { time: ms * MS, track: Some(main), name, args: ArgsRef::NONE, severity });
    }
    let name = b.string("req-13: connection reset by peer after 6 tokens");
    let time = served[13].tokens[5] + MS;
    b.instant(Instant { time, track: None, name, args: ArgsRef::NONE, severity: Severity::Error });
}

fn requests(b: &mut ProfileBuilder, served: &[Served], noise: &mut Noise) {
    let model = b.string("qwen3-0.6b");
    let tracks: Vec<_> = (0..4u32).map(|i| TrackId(2 + i)).collect();
    for (i, s) in served.iter().enumerate() {
        let name = b.string(&format!("req-{i:02}"));
        let cached = noise.next(3) * 64;
        let prompt = b.string(&format!(
            "Summarise this ticket in two sentences.\n\nTicket {}: After the update the export button does nothing; the log says «permission denied» although the folder is writable.",
            4100 + i
        ));
        let completion = b.string(
            "The customer cannot export since the last update. The log shows a permission error although \
             the folder is writable, so the new sandbox profile is the likely cause.",
        );
        let outcome = match i {
            13 => Outcome::Error,
            17 => Outcome::Cancelled,
            _ => Outcome::Ok,
        };
        let output = s.tokens.len() as u64;
        b.request(Request {
            name,
            model,
            track: Some(tracks[s.slot]),
            arrived: s.arrived,
            scheduled: Some(s.scheduled),
            first_token: Some(s.first),
            finished: s.tokens.last().copied(),
            tokens: TokenCounts {
                input: Some(240 + noise.next(300) as u64),
                cache_read: Some(cached as u64),
                output: Some(output),
                ..TokenCounts::default()
            },
            token_times: s.tokens.clone(),
            cost: (i != 5).then(|| Money::from_nano(120_000 + output as i64 * 1_900)),
            kv_cache_bytes: Some((300 + output * 6) * 450 * 1024),
            outcome,
            prompt,
            completion,
            ..Request::default()
        });
    }
}

#[test]
fn the_session_is_whole() {
    let p = session();
    assert_eq!(p.requests.rows.len(), 20);
    assert_eq!(p.track_label(p.requests.rows[0].track.unwrap()), "tasks › slot 0");
    assert!(p.requests.rows.iter().all(|r| r.scheduled >= Some(r.arrived)));
    assert_eq!(p.warnings.len(), 2);
}
