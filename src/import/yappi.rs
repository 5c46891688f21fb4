//! yappi's own statistics: `stats.save("out.ystat")`, a pickle.
//!
//! Reference: `yappi.py` of yappi 1.0 to 1.7. The pickle is read as data only: nothing of it is called. Kept: functions with their calls,
//! own and total times, and who called them. Lost: tags; a function that ran in several threads or tasks is added up, as yappi prints it.

use rustc_hash::FxHashMap;

use super::Gives::Graph;
use super::python::module_of;
use super::read::Oddities;
use super::read::pickle::{Pickle, Value, looks_like_pickle};
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, Calls, FunctionSpec, Metric, NodeCosts, NodeId, ProfileBuilder, Unit};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "yappi",
    title: "yappi statistics",
    written_by: "yappi: stats.save(…) in its own format",
    extensions: &["ystat"],
    gives: &[Graph],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let start = &head.bytes[..head.bytes.len().min(200)];
    let says = |text: &[u8]| memchr::memmem::find(start, text).is_some();
    if looks_like_pickle(start) && says(b"yappi") && says(b"YFuncStats") {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let bytes = source.read_all(cx.job)?;
    let pickle = Pickle::read(&bytes)?;
    // The statistics, and the clock that they were taken by.
    let (stats, clock) = match pickle.items(pickle.root()) {
        [stats, clock, ..] => (pickle.state(*stats), Some(*clock)),
        _ => (pickle.root(), None),
    };
    let list = pickle.get(stats, "_as_list").map(|l| pickle.items(l)).unwrap_or_default();
    let b = &mut cx.builder;
    (b.meta.basis, b.meta.tool) = (Basis::Aggregated, "yappi".into());
    if let Some(clock) = clock.or_else(|| pickle.get(stats, "_clock_type")) {
        b.meta.setting("Clock", pickle.text(clock).into_owned());
    }
    let metric = b.metric(Metric::time());
    let (mut odd, mut nodes) = (Oddities::default(), FxHashMap::default());
    let mut own = 0i64;
    let functions: Vec<Value> = list.iter().map(|f| pickle.state(*f)).collect();
    for &function in &functions {
        let Some(node) = node(&pickle, function, b) else {
            odd.add("entry without a name (left out)", String::new);
            continue;
        };
        if let Some(index) = pickle.int(function, "index") {
            nodes.insert(index, node);
        }
        if let Some(calls) = calls(&pickle, function) {
            b.node_calls(node, calls);
        }
        let costs = (seconds(&pickle, function, "tsub"), seconds(&pickle, function, "ttot"));
        let (Some(self_cost), Some(total)) = costs else {
            odd.add("entry without times (they are unknown)", || {
                pickle.get(function, "full_name").map_or(String::new(), |n| pickle.text(n).into_owned())
            });
            b.unmeasured(node);
            continue;
        };
        own = own.saturating_add(self_cost);
        b.node_cost(node, metric, NodeCosts { own: self_cost, total });
    }
    if nodes.is_empty() {
        let what = odd.first().unwrap_or_else(|| "holds no function: nothing ran while yappi looked".into());
        return Err(ImportError::malformed(what));
    }
    for function in functions {
        let Some(&caller) = pickle.int(function, "index").and_then(|i| nodes.get(&i)) else { continue };
        let children =
            pickle.get(function, "children").map(|c| pickle.state(c)).and_then(|c| pickle.get(c, "_as_list"));
        for child in children.map(|c| pickle.items(c)).unwrap_or_default() {
            let child = pickle.state(*child);
            let Some(&callee) = pickle.int(child, "index").and_then(|i| nodes.get(&i)) else {
                odd.add("call of a function that is not listed (left out)", String::new);
                continue;
            };
            let edge = b.edge(caller, callee);
            if let Some(calls) = calls(&pickle, child) {
                b.edge_calls(edge, calls);
            }
            if let Some(total) = seconds(&pickle, child, "ttot") {
                b.edge_cost(edge, metric, total);
            }
            if let Some(own) = seconds(&pickle, child, "tsub") {
                b.edge_self_cost(edge, metric, own);
            }
        }
    }
    b.meta.result("Functions", nodes.len());
    b.meta.result("Self time of all functions", (own, Unit::Nanoseconds));
    odd.report(b);
    Ok(())
}

fn node(pickle: &Pickle<'_>, function: Value, b: &mut ProfileBuilder) -> Option<NodeId> {
    let text = |key: &str| pickle.get(function, key).map_or("".into(), |v| pickle.text(v));
    let (name, file) = (text("name"), text("module"));
    if name.is_empty() {
        return None;
    }
    let builtin = pickle.get(function, "builtin") == Some(Value::Bool(true));
    let line = pickle.int(function, "lineno").and_then(|l| u32::try_from(l).ok()).unwrap_or(0);
    // Functions in C have their module in the place of a file.
    let (module, file) = if builtin {
        (file.into_owned(), String::new())
    } else {
        (module_of(&file).into_owned(), file.into_owned())
    };
    let function = b.function(FunctionSpec { name: &name, module: &module, file: &file, line, category: "" });
    Some(b.node(function))
}

fn calls(pickle: &Pickle<'_>, entry: Value) -> Option<Calls> {
    let count = |key: &str| pickle.int(entry, key).and_then(|n| u64::try_from(n).ok());
    let all = count("ncall")?;
    Some(Calls { all, primitive: count("nactualcall").unwrap_or(all).min(all) })
}

fn seconds(pickle: &Pickle<'_>, entry: Value, key: &str) -> Option<i64> {
    let seconds = match pickle.get(entry, key)? {
        Value::Float(f) => f,
        Value::Int(n) => n as f64,
        _ => return None,
    };
    (seconds.is_finite() && seconds.abs() < 9e9).then(|| (seconds * 1e9).round() as i64)
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes};
    use crate::model::Profile;

    fn open(name: &str) -> Profile {
        let path = format!("{}/sample_profiles/yappi/{name}", env!("CARGO_MANIFEST_DIR"));
        open_bytes(&std::fs::read(path).unwrap()).unwrap()
    }

    fn rows(p: &Profile) -> Vec<(String, u64, i64, i64)> {
        let graph = p.call_graph.as_ref().unwrap();
        let node = |n: usize| {
            let (node, costs) = (graph.nodes[n], &graph.costs[0]);
            let name = p.function_name(node.function).to_owned();
            (name, node.calls.map_or(0, |c| c.all), costs.node_self[n], costs.node_total[n])
        };
        let mut rows: Vec<_> = (0..graph.nodes.len()).map(node).collect();
        rows.sort();
        rows
    }

    #[test]
    fn its_own_format_holds_what_its_pstats_do() {
        let (own, pstat) = (open("asyncio-wall.ystat"), open("asyncio-wall.pstat"));
        assert_eq!(own.meta.format, "yappi");
        assert_eq!(rows(&own), rows(&pstat));
        let edges = |p: &Profile| {
            let graph = p.call_graph.as_ref().unwrap();
            (graph.edges.len(), graph.costs[0].edge_total.iter().sum::<i64>())
        };
        assert_eq!(edges(&own), edges(&pstat));
        let bytes =
            std::fs::read(format!("{}/sample_profiles/yappi/asyncio-wall.ystat", env!("CARGO_MANIFEST_DIR")))
                .unwrap();
        damage(&bytes[..6000], drop);
    }
}
