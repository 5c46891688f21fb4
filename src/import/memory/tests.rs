use crate::import::testing::{damage, open_bytes};
use crate::model::{Profile, heap};

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/memory/", $name))
    };
}

fn open(bytes: &[u8], format: &str) -> Profile {
    let profile = open_bytes(bytes).unwrap();
    assert_eq!(profile.meta.format, format);
    profile
}

fn all(p: &Profile, key: &str) -> i64 {
    let metric = p.metric_by_key(key).unwrap();
    let columns = p.tracks.iter().flat_map(|t| &t.samples.weights).filter(|w| w.0 == metric);
    columns.flat_map(|w| &w.1).sum()
}

#[test]
fn massif_shows_the_tree_of_the_peak() {
    let p = open(sample!("git-log.massif.out"), "massif");
    assert_eq!(p.counters[0].times.len(), 54);
    let peak = p.counters[0].peak().unwrap().1;
    assert_eq!((peak, all(&p, heap::AT_PEAK)), (722_116.0, 722_116));
    damage(&sample!("git-log.massif.out")[..5000], drop);
}

#[test]
fn dhat_counts_bytes_and_blocks() {
    let p = open(sample!("ls.dhat.json"), "dhat");
    assert_eq!(p.sample_count(), 85);
    assert!(all(&p, heap::ALLOCATED) >= all(&p, heap::AT_PEAK));
    let adhoc = open(sample!("iai-dhat.ad_hoc_mode.out"), "dhat");
    assert_eq!((all(&adhoc, "units"), all(&adhoc, "events")), (15, 1));
    damage(sample!("iai-dhat.ad_hoc_mode.out"), drop);
}

#[test]
fn heaptrack_knows_who_held_what_at_the_peak() {
    let p = open(sample!("heaptrack-sort.zst"), "heaptrack");
    assert_eq!(all(&p, heap::ALLOCATIONS), 222);
    let peak = p.counters[0].peak().unwrap().1;
    assert_eq!(all(&p, heap::AT_PEAK) as f64, peak);
    let text = "v 10400 3\nX a\ns 4 main\ns 1 f\ni 10 0 1\ni 20 0 2\nt 1 0\nt 2 1\na 64 2\na a 1\n+ 0\n+ 1\n- 0\n+ 1\nc 5\n";
    let p = open(text.as_bytes(), "heaptrack");
    assert_eq!((all(&p, heap::AT_PEAK), all(&p, heap::ALLOCATED), all(&p, heap::AT_END)), (110, 120, 20));
    damage(text.as_bytes(), drop);
}

#[test]
fn mprof_has_memory_and_functions() {
    let p = open(sample!("mprofile.dat"), "mprof");
    let (_, peak) = p.counters[0].peak().unwrap();
    assert!((peak / f64::from(1 << 20) - 80.269_531).abs() < 1e-6);
    assert_eq!((p.counters[0].times.len(), p.span_count()), (187, 6));
    let odd = open(b"MEM 1 1.0\nMEM nan 2.0\nMEM 2\nMEM 3 0.5\nNEW 1\nFUNC f 1 3.0 2 2.0 0\n", "mprof");
    assert_eq!(odd.warnings.iter().map(|w| w.count).sum::<u64>(), 5, "{:?}", odd.warnings);
    damage(&sample!("mprofile.dat")[..600], drop);
}

#[test]
fn memray_has_stacks_or_tables() {
    let p = open(sample!("busy.memray.csv"), "memray");
    assert_eq!((all(&p, "held"), p.warnings.len()), (31_735_155, 0), "its own «peak memory»");
    let graph = open(sample!("busy.memray-gprof2dot.json"), "memray");
    assert_eq!(all(&graph, "held"), 31_685_907);
    let stats = open(sample!("busy.memray-stats.json"), "memray");
    assert_eq!(stats.meta.tables[0].rows.len(), 10);
    assert_eq!(stats.meta.fact("Bytes allocated"), Some(&(303_163_107, crate::model::Unit::Bytes).into()));
    damage(&sample!("busy.memray.csv")[..2000], drop);
}
