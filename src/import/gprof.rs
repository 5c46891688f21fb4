//! What gprof prints: the flat profile and the call graph.
//!
//! Reference: «Interpreting gprof's Output» in GNU's manual; also Solaris' and BSD's. Kept: functions with own and total times and calls, and calls
//! between them with what they cost. Lost: lines, histograms. Guessed: nothing; but gprof itself shares out a function's time by the number of
//! calls of each caller, and its times are rounded to 0.01 s, which is said.

use regex::Regex;
use rustc_hash::FxHashMap;

use super::Gives::Graph;
use super::read::Oddities;
use super::read::lines::for_each_text_line;
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, Calls, FunctionSpec, Metric, MetricId, NodeCosts, NodeId, ProfileBuilder, Unit};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "gprof",
    title: "gprof text",
    written_by: "gprof",
    extensions: &["txt", "gprof", "prof"],
    gives: &[Graph],
    sniff,
    import,
    details: no_details,
};

fn is_graph_heading(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    matches!(
        words[..],
        ["index", "%", "time", "self", "children", "called", "name"]
            | ["index", "%time", "self", "descendents", "called+self", "name", ..]
    )
}

fn is_flat_heading(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    matches!(words[..], ["time", "seconds", "seconds", "calls", _, _, "name"])
}

fn sniff(head: &Head<'_>) -> Confidence {
    if !head.says("time") || !head.says("called") && !head.says("calls") {
        return Confidence::No;
    }
    let text = String::from_utf8_lossy(head.bytes);
    let found = text.lines().any(|line| is_graph_heading(line) || is_flat_heading(line));
    if found { Confidence::Certain } else { Confidence::No }
}

/// A line of the call graph.
#[derive(Debug, PartialEq)]
enum Line<'a> {
    /// The function that an entry is about: own and children's seconds, calls, calls by itself.
    Own(f64, f64, Option<u64>, u64, &'a str),
    /// A caller above it or a callee below: own and children's seconds of these calls, and their number.
    Call(f64, f64, u64, &'a str),
    /// Calls within a cycle, or of a function by itself: they have no cost of their own.
    Inner(u64, &'a str),
    /// A whole cycle, or what is not shown.
    Nothing,
}

struct Reader {
    own: Regex,
    call: Regex,
    name: Regex,
    metric: MetricId,
    nodes: FxHashMap<String, NodeId>,
    /// The function of the entry that is read, once its own line came; `None` in an entry of a cycle.
    entry: Option<Option<NodeId>>,
    part: Part,
    odd: Oddities,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Before,
    Flat,
    Graph,
}

const RULES: [&str; 3] = [
    r"^\[(?:\d+)\]\s+[\d.]+\s+([\d.]+)\s+([\d.]+)(?:\s+(\d+)(?:\+(\d+))?)?\s+(\S.*)$",
    r"^\s+([\d.]+)\s+([\d.]+)\s+(\d+)(?:/\d+)?\s+(\S.*)$",
    r"^(.*?)(?: <cycle \d+>)?(?: \[\d+\])?$",
];

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let [own, call, name] = RULES.map(Regex::new);
    let (Ok(own), Ok(call), Ok(name)) = (own, call, name) else {
        return Err(ImportError::malformed("cannot be read"));
    };
    let metric = cx.builder.metric(Metric::time());
    let mut reader = Reader {
        own,
        call,
        name,
        metric,
        nodes: FxHashMap::default(),
        entry: None,
        part: Part::Before,
        odd: Oddities::default(),
    };
    let mut flat: Vec<(String, i64, Option<u64>)> = Vec::new();
    for_each_text_line(source, cx, |cx, line| {
        let text = line.text;
        if is_graph_heading(text) {
            (reader.part, reader.entry) = (Part::Graph, None);
        } else if is_flat_heading(text) {
            reader.part = Part::Flat;
        } else if let Some(rest) = text.strip_prefix("Each sample counts as ") {
            let seconds = rest.split_whitespace().next().and_then(|t| t.parse::<f64>().ok());
            if let Some(ns) = seconds.and_then(ns) {
                cx.builder.meta.setting("Sampling interval", (ns, Unit::Nanoseconds));
            }
        } else {
            match reader.part {
                Part::Before => {}
                Part::Flat => {
                    if text.starts_with('\u{c}') || text.trim().is_empty() {
                        reader.part = Part::Before;
                    } else if let Some(row) = flat_row(text) {
                        flat.push(row);
                    }
                }
                Part::Graph => reader.line(text, || line.place(), &mut cx.builder),
            }
        }
        Ok(())
    })?;
    let b = &mut cx.builder;
    // Functions that call nobody and are called by nobody may stand in the flat profile only.
    for (name, own, calls) in flat {
        if !reader.nodes.contains_key(&name) {
            let node = reader.node(&name, b);
            b.node_cost(node, metric, NodeCosts { own, total: own });
            if let Some(all) = calls {
                b.node_calls(node, Calls { all, primitive: all });
            }
        }
    }
    if reader.nodes.is_empty() {
        return Err(ImportError::malformed("holds headings of gprof and no functions")
            .remedy("run the program that was built with -pg before gprof"));
    }
    (b.meta.basis, b.meta.tool) = (Basis::Sampled, "gprof".into());
    b.meta.setting("Times", "rounded to 0.01 s; shared out among callers by their calls");
    reader.odd.report(b);
    Ok(())
}

fn ns(seconds: f64) -> Option<i64> {
    (seconds.is_finite() && (0.0..9e9).contains(&seconds)).then(|| (seconds * 1e9).round() as i64)
}

/// ` 34.20      0.66     0.66   131073     0.01     0.01  write`: the calls may lack.
fn flat_row(line: &str) -> Option<(String, i64, Option<u64>)> {
    let mut words = line.split_whitespace();
    let (_, _, own) = (
        words.next()?.parse::<f64>().ok()?,
        words.next()?.parse::<f64>().ok()?,
        words.next()?.parse::<f64>().ok()?,
    );
    let rest: Vec<&str> = words.collect();
    let (calls, name) = match rest[..] {
        [calls, a, b, ..]
            if calls.parse::<u64>().is_ok() && a.parse::<f64>().is_ok() && b.parse::<f64>().is_ok() =>
        {
            (calls.parse().ok(), &rest[3..])
        }
        _ => (None, &rest[..]),
    };
    if name.is_empty() {
        return None;
    }
    Some((name.join(" "), ns(own)?, calls))
}

impl Reader {
    fn read<'a>(&self, line: &'a str) -> Option<Line<'a>> {
        let plain = |text: &'a str| {
            self.name.captures(text.trim_end()).and_then(|c| Some(c.get(1)?.as_str())).unwrap_or(text)
        };
        if let Some(c) = self.own.captures(line) {
            let number = |n: usize| c.get(n).and_then(|m| m.as_str().parse::<f64>().ok());
            let count = |n: usize| c.get(n).and_then(|m| m.as_str().parse::<u64>().ok());
            let name = c.get(5).map_or("", |m| m.as_str());
            if name.starts_with("<cycle ") {
                return Some(Line::Nothing);
            }
            return Some(Line::Own(number(1)?, number(2)?, count(3), count(4).unwrap_or(0), plain(name)));
        }
        if let Some(c) = self.call.captures(line) {
            let number = |n: usize| c.get(n).and_then(|m| m.as_str().parse::<f64>().ok());
            let calls = c.get(3).and_then(|m| m.as_str().parse::<u64>().ok());
            return Some(Line::Call(
                number(1)?,
                number(2)?,
                calls?,
                plain(c.get(4).map_or("", |m| m.as_str())),
            ));
        }
        let (count, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        match count.parse() {
            Ok(calls) if !rest.is_empty() => Some(Line::Inner(calls, plain(rest.trim_start()))),
            _ => (count == "<spontaneous>").then_some(Line::Nothing),
        }
    }

    fn node(&mut self, name: &str, b: &mut ProfileBuilder) -> NodeId {
        if let Some(node) = self.nodes.get(name) {
            return *node;
        }
        let function = b.function(FunctionSpec::named(name));
        let node = b.node(function);
        self.nodes.insert(name.to_owned(), node);
        node
    }

    fn line(&mut self, text: &str, place: impl FnOnce() -> String, b: &mut ProfileBuilder) {
        if text.starts_with("-----") {
            self.entry = None;
            return;
        }
        if text.starts_with('\u{c}') || text.trim() == "Index by function name" {
            self.part = Part::Before;
            return;
        }
        if text.trim().is_empty() {
            return;
        }
        let cost = |own: f64, children: f64| Some((ns(own)?, ns(own)?.saturating_add(ns(children)?)));
        match self.read(text) {
            Some(Line::Own(own, children, all, again, name)) => {
                let node = self.node(name, b);
                if let Some((own, total)) = cost(own, children) {
                    b.node_cost(node, self.metric, NodeCosts { own, total });
                }
                if let Some(calls) = all {
                    b.node_calls(node, Calls { all: calls.saturating_add(again), primitive: calls });
                }
                self.entry = Some(Some(node));
            }
            // Lines above the own one are the callers, which list the same calls from the other side.
            Some(Line::Call(own, children, calls, name)) => {
                if let Some(Some(caller)) = self.entry {
                    let callee = self.node(name, b);
                    let edge = b.edge(caller, callee);
                    b.edge_calls(edge, Calls { all: calls, primitive: calls });
                    if let Some((_, total)) = cost(own, children) {
                        b.edge_cost(edge, self.metric, total);
                    }
                }
            }
            Some(Line::Inner(calls, name)) => {
                if let Some(Some(caller)) = self.entry {
                    let callee = self.node(name, b);
                    let edge = b.edge(caller, callee);
                    b.edge_calls(edge, Calls { all: calls, primitive: calls });
                }
            }
            Some(Line::Nothing) if text.starts_with('[') => self.entry = Some(None),
            Some(Line::Nothing) => {}
            None => self.odd.add("line of the call graph that is not understood (left out)", place),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes};

    const TEXT: &str = "Flat profile:\n\nEach sample counts as 0.01 seconds.\n  %   cumulative   self              self     total           \n \
        time   seconds   seconds    calls  ms/call  ms/call  name    \n 60.00      1.20     1.20        3   400.00   400.00  b(int, char*)\n \
        40.00      2.00     0.80                             alone\n\n\n granularity: each sample hit covers 4 byte(s)\n\n\
        index % time    self  children    called     name\n                                                 <spontaneous>\n\
        [1]     60.0    0.00    1.20                 main [1]\n                1.20    0.00       3/3           b(int, char*) [2]\n\
        -----------------------------------------------\n                               4             b(int, char*) [2]\n\
        \x20               1.20    0.00       3/3           main [1]\n[2]     60.0    1.20    0.00       3+4       b(int, char*) [2]\n\
        \x20                              4             b(int, char*) [2]\n-----------------------------------------------\n\n\
        \u{c}\nIndex by function name\n\n   [2] b(int, char*)           [1] main\n";

    #[test]
    fn functions_and_calls_are_a_graph() {
        let p = open_bytes(TEXT.as_bytes()).unwrap();
        assert_eq!(p.meta.format, "gprof");
        let graph = p.call_graph.as_ref().unwrap();
        let named =
            |name: &str| graph.nodes.iter().position(|n| p.function_name(n.function) == name).unwrap();
        let (main, b, alone) = (named("main"), named("b(int, char*)"), named("alone"));
        let costs = &graph.costs[0];
        assert_eq!((costs.node_self[main], costs.node_total[main]), (0, 1_200_000_000));
        assert_eq!(
            (costs.node_self[b], graph.nodes[b].calls.unwrap().all, graph.nodes[b].calls.unwrap().primitive),
            (1_200_000_000, 7, 3)
        );
        assert_eq!(costs.node_self[alone], 800_000_000);
        let edge = |from: usize| {
            graph.edges.iter().position(|e| e.caller.index() == from && e.callee.index() == b).unwrap()
        };
        let of = |from| (costs.edge_total[edge(from)], graph.edges[edge(from)].calls.unwrap().all);
        assert_eq!((graph.edges.len(), of(main), of(b)), (2, (1_200_000_000, 3), (0, 4)));
        assert!(p.warnings.is_empty(), "{:?}", p.warnings);
        damage(TEXT.as_bytes(), drop);
    }

    #[test]
    fn cycles_keep_the_costs_of_their_functions() {
        let text =
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/trees/cycle.gprof.txt"));
        let p = open_bytes(text).unwrap();
        let (graph, named) = (p.call_graph.as_ref().unwrap(), |n: &str| n.to_owned());
        let costs = &graph.costs[0];
        let mut rows: Vec<_> =
            graph.nodes.iter().zip(costs.node_self.iter().zip(&costs.node_total)).collect::<Vec<_>>();
        rows.sort_by_key(|r| p.function_name(r.0.function));
        let rows: Vec<_> = rows
            .iter()
            .map(|r| (named(p.function_name(r.0.function)), r.1.0 / 1_000_000, r.1.1 / 1_000_000))
            .collect();
        let row = |name: &str, own, total| (named(name), own, total);
        assert_eq!(
            rows,
            [
                row("even", 0, 120),
                row("leaf", 330, 330),
                row("main", 0, 330),
                row("odd", 0, 120),
                row("work", 0, 90)
            ]
        );
        assert!(p.warnings.is_empty(), "{:?}", p.warnings);
    }
}
