use crate::import::testing::{damage, open_bytes, totals};
use crate::model::Profile;

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/v8/", $name))
    };
}

fn open(bytes: &[u8], format: &str) -> Profile {
    let profile = open_bytes(bytes).unwrap();
    assert_eq!(profile.meta.format, format);
    profile
}

/// A sample lasts until the next one, as DevTools counts.
#[test]
fn self_times_are_those_of_devtools() {
    let p = open(sample!("node20.cpuprofile"), "cpuprofile");
    let totals = totals(&p);
    for (name, us) in
        [("(idle)", 42189), ("parse", 70029), ("(garbage collector)", 14805), ("run", 27165), ("fib", 4352)]
    {
        assert_eq!(totals[name].0, us * 1000, "{name}");
    }
    assert_eq!((p.sample_count(), p.meta.duration), (57, Some(211_861_000)));
}

/// speedscope's snapshot.
#[test]
fn heaps_add_up() {
    let p = open(sample!("speedscope-Heap-20181003T105432.heapprofile"), "heapprofile");
    let totals = totals(&p);
    assert_eq!(totals["(root)"], (0, 525_704));
    assert_eq!(totals["_tickDomainCallback"], (0, 263_232));
    let p = open(sample!("node20.heapprofile"), "heapprofile");
    assert_eq!(p.tracks[0].samples.weights[0].1.iter().sum::<i64>(), 1_048_624);
}

#[test]
fn files_of_2016_are_trees() {
    let p = open(sample!("speedscope-node10.11.0-example.cpuprofile"), "cpuprofile");
    assert!(p.warnings.is_empty(), "{:?}", p.warnings);
    assert!(p.sample_count() == 29 && totals(&p).contains_key("a"));
}

#[test]
fn what_is_missing_is_counted() {
    let nodes = |children: &str| {
        format!(
            r#"{{"nodes": [{{"id": 1, "callFrame": {{"functionName": "f"}}, "hitCount": 1, "children": [{children}]}}],
            "startTime": 0, "endTime": 10, "samples": [1, 42], "timeDeltas": [1, 1]}}"#
        )
    };
    let p = open(nodes("99").as_bytes(), "cpuprofile");
    let kinds: Vec<_> = p.warnings.iter().map(|w| w.kind.as_str()).collect();
    assert_eq!(
        kinds,
        ["child that is no node (left out)", "sample whose node is missing (shown without stack)"]
    );
    assert!(open_bytes(nodes("1").as_bytes()).unwrap_err().what.contains("below itself"));
}

#[test]
fn a_million_nested_nodes_open() {
    let mut text = r#"{"samples":[],"startTime":0,"head":"#.to_owned();
    text += &r#"{"functionName":"f","hitCount":0,"children":["#.repeat(1_000_000);
    text += r#"{"functionName":"g","hitCount":3}"#;
    text += &"]}".repeat(1_000_000);
    text += "}";
    assert_eq!(totals(&open(text.as_bytes(), "cpuprofile"))["g"], (3, 3));
}

#[test]
fn damage_is_survived() {
    damage(sample!("node20.heapprofile"), drop);
    damage(sample!("speedscope-node10.11.0-example.cpuprofile"), drop);
}
