//! The worst shapes that a file can have: stacks a million deep, a million names, threads or samples, flows everywhere.
//!
//! `cargo bench --bench shapes` writes each into a temporary folder, the same bytes every time, and takes CPU time (user
//! and system) and peak memory of processes that report it, report it as JSON, draw its flame chart, and open it in a
//! window. The window has no screen, but does all else: it is at rest when nothing asks for another frame, and then its
//! CPU time is taken for some seconds more, which has to be 0. Words on the command line choose shapes by their names,
//! `INFERSCOPE_BENCH_DO=report,window` what is done with them.
#![allow(missing_docs, clippy::panic, clippy::expect_used, reason = "a bench may fail loudly")]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use inferscope::app::{App, Settings};

type Out<'a> = &'a mut BufWriter<File>;
type Written = std::io::Result<()>;

const ROLE: &str = "INFERSCOPE_BENCH_ROLE";
const SIZE: egui::Vec2 = egui::vec2(1600.0, 1000.0);
/// How long nothing may ask for a frame before the window counts as at rest.
const CALM: Duration = Duration::from_millis(700);
/// How long it is watched after that.
const REST: Duration = Duration::from_secs(5);
/// Longest time until a window is at rest.
const PATIENCE: Duration = Duration::from_secs(120);

struct Shape {
    name: &'static str,
    write: fn(Out<'_>) -> Written,
}

const SHAPES: &[Shape] = &[
    Shape { name: "deep-1m.speedscope.json", write: deep },
    Shape { name: "samples-1m-25-deep.speedscope.json", write: sampled },
    Shape { name: "samples-2000-deep.speedscope.json", write: deep_samples },
    Shape { name: "stacks-all-different-10mb.speedscope.json", write: different_stacks },
    Shape { name: "instants-2m.json", write: |o| trace(o, 2_000_000, instant) },
    Shape { name: "counter-1m-values.json", write: |o| trace(o, 1_000_000, |i| counter(i, 1)) },
    Shape { name: "counters-100k.json", write: |o| trace(o, 1_000_000, |i| counter(i, 100_000)) },
    Shape { name: "threads-200k.json", write: |o| trace(o, 1_000_000, thread) },
    Shape { name: "async-100k-at-once.json", write: |o| trace(o, 200_000, at_once) },
    Shape { name: "overlapping-1m.json", write: |o| trace(o, 1_000_000, overlapping) },
    Shape { name: "flows-250k.json", write: |o| trace(o, 1_000_000, flow) },
    Shape { name: "names-1m.json", write: |o| trace(o, 1_000_000, name) },
    Shape { name: "order-random-1m.json", write: |o| trace(o, 1_000_000, random_order) },
    Shape { name: "ends-without-begin-1m.json", write: |o| trace(o, 1_000_000, end) },
    Shape { name: "args-100mb.json", write: args },
    Shape { name: "kineto-100mb.json", write: |o| trace(o, 450_000, kineto) },
    Shape { name: "lines-1m.callgrind", write: lines },
    Shape { name: "functions-40k.callgrind", write: functions },
];

fn main() -> ExitCode {
    match std::env::var(ROLE).as_deref() {
        Ok("window") => window(),
        Ok(_) => {
            let code = inferscope::cli::run();
            eprintln!("{}", Taken::now());
            code
        }
        Err(_) => compare(),
    }
}

/// What a process took so far.
struct Taken {
    cpu: Duration,
    peak_mb: u64,
}

impl Taken {
    fn now() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu = Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0));
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak =
            status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        Self { cpu, peak_mb: peak.unwrap_or(0u64) / 1000 }
    }
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} s, {} MB", self.cpu.as_secs_f64(), self.peak_mb)
    }
}

/// Opens the file as the window does, and waits for rest.
fn window() -> ExitCode {
    let path = std::env::args_os().nth(2).map(PathBuf::from).unwrap_or_default();
    let ctx = egui::Context::default();
    inferscope::ui::theme::install(&ctx);
    let (wake, woken) = mpsc::channel();
    ctx.set_request_repaint_callback(move |info| {
        // The receiver lives as long as the window.
        let _ = wake.send(Instant::now() + info.delay.min(PATIENCE));
    });
    let mut app = App::new(&ctx, Settings::default(), None);
    app.open_path(&path);
    let start = Instant::now();
    let mut frame = || {
        let input = egui::RawInput {
            screen_rect: Some(egui::Rect::from_min_size(egui::Pos2::ZERO, SIZE)),
            time: Some(start.elapsed().as_secs_f64()),
            ..egui::RawInput::default()
        };
        let mut output = ctx.run_ui(input, |ui| {
            app.logic(&ctx);
            app.ui(ui);
        });
        drop(ctx.tessellate(std::mem::take(&mut output.shapes), output.pixels_per_point));
        let next = output.viewport_output.get(&egui::ViewportId::ROOT).map(|v| v.repaint_delay);
        output.drop_without_applying_deltas();
        next.unwrap_or(Duration::MAX)
    };
    // Runs frames as they are asked for until nobody asks for one within `calm`; the time of the last one.
    let mut due = Some(start);
    let mut run = |calm: Duration, most: Duration| {
        let (begin, mut last) = (Instant::now(), Instant::now());
        while last.elapsed() < calm && begin.elapsed() < most {
            // A screen shows 60 frames a second.
            let next = due.map(|due: Instant| due.max(last + Duration::from_millis(16)));
            let until = next.unwrap_or(last + calm).min(last + calm);
            match woken.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(wanted) => due = Some(due.map_or(wanted, |due| due.min(wanted))),
                Err(_) if next.is_some_and(|next| next <= Instant::now()) => {
                    let delay = frame();
                    last = Instant::now();
                    due = (delay < PATIENCE).then(|| last + delay);
                }
                Err(_) => {}
            }
        }
        last.duration_since(begin)
    };
    let settled = run(CALM, PATIENCE);
    let taken = Taken::now();
    let until = Instant::now() + REST;
    while Instant::now() < until {
        run(until.saturating_duration_since(Instant::now()), REST);
    }
    let rest = Taken::now().cpu.saturating_sub(taken.cpu);
    eprintln!(
        "{taken}, at rest after {:.1} s, then {:.2} s CPU in 5 s",
        settled.as_secs_f64(),
        rest.as_secs_f64()
    );
    ExitCode::SUCCESS
}

fn compare() -> ExitCode {
    let folder = std::env::temp_dir().join(format!("inferscope-shapes-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let tasks = std::env::var("INFERSCOPE_BENCH_DO").unwrap_or_else(|_| "report,json,flame,window".into());
    println!("CPU time (user and system) and peak memory of one process each");
    for shape in
        SHAPES.iter().filter(|s| words.is_empty() || words.iter().any(|w| s.name.contains(w.as_str())))
    {
        let path = folder.join(shape.name);
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&path).expect("a file"));
        (shape.write)(&mut out).and_then(|()| out.flush()).expect("room for the file");
        drop(out);
        let megabytes = std::fs::metadata(&path).map_or(0.0, |m| m.len() as f64 / 1e6);
        println!("{} ({megabytes:.0} MB)", shape.name);
        for task in tasks.split(',') {
            println!("  {task:<7} {}", measured(task, &path, &folder));
        }
        let _ = std::fs::remove_file(&path);
    }
    let _ = std::fs::remove_dir_all(&folder);
    ExitCode::SUCCESS
}

/// What a process of its own says at its end.
fn measured(task: &str, path: &Path, folder: &Path) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(ROLE, task).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    match task {
        "flame" => {
            let (picture, size) = (folder.join("picture.png"), format!("{}x{}", SIZE.x, SIZE.y));
            command.arg("render").arg(path).arg("-o").arg(picture).args(["--view", "flame", "--size", &size]);
        }
        "json" => drop(command.arg("report").arg(path).arg("--json")),
        _ => drop(command.arg("report").arg(path)),
    }
    let output = command.output().expect("a process");
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().last().unwrap_or("nothing").to_owned()
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

fn random() -> Random {
    Random(0x9E37_79B9_7F4A_7C15)
}

fn speedscope(out: Out<'_>, frames: u64, kind: &str, list: &str) -> Written {
    write!(out, r#"{{"$schema":"https://www.speedscope.app/file-format-schema.json","shared":{{"frames":["#)?;
    for i in 0..frames {
        let comma = if i == 0 { "" } else { "," };
        write!(
            out,
            r#"{comma}{{"name":"function_{i}","file":"/srv/module_{}.py","line":{}}}"#,
            i % 90,
            i + 1
        )?;
    }
    let head = r#""unit":"microseconds","startValue":0,"endValue":99999999"#;
    write!(out, r#"]}},"profiles":[{{"type":"{kind}","name":"main",{head},"{list}":["#)
}

/// A million opens, then a million closes.
fn deep(out: Out<'_>) -> Written {
    const DEPTH: u64 = 1_000_000;
    speedscope(out, 2, "evented", "events")?;
    for i in 0..2 * DEPTH {
        let (comma, letter) = (if i == 0 { "" } else { "," }, if i < DEPTH { 'O' } else { 'C' });
        let frame = if i < DEPTH { i % 2 } else { (2 * DEPTH - 1 - i) % 2 };
        write!(out, r#"{comma}{{"type":"{letter}","frame":{frame},"at":{i}}}"#)?;
    }
    out.write_all(b"]}]}")
}

/// Samples with these stacks, by their place.
fn samples(out: Out<'_>, count: usize, frames: u64, mut stack: impl FnMut(usize) -> String) -> Written {
    speedscope(out, frames, "sampled", "samples")?;
    for i in 0..count {
        write!(out, "{}[{}]", if i == 0 { "" } else { "," }, stack(i))?;
    }
    write!(out, "],\"weights\":[10{}]}}]}}", ",10".repeat(count - 1))
}

fn list(frames: impl Iterator<Item = u64>) -> String {
    frames.map(|f| f.to_string()).collect::<Vec<_>>().join(",")
}

/// A million samples of 3000 stacks of 25 unrelated frames: every sample is another stack than the one before.
fn sampled(out: Out<'_>) -> Written {
    let mut random = random();
    let stacks: Vec<String> = (0..3000).map(|_| list((0..25).map(|_| random.below(500)))).collect();
    samples(out, 1_000_000, 500, |_| {
        let u = random.below(1000);
        stacks[(3000 * u * u / 1_000_000) as usize].clone()
    })
}

/// Stacks that share all but their last frames.
fn deep_samples(out: Out<'_>) -> Written {
    let mut random = random();
    let root = list(0..1995);
    samples(out, 10_000, 2500, |_| format!("{root},{}", list((0..5).map(|_| 1995 + random.below(500)))))
}

/// Stacks that share nothing from the first frames on.
fn different_stacks(out: Out<'_>) -> Written {
    let mut random = random();
    samples(out, 100_000, 500, |_| list((0..25).map(|_| random.below(500))))
}

/// A Chrome trace of so many events.
fn trace(out: Out<'_>, count: u64, mut event: impl FnMut(u64) -> String) -> Written {
    out.write_all(b"{\"traceEvents\":[\n")?;
    for i in 0..count {
        let comma = if i == 0 { "" } else { ",\n" };
        write!(out, "{comma}{}", event(i))?;
    }
    out.write_all(b"\n]}")
}

fn instant(i: u64) -> String {
    format!(r#"{{"ph":"i","s":"t","name":"tick_{}","pid":1,"tid":1,"ts":{i}}}"#, i % 50)
}

fn counter(i: u64, counters: u64) -> String {
    format!(
        r#"{{"ph":"C","name":"counter_{}","pid":1,"ts":{i},"args":{{"a":{},"b":{}}}}}"#,
        i % counters,
        i % 977,
        i % 13
    )
}

fn thread(i: u64) -> String {
    format!(r#"{{"ph":"X","name":"work_{}","pid":1,"tid":{},"ts":{i},"dur":3}}"#, i % 40, i % 200_000)
}

/// All begin, then all end.
fn at_once(i: u64) -> String {
    let phase = if i < 100_000 { 'b' } else { 'e' };
    format!(
        r#"{{"ph":"{phase}","cat":"request","name":"call_{}","id":{},"pid":1,"tid":1,"ts":{i}}}"#,
        i % 30,
        i % 100_000
    )
}

/// Fifty at a time, none inside another one.
fn overlapping(i: u64) -> String {
    format!(r#"{{"ph":"X","name":"step_{}","pid":1,"tid":1,"ts":{i},"dur":50}}"#, i % 40)
}

/// Two slices on two threads with an arrow from one to the other, again and again.
fn flow(i: u64) -> String {
    let (id, at) = (i / 4, i / 4 * 10);
    match i % 4 {
        0 => format!(r#"{{"ph":"X","name":"launch_{}","pid":1,"tid":1,"ts":{at},"dur":4}}"#, id % 40),
        1 => format!(r#"{{"ph":"s","cat":"flow","name":"flow","id":{id},"pid":1,"tid":1,"ts":{}}}"#, at + 2),
        2 => format!(r#"{{"ph":"X","name":"kernel_{}","pid":1,"tid":2,"ts":{},"dur":8}}"#, id % 70, at + 5),
        _ => format!(
            r#"{{"ph":"f","bp":"e","cat":"flow","name":"flow","id":{id},"pid":1,"tid":2,"ts":{}}}"#,
            at + 5
        ),
    }
}

fn name(i: u64) -> String {
    format!(r#"{{"ph":"X","name":"function number {i}","pid":1,"tid":1,"ts":{},"dur":8}}"#, i * 10)
}

fn random_order(i: u64) -> String {
    let at = (i * 7_919) % 1_000_003;
    format!(r#"{{"ph":"X","name":"step_{}","pid":1,"tid":{},"ts":{},"dur":8}}"#, i % 40, i % 4, at * 10)
}

fn end(i: u64) -> String {
    format!(r#"{{"ph":"E","name":"step_{}","pid":1,"tid":1,"ts":{i}}}"#, i % 40)
}

/// One event whose arguments are nearly all of the file, and full of escapes.
fn args(out: Out<'_>) -> Written {
    let text = r#"a \"quoted\" line\n"#.repeat(5_500_000);
    write!(
        out,
        r#"{{"traceEvents":[{{"ph":"X","name":"big","pid":1,"tid":1,"ts":0,"dur":9,"args":{{"text":"{text}"}}}}]}}"#
    )
}

/// Events as the PyTorch profiler writes them: operators with their shapes, launches with an arrow to a kernel on another
/// track, memory counters.
fn kineto(i: u64) -> String {
    let mut random = Random(i.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let (step, at) = (i / 9, i / 9 * 60);
    let id = step + 1;
    let name = random.below(900);
    match i % 9 {
        k @ 0..=3 => format!(
            r#"{{"ph":"X","cat":"cpu_op","name":"aten::operation_{name}","pid":7113,"tid":7113,"ts":{}.{:03},"dur":{}.417,"args":{{"External id":{id},"Record function id":0,"Input Dims":[[{},{},256],[256,{}]],"Input type":["c10::BFloat16","c10::BFloat16"],"Ev Idx":{i}}}}}"#,
            at + k * 3,
            random.below(1000),
            40 - k * 9,
            random.below(64),
            random.below(512),
            random.below(4096)
        ),
        4 => format!(
            r#"{{"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","pid":7113,"tid":7113,"ts":{}.050,"dur":4.100,"args":{{"External id":{id},"cbid":211,"correlation":{id}}}}}"#,
            at + 14
        ),
        5 => format!(
            r#"{{"ph":"s","cat":"ac2g","name":"ac2g","id":{id},"pid":7113,"tid":7113,"ts":{}.050}}"#,
            at + 14
        ),
        6 => format!(
            r#"{{"ph":"X","cat":"kernel","name":"void at::native::kernel_{name}<float, {}>(int, float*)","pid":0,"tid":7,"ts":{}.200,"dur":{}.900,"args":{{"External id":{id},"device":0,"stream":7,"correlation":{id},"registers per thread":{},"grid":[{},1,1],"block":[256,1,1],"est. achieved occupancy %":{}}}}}"#,
            random.below(8),
            at + 20,
            10 + random.below(25),
            random.below(255),
            random.below(9000),
            random.below(100)
        ),
        7 => format!(
            r#"{{"ph":"f","bp":"e","cat":"ac2g","name":"ac2g","id":{id},"pid":0,"tid":7,"ts":{}.200}}"#,
            at + 20
        ),
        _ => format!(
            r#"{{"ph":"C","cat":"memory","name":"[memory]","pid":7113,"tid":7113,"ts":{}.500,"args":{{"Total Allocated":{},"Total Reserved":{}}}}}"#,
            at + 30,
            random.below(1 << 33),
            random.below(1 << 33)
        ),
    }
}

fn callgrind(out: Out<'_>, events: &str) -> Written {
    write!(
        out,
        "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\npositions: line\nevents: {events}\n\n"
    )
}

/// One function with a million lines.
fn lines(out: Out<'_>) -> Written {
    callgrind(out, "Ir")?;
    out.write_all(b"fl=big.c\nfn=main\n")?;
    (0..1_000_000u64).try_for_each(|i| writeln!(out, "{} {}", i + 1, i % 7_000))
}

/// 40 000 functions with lines and calls, nine numbers each: most of them 0, as valgrind writes them.
fn functions(out: Out<'_>) -> Written {
    callgrind(out, "Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw")?;
    let mut random = random();
    for function in 0..40_000u64 {
        writeln!(
            out,
            "fl=({0}) /src/module_{0}.cpp\nfn=({1}) ns::function_{1}(int, char const*)",
            1 + function % 300,
            function + 1
        )?;
        for line in 0..60 {
            let (a, b, c) = (random.below(100_000), random.below(9_000), random.below(3));
            writeln!(out, "+{} {a} {b} {} {c} {} 0 {c} 0 0", 1 + line % 3, b / 3, c * 2)?;
            if line % 12 == 11 {
                let callee = random.below(40_000) + 1;
                writeln!(
                    out,
                    "cfi=({0}) /src/module_{0}.cpp\ncfn=({callee}) ns::function_{callee}(int, char const*)\ncalls={1} 5\n* {2} {3} 70 1 0 0 0 0 0",
                    1 + (callee - 1) % 300,
                    1 + a % 99,
                    a * 20,
                    b * 20
                )?;
            }
        }
    }
    Ok(())
}
