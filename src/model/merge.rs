//! A whole profile added to another one: what a profiler of another process measured, as part of a run.
//!
//! Everything comes along but requests and what the profile says about itself. Metrics with the same key are the
//! same metric, functions with the same parts the same function; tracks and counters stay apart. Spans keep their lanes and
//! callers, which may rest on more than their times.

use super::{
    ArgsPlace, ArgsRef, CallGraph, CallSite, Counter, Finding, FrameId, Function, FunctionId, Instant,
    Instruction, InstructionCall, Instructions, Jump, Link, MetricId, NodeCosts, NodeId, Profile,
    ProfileBuilder, SourceLine, Span, SpanTable, StackId, StringId, Track, TrackId, TrackSpec, Value,
};

/// The ids that rows of the added profile got.
struct Ids {
    strings: Vec<StringId>,
    functions: Vec<FunctionId>,
    stacks: Vec<StackId>,
    metrics: Vec<MetricId>,
    details: Vec<ArgsRef>,
}

impl ProfileBuilder {
    /// Adds `other`, whose time 0 is `shift` ns after ours.
    pub fn merge(&mut self, other: &Profile, shift: i64) {
        let ids = self.merge_tables(other);
        let mut tracks = Vec::with_capacity(other.tracks.len());
        for track in &other.tracks {
            tracks.push(self.merge_track(track, other, &ids, shift));
        }
        for Counter { name, process, unit, times, values } in &other.counters {
            let counter = self.counter(other.text(*name), other.text(*process), *unit);
            times.iter().zip(values).for_each(|(t, v)| self.point(counter, t.saturating_add(shift), *v));
        }
        for i in &other.instants {
            let track = i.track.and_then(|t| tracks.get(t.index()).copied());
            let (time, name) = (i.time.saturating_add(shift), ids.strings[i.name.index()]);
            self.instant(Instant { time, track, name, args: ids.details_of(i.args), severity: i.severity });
        }
        let track = |id: TrackId| tracks.get(id.index()).copied();
        for (&id, table) in tracks.iter().zip(other.tracks.iter().map(|t| &t.spans)) {
            for caller in &table.callers {
                if let Some(parent) = track(caller.track) {
                    self.frozen_caller((id, caller.row), (parent, caller.parent));
                }
            }
        }
        for link in &other.links {
            if let (Some(from), Some(to)) = (track(link.from.0), track(link.to.0)) {
                self.link(Link {
                    from: (from, link.from.1.saturating_add(shift)),
                    to: (to, link.to.1.saturating_add(shift)),
                    name: ids.strings[link.name.index()],
                });
            }
        }
        for found in &other.findings {
            self.finding(Finding {
                kind: ids.strings[found.kind.index()],
                text: ids.strings[found.text.index()],
                request: None,
                track: found.track.and_then(track),
                time: found.time.map(|t| t.saturating_add(shift)),
                severity: found.severity,
            });
        }
        if let Some(graph) = &other.call_graph {
            self.merge_graph(graph, &ids);
        }
        for (file, text) in other.sources.iter() {
            self.source(ids.strings[file.index()], text);
        }
        other.warnings.iter().for_each(|w| self.warn_many(&w.kind, &w.first, w.count));
    }

    fn merge_tables(&mut self, other: &Profile) -> Ids {
        let strings: Vec<StringId> = other.strings.iter().map(|text| self.string(text)).collect();
        let text = |id: StringId| strings[id.index()];
        let function = |f: &Function| Function {
            name: text(f.name),
            module: text(f.module),
            file: text(f.file),
            line: f.line,
            category: text(f.category),
        };
        let functions: Vec<FunctionId> =
            other.functions.rows().iter().map(|f| self.function_row(function(f))).collect();
        let frames: Vec<FrameId> =
            other.frames.rows().iter().map(|f| self.frame(functions[f.function.index()], f.line)).collect();
        let mut stacks: Vec<StackId> = Vec::with_capacity(other.stacks.len());
        for s in other.stacks.rows() {
            // A parent precedes its children.
            let parent = s.parent.map(|p| stacks[p.index()]);
            stacks.push(self.stack(parent, frames[s.frame.index()]));
        }
        let mut metrics: Vec<MetricId> = Vec::with_capacity(other.metrics.len());
        for metric in &other.metrics {
            let formula = metric.formula.iter().filter_map(|&(f, id)| Some((f, *metrics.get(id.index())?)));
            let metric = super::Metric { formula: formula.collect(), ..metric.clone() };
            metrics.push(self.metric(metric));
        }
        let details = (0..other.attributes.len() as u32).map(|set| {
            let pairs = other.attributes.get(set).iter().map(|&(key, value)| {
                let value = match value {
                    Value::Text(id) => Value::Text(text(id)),
                    value => value,
                };
                (text(key), value)
            });
            self.args(pairs)
        });
        let details = details.collect();
        Ids { strings, functions, stacks, metrics, details }
    }

    fn merge_track(&mut self, track: &Track, other: &Profile, ids: &Ids, shift: i64) -> TrackId {
        let (name, process) = (other.text(track.name), other.text(track.process));
        let id = self.track(TrackSpec { name, process, kind: track.kind, sort: track.sort });
        if !track.spans.rows.is_empty() {
            let rows = track.spans.rows.iter().map(|span| Span {
                start: span.start.saturating_add(shift),
                end: span.end.saturating_add(shift),
                function: ids.functions[span.function.index()],
                args: ids.details_of(span.args),
                ..*span
            });
            let costs =
                track.spans.costs.iter().map(|(metric, costs)| (ids.metrics[metric.index()], costs.clone()));
            let (rows, costs) = (rows.collect(), costs.collect());
            self.frozen_spans(
                id,
                SpanTable { rows, lanes: track.spans.lanes.clone(), costs, callers: Vec::new() },
            );
        }
        let samples = &track.samples;
        let mut weights: Vec<(MetricId, i64)> = Vec::new();
        for (row, stack) in samples.stacks.iter().enumerate() {
            weights.clear();
            let value = |column: &Vec<i64>| column.get(row).copied().unwrap_or(0);
            weights.extend(samples.weights.iter().map(|(m, column)| (ids.metrics[m.index()], value(column))));
            let stack = stack.map(|s| ids.stacks[s.index()]);
            match samples.times.get(row) {
                Some(time) => {
                    let times = (time.saturating_add(shift), samples.end.saturating_add(shift));
                    self.timed_sample(id, times, stack, &weights);
                }
                None => self.sample(id, stack, &weights),
            }
        }
        id
    }

    fn merge_graph(&mut self, graph: &CallGraph, ids: &Ids) {
        self.reserve_graph(graph.nodes.len(), graph.edges.len());
        let nodes: Vec<_> =
            graph.nodes.iter().map(|n| self.node(ids.functions[n.function.index()])).collect();
        for (row, &node) in graph.nodes.iter().zip(&nodes) {
            row.calls.into_iter().for_each(|c| self.node_calls(node, c));
            if !row.measured {
                self.unmeasured(node);
            }
        }
        let mut edges = Vec::with_capacity(graph.edges.len());
        for row in &graph.edges {
            let edge = self.edge(nodes[row.caller.index()], nodes[row.callee.index()]);
            row.calls.into_iter().for_each(|c| self.edge_calls(edge, c));
            edges.push(edge);
        }
        for costs in &graph.costs {
            let metric = ids.metrics[costs.metric.index()];
            for (i, &node) in nodes.iter().enumerate() {
                self.node_cost(
                    node,
                    metric,
                    NodeCosts { own: costs.node_self[i], total: costs.node_total[i] },
                );
            }
            for (i, &edge) in edges.iter().enumerate() {
                if costs.edges_measured {
                    self.edge_cost(edge, metric, costs.edge_total[i]);
                }
                if let Some(&own) = costs.edge_self.get(i) {
                    self.edge_self_cost(edge, metric, own);
                }
            }
        }
        graph.lines.for_each(|row| {
            let SourceLine { node, file, line } = row.place;
            let line = SourceLine { node: nodes[node.index()], file: ids.strings[file.index()], line };
            self.line_cost(line, row.costs);
        });
        graph.sites.for_each(|row| {
            let site = row.place;
            let site = CallSite {
                caller: nodes[site.caller.index()],
                file: ids.strings[site.file.index()],
                line: site.line,
                callee: nodes[site.callee.index()],
            };
            self.call_site(site, row.calls, row.costs);
        });
        if let Some(instructions) = &graph.instructions {
            self.merge_instructions(instructions, &nodes, ids);
        }
    }

    fn merge_instructions(&mut self, other: &Instructions, nodes: &[NodeId], ids: &Ids) {
        let node = |id: NodeId| nodes[id.index()];
        let own = self.instructions();
        other.costs.for_each(|row| {
            let Instruction { node: of, address, file, line } = row.place;
            let place = Instruction { node: node(of), address, file: ids.strings[file.index()], line };
            own.costs.push(place, None, row.costs);
        });
        other.calls.for_each(|row| {
            let InstructionCall { caller, address, callee } = row.place;
            let place = InstructionCall { caller: node(caller), address, callee: node(callee) };
            own.calls.push(place, row.calls, row.costs);
        });
        other.jumps.for_each(|row| {
            own.jumps.push(Jump { node: node(row.place.node), ..row.place }, None, row.costs);
        });
    }
}

impl Ids {
    /// Details that stand in the other profile's file cannot be found from here.
    fn details_of(&self, args: ArgsRef) -> ArgsRef {
        match args.place() {
            ArgsPlace::Inline(set) => self.details.get(set as usize).copied().unwrap_or(ArgsRef::NONE),
            ArgsPlace::None | ArgsPlace::Offset(_) => ArgsRef::NONE,
        }
    }
}
