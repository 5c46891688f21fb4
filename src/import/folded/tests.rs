use crate::import::ImportError;
use crate::import::testing::{damage, open_bytes, totals};
use crate::model::{Basis, Profile, Unit, dump};

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/folded/", $name))
    };
}

fn open(bytes: impl AsRef<[u8]>) -> Profile {
    let profile = open_bytes(bytes.as_ref()).unwrap();
    assert_eq!(profile.meta.format, "folded");
    profile
}

fn sum(p: &Profile, name: &str) -> (i64, i64) {
    totals(p).get(name).copied().unwrap_or_default()
}

fn warnings(p: &Profile) -> Vec<(u64, &str)> {
    p.warnings.iter().map(|w| (w.count, w.kind.as_str())).collect()
}

#[test]
fn stacks_give_the_totals_of_speedscope() {
    let p = open(sample!("speedscope-simple.txt"));
    assert_eq!([sum(&p, "a"), sum(&p, "b"), sum(&p, "c"), sum(&p, "d")], [(0, 14), (5, 14), (5, 5), (4, 4)]);
    assert_eq!((p.metrics[0].unit, &p.meta.basis), (Unit::Count, &Basis::Aggregated));
    assert_eq!(dump(&open(sample!("speedscope-simple-utf16-le.txt"))), dump(&p));
}

/// Numbers of a script that adds up the lines.
#[test]
fn py_spy_names_files_lines_and_threads() {
    let p = open(sample!("py-spy-threads.raw.txt"));
    let weights: i64 = p.tracks.iter().flat_map(|t| &t.samples.weights).flat_map(|w| &w.1).sum();
    assert_eq!(weights, 1500);
    assert_eq!(sum(&p, "Thread._bootstrap"), (0, 1436));
    assert_eq!(sum(&p, "thread (3131): cpu_loop"), (0, 605));
    assert_eq!(sum(&p, "sleepy").0, 257);
    let names: Vec<_> = p.tracks.iter().map(|t| p.text(t.name)).collect();
    assert!(names.contains(&"thread (3130): alloc_loop"), "{names:?}");
    assert!(dump(&p).contains("\"busy.py\""));
}

#[test]
fn austin_counts_microseconds_per_thread() {
    let p = open(sample!("busy.austin.txt.gz"));
    assert_eq!((p.meta.tool.as_str(), p.metrics[0].unit), ("austin 3.7.0", Unit::Nanoseconds));
    assert_eq!(p.meta.duration, Some(3_077_040_000));
    assert!(p.tracks.len() > 1 && p.warnings.is_empty(), "{:?}", p.warnings);
    let main = p.tracks.iter().find(|t| p.text(t.name) == "T0:3927").unwrap();
    assert_eq!(p.text(main.process), "P3927");
    let full = open("# austin: 3.7.0\n# mode: full\nP1;T0:1;a.py:f:3 100,0,8\nP1;T0:1;a.py:f:4 50,1,-4\n");
    let weights: Vec<_> = full.tracks[0].samples.weights.iter().map(|w| w.1.iter().sum::<i64>()).collect();
    assert_eq!(weights, [150_000, 100_000, 4]);
}

#[test]
fn two_counts_are_two_metrics() {
    let p = open("a;b 3 5\na;c 7 0\n");
    assert_eq!(p.metrics.iter().map(|m| m.label.as_str()).collect::<Vec<_>>(), ["Before", "After"]);
    let sums: Vec<_> = p.tracks[0].samples.weights.iter().map(|w| w.1.iter().sum::<i64>()).collect();
    assert_eq!(sums, [10, 5]);
}

#[test]
fn names_may_hold_blanks_and_numbers() {
    let p = open("f(int, long) 1;g<a b> 2\nf(int, long) 1;h 3\n1;2;3 4\n");
    assert_eq!((sum(&p, "f(int, long) 1"), sum(&p, "g<a b>"), sum(&p, "3")), ((0, 5), (2, 2), (4, 4)));
}

#[test]
fn fractions_keep_their_sum() {
    let p = open("a;b 31.4\na;c 6.4\na;d 0.2\n");
    assert_eq!(sum(&p, "a").1, 38);
    let p = open("a;b 0.4\na;c 0.4\na;d 0.4\na;e 2\n");
    let said = "weight that is no whole number (rounded by at most 0.6, so that the sum of all stays right)";
    assert_eq!(warnings(&p), [(3, said)]);
    assert!(open("a;b 3.0\n").warnings.is_empty());
}

#[test]
fn oddities_are_counted() {
    let p = open(";;a;;b;; 3\n; 2\n 5\nBAD LINE\na;b -3\na;c 5\na;b\t4\na;c 99999999999999999999999\n");
    assert_eq!(sum(&p, "b"), (7, 7));
    assert_eq!(
        warnings(&p),
        [
            (2, "frame without a name (left out)"),
            (1, "line without a count at its end (skipped)"),
            (1, "negative count (skipped)"),
            (1, "count too large (the largest possible one instead)"),
        ]
    );
}

#[test]
fn other_texts_are_not_taken() {
    for text in ["hello world\n", "a,b,c\n1,2,3\n", "5, 100, 50.0\n6, 101, 51\n", "{\"a\": 1}", ""] {
        let result = open_bytes(text.as_bytes());
        assert!(
            result.as_ref().is_err_and(|e| !e.what.is_empty()),
            "{text}: {:?}",
            result.map(|p| p.meta.format)
        );
    }
}

#[test]
fn a_stack_of_a_million_frames_opens() {
    let mut text = "f;".repeat(1_000_000);
    text += "g 1\na;b 2\n";
    assert_eq!(sum(&open(text), "g"), (1, 1));
}

#[test]
fn damage_is_survived() {
    let opens = |r: Result<Profile, ImportError>| drop(r);
    damage(&sample!("py-spy-threads.raw.txt")[..6000], opens);
    damage(b"# austin: 3.7.0\n# mode: full\nP1;T0:1;a.py:f:3 100,0,8\nP1;T0:1;a.py:f:4 50,1,-4\n", opens);
}
