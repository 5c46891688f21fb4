use crate::import::ImportError;
use crate::import::testing::{damage, open_bytes, totals};
use crate::model::{Profile, TrackId, Unit};

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/pprof/", $name))
    };
}

fn open(bytes: &[u8]) -> Profile {
    let profile = open_bytes(bytes).unwrap();
    assert_eq!(profile.meta.format, "pprof");
    profile
}

fn sum(p: &Profile, name: &str) -> (i64, i64) {
    totals(p).get(name).copied().unwrap_or_default()
}

fn keys(p: &Profile) -> Vec<&str> {
    p.metrics.iter().map(|m| m.key.as_str()).collect()
}

/// Sums of a metric over all samples.
fn all(p: &Profile, key: &str) -> i64 {
    let metric = p.metric_by_key(key).unwrap();
    let columns = p.tracks.iter().flat_map(|t| &t.samples.weights).filter(|w| w.0 == metric);
    columns.flat_map(|w| &w.1).sum()
}

/// `go tool pprof -top`.
#[test]
fn a_cpu_profile_gives_the_totals_of_go_tool_pprof() {
    let p = open(sample!("go-cpu.pb.gz"));
    assert_eq!((keys(&p), p.metrics[0].unit), (vec!["cpu", "samples"], Unit::Nanoseconds));
    assert_eq!((all(&p, "cpu"), all(&p, "samples")), (2_100_000_000, 210));
    // A row stands for as many samples as it says.
    assert!(p.sample_count() < 210, "{}", p.sample_count());
    assert_eq!((p.samples_taken(), p.samples_on(TrackId(0))), (Some(210), 210));
    assert_eq!(sum(&p, "runtime.asyncPreempt"), (510_000_000, 510_000_000));
    assert_eq!(sum(&p, "main.fib"), (410_000_000, 630_000_000));
    assert!(p.warnings.is_empty() && p.meta.duration.is_some(), "{:?}", p.warnings);
}

#[test]
fn a_heap_has_four_metrics_and_shows_what_lives() {
    let p = open(sample!("go-heap.pb.gz"));
    assert_eq!(keys(&p), ["inuse_space", "alloc_objects", "alloc_space", "inuse_objects"]);
    assert_eq!((all(&p, "alloc_objects"), all(&p, "alloc_space")), (2_579_641, 959_728_046));
    let kib = |name| (sum(&p, name).0 as f64 / 1024.0, sum(&p, name).1 as f64 / 1024.0);
    let near = |(a, b): (f64, f64), (x, y): (f64, f64)| (a - x).abs() < 0.01 && (b - y).abs() < 0.01;
    assert!(near(kib("main.main.func2.1"), (4973.18, 6819.98)), "{:?}", kib("main.main.func2.1"));
    assert!(near(kib("compress/flate.NewWriter"), (1296.0, 1576.75)));
    assert!((all(&p, "inuse_space") as f64 / 1024.0 - 9202.06).abs() < 0.01);
}

/// speedscope's snapshot.
#[test]
fn an_old_go_profile_gives_the_totals_of_speedscope() {
    let p = open(sample!("speedscope-simple.prof"));
    assert_eq!(all(&p, "cpu"), 1_500_000_000);
    assert_eq!(sum(&p, "main.delta"), (220_000_000, 580_000_000));
    assert_eq!(sum(&p, "runtime.main"), (0, 1_360_000_000));
}

/// `go tool pprof -top` of a profile without symbols adds up modules.
#[test]
fn a_binary_profile_of_gperftools_names_modules() {
    let p = open(sample!("gpprof-cppbench.cpu"));
    assert_eq!(all(&p, "cpu"), 7_120_000_000);
    let mut own = std::collections::BTreeMap::new();
    for (stack, weight) in p.tracks[0].samples.stacks.iter().zip(&p.tracks[0].samples.weights[0].1) {
        let leaf = *p.stack_functions(stack.unwrap()).last().unwrap();
        *own.entry(p.text(p.functions.get(leaf).module).to_owned()).or_insert(0) += weight;
    }
    assert_eq!(own["cppbench_server_main"], 7_080_000_000);
    assert_eq!(own["libc-2.15.so"], 40_000_000);
}

#[test]
fn old_texts_open() {
    let heap = open(sample!("gpprof-cppbench.heap"));
    assert_eq!(keys(&heap), ["space", "objects"]);
    assert!(all(&heap, "space") > 8_498_176, "scaled up from its samples");
    let contention = open(sample!("gpprof-cppbench.contention"));
    assert_eq!(keys(&contention), ["delay", "contentions"]);
    assert_eq!(contention.tracks[0].samples.weights[1].1[0], 2700);
    let threads = open(sample!("gpprof-cppbench.thread"));
    assert_eq!(all(&threads, "thread"), 4);
    assert_eq!(sum(&threads, "nanosleep").0, 1);
    let java = open(sample!("gpprof-java.heap"));
    assert_eq!(all(&java, "objects"), java.tracks[0].samples.weights[1].1.iter().sum::<i64>());
    assert!(java.functions.rows().iter().any(|f| java.text(f.name).starts_with("com.example.")));
    let goroutines = open(sample!("go-goroutine-debug2.txt"));
    assert_eq!(sum(&goroutines, "main.main"), (0, 1));
    assert_eq!(sum(&goroutines, "runtime/pprof.writeGoroutineStacks"), (1, 1));
}

/// A field with a number or with bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

fn tiny(samples: &[&[u8]], others: &[&[u8]]) -> Vec<u8> {
    let mut all = field(1, &[8, 1, 16, 2]);
    samples.iter().for_each(|s| all.extend(field(2, s)));
    others.iter().for_each(|o| all.extend_from_slice(o));
    for text in ["", "cpu", "nanoseconds", "f", "thread", "worker"] {
        all.extend(field(6, text.as_bytes()));
    }
    all
}

#[test]
fn what_is_missing_is_counted() {
    let location = field(4, &[8, 1, 34, 2, 8, 9]);
    let p = open(&tiny(&[&[8, 1, 16, 5], &[8, 77, 16, 3], &[8, 1]], &[&location]));
    let kinds: Vec<_> = p.warnings.iter().map(|w| w.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "function that the file does not hold",
            "location that the file does not hold",
            "sample without values (skipped)"
        ]
    );
    assert_eq!((sum(&p, "(unknown function 9)").0, sum(&p, "(unknown location 77)").0), (5, 3));
}

#[test]
fn labels_name_threads() {
    let p = open(&tiny(&[&[16, 5, 26, 4, 8, 4, 16, 5], &[16, 7]], &[]));
    let names: Vec<_> = p.tracks.iter().map(|t| p.text(t.name)).collect();
    assert_eq!(names, ["worker", "Samples"]);
}

#[test]
fn files_without_content_say_so() {
    let e =
        open_bytes(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).unwrap_err();
    assert!(!e.what.is_empty());
    let p = open(&tiny(&[], &[]));
    assert_eq!(p.sample_count(), 0);
}

#[test]
fn damage_is_survived() {
    let opens = |r: Result<Profile, ImportError>| drop(r);
    damage(&tiny(&[&[8, 1, 16, 5]], &[&field(4, &[8, 1, 34, 2, 8, 9])]), opens);
    damage(sample!("gpprof-cppbench.thread"), opens);
    damage(&sample!("gpprof-cppbench.cpu")[..4000], opens);
}
