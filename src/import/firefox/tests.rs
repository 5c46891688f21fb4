use crate::import::testing::{damage, open_bytes, totals};
use crate::model::Profile;

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/firefox/", $name))
    };
}

fn open(bytes: &[u8]) -> Profile {
    let profile = open_bytes(bytes).unwrap();
    assert_eq!(profile.meta.format, "firefox");
    profile
}

/// Numbers of a script over the tables.
#[test]
fn samply_counts_weights() {
    let p = open(sample!("samply-tar.json"));
    let samples = p.metric_by_key("samples").unwrap();
    let track = p.tracks.last().unwrap();
    let column = track.samples.weights.iter().find(|w| w.0 == samples).map(|w| &w.1);
    assert_eq!(track.samples.len(), 84);
    let mut own = std::collections::HashMap::new();
    for (stack, weight) in track.samples.stacks.iter().zip(column.unwrap()) {
        let leaf = stack.map(|s| *p.stack_functions(s).last().unwrap());
        *own.entry(leaf.map_or("", |f| p.function_name(f))).or_insert(0) += weight;
    }
    assert_eq!((own["0xf82ad"], own["0xf8350"], own["0xd0043"]), (38, 21, 15));
    assert!(p.metric_by_key("cpu").is_some());
}

#[test]
fn gecko_rows_follow_their_schema() {
    let p = open(sample!("speedscope-61-recursion.json.gz"));
    assert_eq!(p.sample_count(), 15);
    assert!(totals(&p).keys().any(|name| name == "emit"), "{:?}", totals(&p).keys());
}

const SMALL: &str = r#"{"meta": {"processType": 0, "interval": 2, "startTime": 1000},
 "shared": {"stringArray": ["main", "work", "GC"],
  "stackTable": {"frame": [0, 1], "prefixOffset": [0, 1]}, "frameTable": {"func": [0, 1], "line": [null, 7]},
  "funcTable": {"name": [0, 1], "source": [null, 0], "lineNumber": [1, 5]}, "sources": {"filename": [1]}},
 "threads": [{"name": "T", "pid": "1", "tid": 2, "samples": {"stack": [1, null, 0], "timeDeltas": [5, 2, 2]},
  "markers": {"name": [2, 2], "startTime": [5, 6], "endTime": [9, null], "phase": [1, 0]}}]}"#;

#[test]
fn shared_tables_offsets_and_markers() {
    let p = open(SMALL.as_bytes());
    assert_eq!((totals(&p)["main"], totals(&p)["work"]), ((2_000_000, 4_000_000), (2_000_000, 2_000_000)));
    assert_eq!(p.tracks[0].samples.stacks[1], None);
    assert_eq!((p.tracks[1].spans.rows.len(), p.instants.len()), (1, 1));
    assert_eq!(p.tracks[1].spans.rows[0].duration(), 4_000_000);
}

#[test]
fn rows_may_stand_before_their_schema() {
    let parts = [r#""schema": {"stack": 0, "time": 1}"#, r#""data": [[0, 1], [null, 2], [0]]"#];
    let text = |samples: String| {
        format!(
            r#"{{"meta": {{"processType": 0, "interval": 1}}, "threads": [{{"name": "T", "stringTable": ["f (a.js:3:4)"],
            "stackTable": {{"data": [[null, 0]], "schema": {{"prefix": 0, "frame": 1}}}},
            "frameTable": {{"schema": {{"location": 0}}, "data": [[0]]}}, "samples": {{{samples}}}}}]}}"#
        )
    };
    for samples in [parts.join(","), format!("{},{}", parts[1], parts[0])] {
        let p = open(text(samples).as_bytes());
        assert_eq!((totals(&p)["f"], p.warnings.len()), ((2_000_000, 2_000_000), 0));
    }
}

#[test]
fn a_stack_that_continues_itself_is_an_error() {
    let text = SMALL.replace(r#""prefixOffset": [0, 1]"#, r#""prefix": [1, 0]"#);
    assert!(open_bytes(text.as_bytes()).unwrap_err().what.contains("continues itself"));
}

#[test]
fn damage_is_survived() {
    damage(SMALL.as_bytes(), drop);
}
