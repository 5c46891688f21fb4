//! Odd and hostile dumps, as byte literals.

use crate::import::{self, Confidence, Head, ImportError, Input};
use crate::jobs::Job;
use crate::model::{Calls, Profile};

use super::IMPORTER;

fn open(bytes: &[u8]) -> Result<Profile, ImportError> {
    import::open(&Input::Bytes("x.prof".into(), bytes.into()), &Job::new(), &mut |_| {})
}

/// A text.
fn text(t: &str) -> Vec<u8> {
    [&[b'z', t.len() as u8], t.as_bytes()].concat()
}

fn key(file: &str, line: i32, name: &str) -> Vec<u8> {
    [b")\x03".to_vec(), text(file), int(line), text(name)].concat()
}

fn int(v: i32) -> Vec<u8> {
    [b"i".as_slice(), &v.to_le_bytes()].concat()
}

fn float(v: f64) -> Vec<u8> {
    [b"g".as_slice(), &v.to_le_bytes()].concat()
}

/// Two counts, two times and callers.
fn row(key: &[u8], counts: (i32, i32), times: (f64, f64), callers: &[u8]) -> Vec<u8> {
    let numbers = [int(counts.0), int(counts.1), float(times.0), float(times.1)].concat();
    [key, b")\x05", &numbers, b"{", callers, b"0"].concat()
}

fn dump(rows: &[Vec<u8>]) -> Vec<u8> {
    [b"{".as_slice(), &rows.concat(), b"0"].concat()
}

/// Calls, self and total of the only function.
fn only(profile: &Profile) -> (Option<(u64, u64)>, i64, i64) {
    let graph = profile.call_graph.as_ref().unwrap();
    assert_eq!(graph.nodes.len(), 1);
    let calls = graph.nodes[0].calls.map(|c| (c.all, c.primitive));
    (calls, graph.costs[0].node_self[0], graph.costs[0].node_total[0])
}

fn warnings(profile: &Profile) -> Vec<(&str, u64)> {
    profile.warnings.iter().map(|w| (w.kind.as_str(), w.count)).collect()
}

#[test]
fn a_minimal_dump() {
    let p = open(&dump(&[row(&key("a.py", 1, "f"), (1, 3), (0.1, 0.25), b"")])).unwrap();
    assert_eq!(only(&p), (Some((3, 1)), 100_000_000, 250_000_000));
    assert_eq!(p.meta.format, "pstats");
    assert!(p.warnings.is_empty());
}

#[test]
fn yappi_stores_the_counts_of_a_function_the_other_way_round() {
    // One function with more first than second calls turns the order of the whole file.
    let rows = [
        row(&key("a.py", 1, "f"), (465, 1), (0.1, 0.2), b""),
        row(&key("a.py", 9, "Pool.g"), (2, 2), (0.1, 0.2), b""),
    ];
    let p = open(&dump(&rows)).unwrap();
    let graph = p.call_graph.as_ref().unwrap();
    assert_eq!(graph.nodes[0].calls, Some(Calls { all: 465, primitive: 1 }));
    assert!(p.warnings.is_empty());
    let unsigned = open(&dump(&rows[..1])).unwrap();
    assert_eq!(unsigned.warnings.len(), 1, "nothing but the counts speaks for yappi");
    assert_eq!(p.meta.tool, "yappi (pstats)");
    assert_eq!(p.meta.duration, None, "sums of concurrent coroutines are no length");
}

#[test]
fn counts_that_a_sampling_tool_does_not_have_are_unknown() {
    let caller = [key("a.py", 2, "g"), b")\x04".to_vec(), int(-1), int(-1), float(0.1), float(0.2)].concat();
    let rows = [row(&key("a.py", 1, "f"), (-1, -1), (0.1, 0.2), &caller)];
    let p = open(&dump(&rows)).unwrap();
    let graph = p.call_graph.as_ref().unwrap();
    assert!(graph.nodes.iter().all(|n| n.calls.is_none()));
    assert_eq!((graph.edges[0].calls, graph.costs[0].edge_total[0]), (None, 200_000_000));
    assert_eq!(p.meta.tool, "pyinstrument (pstats)");
    assert!(p.meta.fact("Calls").is_none());
    // The caller has no entry of its own.
    assert_eq!(warnings(&p), [("function that is only named as a caller (its costs are unknown)", 1)]);
    assert_eq!(graph.nodes.iter().map(|n| n.measured).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn callers_in_every_form() {
    // A count only (pure profile), a tuple, a list of tuples (old tools), and a caller without an entry.
    let costs = |n: i32| [b")\x04".to_vec(), int(n), int(n), float(0.001), float(0.002)].concat();
    let callers = [
        [key("a.py", 1, "counted"), int(7)].concat(),
        [key("a.py", 2, "tuple"), costs(2)].concat(),
        [key("a.py", 3, "list"), b"[\x02\0\0\0".to_vec(), costs(1), costs(3)].concat(),
        [key("a.py", 4, "odd"), text("?")].concat(),
        [text("not a key"), int(1)].concat(),
    ];
    let p = open(&dump(&[row(&key("a.py", 9, "f"), (13, 13), (0.1, 0.2), &callers.concat())])).unwrap();
    let graph = p.call_graph.as_ref().unwrap();
    let edges: Vec<_> = graph
        .edges
        .iter()
        .enumerate()
        .map(|(i, e)| {
            let name = p.function_name(graph.nodes[e.caller.index()].function);
            (
                name,
                e.calls.unwrap().all,
                graph.costs[0].edge_total[i],
                graph.costs[0].edge_self.get(i).copied(),
            )
        })
        .collect();
    assert_eq!(
        edges,
        [
            ("counted", 7, 0, Some(0)),
            ("tuple", 2, 2_000_000, Some(1_000_000)),
            ("list", 4, 4_000_000, Some(2_000_000))
        ]
    );
    let kinds = warnings(&p);
    assert_eq!(
        (kinds.len(), kinds.get(2)),
        (3, Some(&("function that is only named as a caller (its costs are unknown)", 3)))
    );
    assert!(kinds[0].0.starts_with("costs of a caller") && kinds[1].0.starts_with("caller that is not"));
}

#[test]
fn odd_numbers_are_counted_and_shown_as_they_are() {
    for (counts, times, want, kinds) in [
        ((-3, -4), (0.1, 0.2), (None, 100_000_000, 200_000_000), 1),
        ((1, 1), (-0.1, 0.2), (Some((1, 1)), -100_000_000, 200_000_000), 1),
        ((1, 1), (9.0, 2.0), (Some((1, 1)), 9_000_000_000, 2_000_000_000), 1),
        ((1, 1), (f64::NAN, f64::INFINITY), (Some((1, 1)), 0, 0), 1),
        ((1, 1), (1e300, 1e300), (Some((1, 1)), i64::MAX, i64::MAX), 0),
    ] {
        let p = open(&dump(&[row(&key("a.py", 1, "f"), counts, times, b"")])).unwrap();
        assert_eq!((only(&p), p.warnings.len()), (want, kinds), "{counts:?} {times:?}");
    }
}

#[test]
fn what_is_no_profile_is_an_error_and_what_is_empty_is_not() {
    let empty = open(b"{0").unwrap();
    assert!(empty.call_graph.is_none_or(|g| g.nodes.is_empty()));
    assert!(open(&[b"{".to_vec(), text("key"), int(1), b"0\0".to_vec()].concat()).is_err());
    let wrong_rows = open(&dump(&[[key("a", 1, "f"), int(1)].concat()])).unwrap_err();
    assert!(wrong_rows.to_string().contains("(file, line, name)"), "{wrong_rows}");
    assert!(open(b"{\xe9\x01\0\0\0r\0\0\0\x000").is_err());
}

#[test]
fn a_cut_dump_keeps_what_came_before() {
    let whole = dump(&[
        row(&key("a.py", 1, "f"), (1, 1), (0.1, 0.2), b""),
        row(&key("a.py", 2, "g"), (1, 1), (0.1, 0.2), b""),
    ]);
    let p = open(&whole[..whole.len() - 8]).unwrap();
    assert_eq!(only(&p).0, Some((1, 1)));
    assert_eq!(p.warnings.len(), 1);
    assert!(p.warnings[0].kind.contains("what came before is shown") && !p.warnings[0].first.is_empty());
}

#[test]
fn builtins_and_modules() {
    let rows = [
        row(&key("~", 0, "<built-in method time.sleep>"), (1, 1), (0.1, 0.2), b""),
        row(&key("", 0, "exec"), (1, 1), (0.1, 0.2), b""),
        row(&key("/usr/lib/python3.11/json/__init__.py", 183, "dumps"), (1, 1), (0.1, 0.2), b""),
        row(&key("<frozen os>", 674, "get"), (1, 1), (0.1, 0.2), b""),
    ];
    let p = open(&dump(&rows)).unwrap();
    let shown: Vec<_> = p
        .functions
        .rows()
        .iter()
        .map(|f| (p.text(f.name), p.text(f.module), p.text(f.category), f.line))
        .collect();
    assert_eq!(
        shown,
        [
            ("{built-in method time.sleep}", "", "builtin", 0),
            ("exec", "", "builtin", 0),
            ("dumps", "json", "", 183),
            ("get", "os", "", 674)
        ]
    );
}

#[test]
fn only_dumps_are_claimed() {
    let sniff = |bytes: &[u8], name: &str| (IMPORTER.sniff)(&Head { bytes, whole: true, name });
    assert_eq!(
        sniff(&dump(&[row(&key("a", 1, "f"), (1, 1), (0.0, 0.0), b"")]), "unknown"),
        Confidence::Certain
    );
    assert_eq!(sniff(b"{0", "unknown"), Confidence::Certain);
    for foreign in
        [&b"{\"a\": 1}"[..], b"{}", b"{ }", b"(a)", b"c text\n", b"Flat profile:\n", b"\x89PNG\r\n\0"]
    {
        assert_eq!(sniff(foreign, "a.prof"), Confidence::No);
    }
}
