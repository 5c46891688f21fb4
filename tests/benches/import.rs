//! What opening large files costs: `inferscope report FILE`, and importing alone.
//!
//! `cargo bench --bench import` writes the files below into a temporary folder, the same bytes every time, and opens
//! each several times in a process of its own, from which CPU time (user and system) and peak memory are taken; the
//! least of the runs counts, because a busy machine only ever adds. `INFERSCOPE_BENCH_LARGE=1` adds a trace of 1 GB,
//! `INFERSCOPE_BENCH_RUNS=N` sets the number of runs. Words on the command line choose files by their names.
//!
//! Its rows in `assets/guide/speed.md`:
//!
//! - Chrome trace, 100 MB, 300 bytes an event
//! - Chrome trace, 1 GB
//! - speedscope, 100 MB
//! - callgrind, 50 MB
//! - `.prof`, 100 k functions, 300 k edges
#![allow(missing_docs, clippy::panic, clippy::expect_used, reason = "a bench may fail loudly")]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use inferscope::import::{self, Input};
use inferscope::jobs::Job;

type Out<'a> = &'a mut BufWriter<File>;

/// A file to open: its name, the goal for a report of it, and who writes it.
struct Case {
    name: &'static str,
    goal: &'static str,
    large: bool,
    write: fn(Out<'_>) -> std::io::Result<()>,
}

const CASES: &[Case] = &[
    Case { name: "functions-100k.prof", goal: "0.25 s", large: false, write: pstats },
    Case { name: "events-100mb.speedscope.json", goal: "0.4 s", large: false, write: evented },
    Case { name: "samples-100mb.speedscope.json", goal: "0.4 s", large: false, write: sampled },
    Case {
        name: "chrome-100mb.json",
        goal: "0.25 s, 60 MB",
        large: false,
        write: |out| chrome(out, 100_000_000),
    },
    Case {
        name: "callgrind-50mb-same-lines.out",
        goal: "0.4 s",
        large: false,
        write: |out| callgrind(out, 0),
    },
    Case {
        name: "callgrind-50mb-new-lines.out",
        goal: "0.4 s",
        large: false,
        write: |out| callgrind(out, 40),
    },
    Case {
        name: "chrome-1gb.json",
        goal: "2.5 s, 250 MB",
        large: true,
        write: |out| chrome(out, 1_000_000_000),
    },
];

/// Says to the process that it is one that opens a file: «report» or «import».
const ROLE: &str = "INFERSCOPE_BENCH_ROLE";

fn main() -> ExitCode {
    match std::env::var(ROLE).as_deref() {
        Ok("report") => {
            let code = inferscope::cli::run();
            eprintln!("{}", Cost::of_this_process());
            code
        }
        Ok(_) => open(),
        Err(_) => compare(),
    }
}

/// What one process took.
#[derive(Clone, Copy)]
struct Cost {
    cpu: Duration,
    peak_mb: u64,
    /// Wall time to the first partial picture, where one was shown.
    picture: Option<Duration>,
}

impl Cost {
    fn of_this_process() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu = Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0));
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak =
            status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        Self { cpu, peak_mb: peak.unwrap_or(0u64) / 1000, picture: None }
    }

    /// From the last line that [`Cost`]'s `Display` wrote.
    fn parse(text: &str) -> Option<Self> {
        let numbers: Vec<u64> = text.lines().last()?.split(' ').filter_map(|n| n.parse().ok()).collect();
        let &[cpu, peak_mb, picture] = &numbers[..] else { return None };
        let picture = (picture > 0).then(|| Duration::from_micros(picture));
        Some(Self { cpu: Duration::from_micros(cpu), peak_mb, picture })
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let picture = self.picture.map_or(0, |p| p.as_micros());
        write!(f, "{} {} {picture}", self.cpu.as_micros(), self.peak_mb)
    }
}

/// Opens the file that the command line names, as the window does, and prints what that took.
fn open() -> ExitCode {
    let start = Instant::now();
    let mut picture = None;
    let path = std::env::args_os().nth(2).map(PathBuf::from).unwrap_or_default();
    let profile = import::open(&Input::Path(path), &Job::new(), &mut |_| {
        picture.get_or_insert(start.elapsed());
    });
    let cost = Cost { picture, ..Cost::of_this_process() };
    drop(profile.unwrap_or_else(|e| panic!("{e}")));
    eprintln!("{cost}");
    ExitCode::SUCCESS
}

fn compare() -> ExitCode {
    let folder = std::env::temp_dir().join(format!("inferscope-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let large = std::env::var_os("INFERSCOPE_BENCH_LARGE").is_some();
    let runs = std::env::var("INFERSCOPE_BENCH_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |case: &&Case| {
        (large || !case.large) && (words.is_empty() || words.iter().any(|w| case.name.contains(w.as_str())))
    };
    println!("least CPU time of {runs} runs (user and system), peak memory");
    for case in CASES.iter().filter(wanted) {
        let path = folder.join(case.name);
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&path).expect("a file"));
        (case.write)(&mut out).and_then(|()| out.flush()).expect("room for the file");
        drop(out);
        let megabytes = std::fs::metadata(&path).map_or(0.0, |m| m.len() as f64 / 1e6);
        let (report, import) = (least("report", &path, runs), least("import", &path, runs));
        print!(
            "{:<30} {megabytes:>6.1} MB  report {:.3} s ({:.0} MB/s, {} MB), goal {}; import {:.3} s, {} MB",
            case.name,
            report.cpu.as_secs_f64(),
            megabytes / report.cpu.as_secs_f64(),
            report.peak_mb,
            case.goal,
            import.cpu.as_secs_f64(),
            import.peak_mb,
        );
        println!(
            "{}",
            import
                .picture
                .map_or(String::new(), |p| format!(", first picture after {:.2} s", p.as_secs_f64()))
        );
        let _ = std::fs::remove_file(&path);
    }
    let _ = std::fs::remove_dir_all(&folder);
    ExitCode::SUCCESS
}

/// The run with the least CPU time.
fn least(role: &str, path: &Path, runs: u32) -> Cost {
    let run = |_| {
        let me = std::env::current_exe().expect("this program");
        let mut command = Command::new(me);
        command.arg("report").arg(path).env(ROLE, role).stdin(Stdio::null()).stdout(Stdio::null());
        let output = command.stderr(Stdio::piped()).output().expect("a process");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        Cost::parse(&text).unwrap_or_else(|| panic!("{role} of {}: {text}", path.display()))
    };
    (0..runs.max(1)).map(run).min_by_key(|c| c.cpu).expect("at least one run")
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// A dict as cProfile dumps it: 100 000 functions of 3000 files, 300 000 callers. As in Python's own files, an object
/// that was written before is referred to by its number.
fn pstats(out: Out<'_>) -> std::io::Result<()> {
    const FUNCTIONS: u64 = 100_000;
    let mut random = Random(SEED);
    let mut refs = 0u32;
    let mut keys = vec![None; FUNCTIONS as usize];
    let mut files = vec![None; 3000];
    out.write_all(b"{")?;
    for i in 0..FUNCTIONS {
        key(out, i, &mut keys, &mut files, &mut refs)?;
        out.write_all(b"(\x05\0\0\0")?;
        let (own, total) = (random.below(3_000_000) as f64 / 1e9, random.below(1_000_000_000) as f64 / 1e9);
        costs(out, 9, own, total + own)?;
        out.write_all(b"{")?;
        for _ in 0..3 {
            key(out, random.below(FUNCTIONS), &mut keys, &mut files, &mut refs)?;
            out.write_all(b"(\x04\0\0\0")?;
            costs(out, 3, 0.001 + random.below(1000) as f64 / 1e9, 0.002 + random.below(1000) as f64 / 1e9)?;
        }
        out.write_all(b"0")?;
    }
    out.write_all(b"0")
}

/// A function's name, or a reference to it.
fn key(
    out: Out<'_>,
    i: u64,
    keys: &mut [Option<u32>],
    files: &mut [Option<u32>],
    refs: &mut u32,
) -> std::io::Result<()> {
    if let Some(number) = keys[i as usize] {
        out.write_all(b"r")?;
        return out.write_all(&number.to_le_bytes());
    }
    let mut next = || {
        *refs += 1;
        *refs - 1
    };
    keys[i as usize] = Some(next());
    out.write_all(b"\xa9\x03")?;
    match &mut files[i as usize % 3000] {
        Some(number) => {
            out.write_all(b"r")?;
            out.write_all(&number.to_le_bytes())?;
        }
        file => {
            *file = Some(next());
            let text = format!("/usr/lib/python3.11/site-packages/pkg{}/module_{}.py", i % 400, i % 3000);
            out.write_all(&[0xfa, text.len() as u8])?;
            out.write_all(text.as_bytes())?;
        }
    }
    out.write_all(b"i")?;
    out.write_all(&(10 + i as u32 % 900).to_le_bytes())?;
    let text = format!("function_{i}");
    out.write_all(&[b'z', text.len() as u8])?;
    out.write_all(text.as_bytes())
}

fn costs(out: Out<'_>, calls: u32, own: f64, total: f64) -> std::io::Result<()> {
    for _ in 0..2 {
        out.write_all(b"i")?;
        out.write_all(&calls.to_le_bytes())?;
    }
    for seconds in [own, total] {
        out.write_all(b"g")?;
        out.write_all(&seconds.to_le_bytes())?;
    }
    Ok(())
}

/// speedscope's head with 2000 frames.
fn speedscope_head(out: Out<'_>, kind: &str, list: &str) -> std::io::Result<()> {
    out.write_all(
        br#"{"$schema":"https://www.speedscope.app/file-format-schema.json","shared":{"frames":["#,
    )?;
    for i in 0..2000 {
        let comma = if i == 0 { "" } else { "," };
        write!(
            out,
            r#"{comma}{{"name":"function_{i}","file":"/srv/app/module_{}.py","line":{}}}"#,
            i % 90,
            i + 1
        )?;
    }
    write!(
        out,
        r#"]}},"profiles":[{{"type":"{kind}","name":"t","unit":"microseconds","startValue":0,"endValue":99999999,"{list}":["#
    )
}

/// 2.6 million events, eight calls deep.
fn evented(out: Out<'_>) -> std::io::Result<()> {
    speedscope_head(out, "evented", "events")?;
    let (mut size, mut at) = (0, 0u64);
    for call in 0u64.. {
        for step in 0..16u64 {
            let (letter, level) = if step < 8 { ('O', step) } else { ('C', 15 - step) };
            let comma = if at == 0 { "" } else { "," };
            let frame = (call * 7 + level * 131) % 2000;
            let event = format!(r#"{comma}{{"type":"{letter}","frame":{frame},"at":{at}}}"#);
            out.write_all(event.as_bytes())?;
            (size, at) = (size + event.len(), at + 1);
        }
        if size > 100_000_000 {
            break;
        }
    }
    out.write_all(b"]}]}")
}

/// 1.1 million stacks of 16 to 25 frames, of which the outer ones change seldom.
fn sampled(out: Out<'_>) -> std::io::Result<()> {
    speedscope_head(out, "sampled", "samples")?;
    let mut random = Random(SEED);
    let mut stack: Vec<u64> = Vec::new();
    let (mut size, mut samples) = (0, 0);
    while size < 93_000_000 {
        let kept = 25 - (random.below(1 << 9) + 1).ilog2() as usize - random.below(4) as usize;
        stack.truncate(kept.min(stack.len()));
        while stack.len() < 16 + random.below(10) as usize {
            let above = stack.last().copied().unwrap_or(0);
            stack.push((above * 3 + stack.len() as u64 * 7 + random.below(3)) % 2000);
        }
        let list = stack.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        write!(out, "{}[{list}]", if samples == 0 { "" } else { "," })?;
        (size, samples) = (size + list.len() + 3, samples + 1);
    }
    out.write_all(b"],\"weights\":[10")?;
    for _ in 1..samples {
        out.write_all(b",10")?;
    }
    out.write_all(b"]}]}")
}

/// A trace as the PyTorch profiler writes it, 300 bytes an event: four threads, calls four deep.
fn chrome(out: Out<'_>, bytes: usize) -> std::io::Result<()> {
    out.write_all(b"{\"schemaVersion\": 1, \"displayTimeUnit\": \"ms\", \"traceEvents\": [\n")?;
    let mut starts = [0u64; 4];
    for i in 0..bytes / 300 {
        let (thread, depth) = (i & 3, (i >> 2 & 3) as u64);
        if depth == 0 {
            starts[thread] += 41_000;
        }
        let (start, length) = (starts[thread] + depth * 1000, 40_000 - depth * 9000);
        let mut event = format!(
            r#"  {{"ph": "X", "cat": "cpu_op", "name": "aten::operation_{:03}", "pid": 7113, "tid": {}, "ts": {}.{:03}, "dur": {}.{:03}, "args": {{"External id": {}, "Record function id": 0, "Input Dims": [[1, 8, 256], [256, 256]], "Ev Idx": {i}, "m": ""#,
            i * 7 % 400,
            7113 + thread,
            start / 1000,
            start % 1000,
            length / 1000,
            length % 1000,
            i + 1
        );
        while event.len() < 295 {
            event.push('x');
        }
        event.push_str("\"}},\n");
        out.write_all(event.as_bytes())?;
    }
    out.write_all(br#"{"ph":"i","s":"g","name":"end","pid":1,"tid":1,"ts":0}]}"#)
}

/// Records of 5000 functions, 21 lines and 4 calls each; a function's next record is `shift` lines further down, so that
/// with 0 its lines are the same each time.
fn callgrind(out: Out<'_>, shift: u64) -> std::io::Result<()> {
    const FUNCTIONS: u64 = 5000;
    let mut random = Random(SEED);
    out.write_all(
        b"# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\npositions: line\nevents: Ir Dr Dw\n\n",
    )?;
    let mut given = [vec![false; 300], vec![false; FUNCTIONS as usize]];
    let mut name = |of: usize, id: u64| {
        let first = !std::mem::replace(&mut given[of][id as usize], true);
        match (first, of) {
            (false, _) => format!("({id})"),
            (true, 0) => format!("({id}) /src/module_{id}.cpp"),
            (true, _) => format!("({id}) ns::function_{id}(int, char const*)"),
        }
    };
    let mut size = 0;
    for record in 0u64.. {
        let function = record % FUNCTIONS;
        let first = 1 + function % 997 + record / FUNCTIONS * shift;
        let mut text =
            format!("fl={}\nfn={}\n{first} 900 70 60\n", name(0, function % 300), name(1, function));
        for line in 0..20 {
            let (a, b, c) = (random.below(10_000), random.below(1000), random.below(1000));
            text += &format!("+{} {a} {b} {c}\n", 1 + line % 3);
            if line % 5 == 4 {
                let callee = (function * 7 + line) % FUNCTIONS;
                let (a, b, c) = (random.below(100_000), random.below(10_000), random.below(10_000));
                let (file, called) = (name(0, callee % 300), name(1, callee));
                text += &format!(
                    "cfi={file}\ncfn={called}\ncalls={} {}\n* {a} {b} {c}\n",
                    1 + a % 99,
                    1 + callee % 997
                );
            }
        }
        text.push('\n');
        out.write_all(text.as_bytes())?;
        size += text.len();
        if size > 50_000_000 {
            break;
        }
    }
    Ok(())
}
