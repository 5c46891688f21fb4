use crate::import::testing::{damage, open_bytes, totals};
use crate::model::Profile;

const SAMPLE: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/perf/python-busy.perf.txt.gz"));

fn open(bytes: &[u8]) -> Profile {
    let profile = open_bytes(bytes).unwrap();
    assert_eq!(profile.meta.format, "perf");
    profile
}

/// As many as there are headers in the file; the weight is what stackcollapse-perf.pl adds up.
#[test]
fn samples_and_periods_add_up() {
    let p = open(SAMPLE);
    assert_eq!(p.metrics.iter().map(|m| m.key.as_str()).collect::<Vec<_>>(), ["samples", "cpu-clock"]);
    let sum = |n: usize| p.tracks.iter().flat_map(|t| &t.samples.weights[n].1).sum::<i64>();
    assert_eq!((sum(0), sum(1)), (1116, 2_236_472_928));
    assert!(p.is_timed() && p.warnings.is_empty(), "{:?}", p.warnings);
}

#[test]
fn a_pause_is_no_sample() {
    let line = |t: &str| format!("a 1/1 {t}: 1000000 cpu-clock: \n\t1 f+0x1 (/bin/a)\n\t2 main (/bin/a)\n\n");
    let text = line("1.000") + &line("1.001") + &line("2.000");
    let p = open(text.as_bytes());
    assert_eq!(totals(&p)["main"], (0, 3));
    let samples = &p.tracks[0].samples;
    assert_eq!(samples.stacks.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, true]);
    assert_eq!(samples.interval(2), Some((2_000_000, 1_000_000_000)));
}

#[test]
fn inlined_java_is_a_frame_of_its_own() {
    let p =
        open(b"java 1/2 1.0: 1 cycles:\n\t1 A::b->C::d (/tmp/perf-1.map)\n\t2 operator-> (/lib/x.so)\n\n");
    let names: Vec<_> = p
        .stack_functions(p.tracks[0].samples.stacks[0].unwrap())
        .iter()
        .map(|f| p.function_name(*f).to_owned())
        .collect();
    assert_eq!(names, ["operator->", "A::b", "C::d"]);
}

#[test]
fn damage_is_survived() {
    damage(
        b"a 1/1 1.0: 1000 cpu-clock: \n\t1 f+0x1 (/bin/a)\n\t2 main (/bin/a)\n\n b 2 1.1: cycles: 3 x (y)\n",
        drop,
    );
}
