//! A profile as text: complete, stable, one fact a line. For snapshot tests and for comparing two
//! profiles; not a format to read back.
//!
//! Names stand in place of ids, so two profiles with equal dumps show the same in every view. Stacks are
//! the exception: they are numbered, because a path per sample would be as long as the stack is deep.

use std::fmt::Write;

use super::{
    ArgsPlace, ArgsRef, CallGraph, Calls, Fact, FactKind, FactValue, FunctionId, Instructions, Jump,
    MetricId, NO_ROW, NodeId, Profile, Request, SampleTable, SpanStatus, SpanTable, TrackId, Value,
};

/// Everything that `profile` holds, as text.
#[must_use]
pub fn dump(profile: &Profile) -> String {
    let mut d = Dump { p: profile, out: String::new() };
    d.meta();
    d.stacks();
    for track in profile.track_ids() {
        d.track(track);
    }
    d.events();
    if let Some(graph) = &profile.call_graph {
        d.graph(graph);
    }
    for request in &profile.requests.rows {
        d.request(request);
    }
    for f in &profile.findings {
        let (track, time) = (d.track_name(f.track), or_dash(f.time));
        let (kind, text, request) = (profile.text(f.kind), profile.text(f.text), f.request.map(|r| r.0));
        let severity = f.severity;
        d.line(format_args!("finding {severity:?} {kind:?} {text:?} on {track} at {time} of {request:?}"));
    }
    for (file, text) in profile.sources.iter() {
        d.line(format_args!("source text {:?} {text:?}", profile.text(file)));
    }
    for file in &profile.attached {
        d.line(format_args!("attached {} {:?}", file.name, file.bytes));
    }
    for warning in &profile.warnings {
        d.line(format_args!("warning {}× {} ({})", warning.count, warning.kind, warning.first));
    }
    d.out
}

struct Dump<'a> {
    p: &'a Profile,
    out: String,
}

fn or_dash<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| "–".to_owned(), |v| v.to_string())
}

impl Dump<'_> {
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.out, "{text}");
    }

    fn meta(&mut self) {
        let p = self.p;
        let meta = &p.meta;
        self.line(format_args!("format {} tool {:?} title {:?}", meta.format, meta.tool, meta.title));
        self.line(format_args!(
            "origin {} duration {} basis {:?}",
            or_dash(meta.origin_unix_ns),
            or_dash(meta.duration),
            meta.basis
        ));
        for (word, facts) in [("fact", &meta.facts), ("machine", &meta.machine)] {
            for Fact { kind, name, value } in facts {
                let kind = match kind {
                    FactKind::Setting | FactKind::Machine => "",
                    FactKind::Input => " (input)",
                    FactKind::Result => " (result)",
                };
                match value {
                    FactValue::Text(text) => self.line(format_args!("{word} {name:?}{kind} {text:?}")),
                    FactValue::Number(n, unit) => {
                        self.line(format_args!("{word} {name:?}{kind} {n} {}", unit.key()));
                    }
                }
            }
        }
        if let Some(source) = &meta.source {
            self.line(format_args!("source {:?} {} {} bytes", source.path, source.format, source.bytes));
        }
        for metric in &p.metrics {
            let (unit, better) = (metric.unit.key(), metric.better);
            self.line(format_args!("metric {:?} {:?} {unit} {better:?}", metric.key, metric.label));
            for &(factor, of) in &metric.formula {
                self.line(format_args!("  + {factor} × {}", self.metric(of)));
            }
        }
    }

    fn metric(&self, id: MetricId) -> String {
        self.p.metrics.get(id.index()).map_or_else(|| format!("metric #{}", id.0), |m| format!("{:?}", m.key))
    }

    fn function(&self, id: FunctionId) -> String {
        let f = self.p.functions.get(id);
        let mut text = format!("{:?}", self.p.text(f.name));
        for (sign, part) in [("in", f.module), ("of", f.category)] {
            if part != super::Strings::EMPTY {
                let _ = write!(text, " {sign} {:?}", self.p.text(part));
            }
        }
        if f.file != super::Strings::EMPTY || f.line != 0 {
            let _ = write!(text, " at {:?}:{}", self.p.text(f.file), f.line);
        }
        text
    }

    fn stacks(&mut self) {
        let p = self.p;
        for (i, stack) in p.stacks.rows().iter().enumerate() {
            let frame = p.frames.get(stack.frame);
            let (parent, function) = (or_dash(stack.parent.map(|s| s.0)), self.function(frame.function));
            self.line(format_args!("stack #{i} on {parent}: {function} line {}", frame.line));
        }
    }

    fn args(&self, args: ArgsRef) -> String {
        let set = match args.place() {
            ArgsPlace::None => return String::new(),
            ArgsPlace::Offset(offset) => return format!(" details at byte {offset}"),
            ArgsPlace::Inline(set) => set,
        };
        let mut text = String::from(" {");
        for (i, &(key, value)) in self.p.attributes.get(set).iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            let _ = write!(text, "{comma}{:?}: ", self.p.text(key));
            let _ = match value {
                Value::Text(id) => write!(text, "{:?}", self.p.text(id)),
                Value::Int(v) => write!(text, "{v}"),
                Value::Float(v) => write!(text, "{v:?}"),
                Value::Bool(v) => write!(text, "{v}"),
            };
        }
        text + "}"
    }

    fn track_name(&self, id: Option<TrackId>) -> String {
        id.map_or_else(|| "–".to_owned(), |id| format!("#{} {:?}", id.0, self.p.track_label(id)))
    }

    fn track(&mut self, id: TrackId) {
        let track = self.p.track(id);
        let (process, name) = (self.p.text(track.process), self.p.text(track.name));
        self.line(format_args!(
            "track #{} {name:?} of {process:?} {} sort {}",
            id.0,
            track.kind.key(),
            track.sort
        ));
        self.spans(&track.spans);
        self.samples(&track.samples);
    }

    fn spans(&mut self, spans: &SpanTable) {
        for lane in &spans.lanes {
            self.line(format_args!("  lane {}..{} depth {}", lane.rows.start, lane.rows.end, lane.depth));
        }
        for (i, span) in spans.rows.iter().enumerate() {
            let parent = or_dash((span.parent != NO_ROW).then_some(span.parent));
            let status = match span.status {
                SpanStatus::Ok => "",
                SpanStatus::Error => " error",
                SpanStatus::Unfinished => " unfinished",
            };
            let mut costs = String::new();
            for (metric, column) in &spans.costs {
                let _ = write!(costs, " {}={}", self.metric(*metric), column[i]);
            }
            let caller = spans.caller(i as u32).map_or_else(String::new, |(track, row)| {
                format!(" called from {row} of {}", self.track_name(Some(track)))
            });
            self.line(format_args!(
                "  span {i} on {parent} depth {} {}..{} {}{status}{costs}{}{caller}",
                span.depth,
                span.start,
                span.end,
                self.function(span.function),
                self.args(span.args)
            ));
        }
    }

    fn samples(&mut self, samples: &SampleTable) {
        for (i, stack) in samples.stacks.iter().enumerate() {
            let mut weights = String::new();
            for (metric, column) in &samples.weights {
                let _ = write!(weights, " {}={}", self.metric(*metric), column[i]);
            }
            let stack = or_dash(stack.map(|s| s.0));
            let at = samples.interval(i).map_or(String::new(), |(a, b)| format!(" {a}..{b}"));
            self.line(format_args!("  sample {i}{at} stack {stack}{weights}"));
        }
    }

    fn events(&mut self) {
        let p = self.p;
        for counter in &p.counters {
            let (name, process) = (p.text(counter.name), p.text(counter.process));
            self.line(format_args!("counter {name:?} of {process:?} {}", counter.unit.key()));
            for (time, value) in counter.times.iter().zip(&counter.values) {
                self.line(format_args!("  {time} {value:?}"));
            }
        }
        for i in &p.instants {
            let (track, args) = (self.track_name(i.track), self.args(i.args));
            self.line(format_args!(
                "instant {} {:?} {:?} on {track}{args}",
                i.time,
                p.text(i.name),
                i.severity
            ));
        }
        for l in &p.links {
            let (from, to) = (self.track_name(Some(l.from.0)), self.track_name(Some(l.to.0)));
            self.line(format_args!("link {:?} {from} {} → {to} {}", p.text(l.name), l.from.1, l.to.1));
        }
    }

    fn graph(&mut self, graph: &CallGraph) {
        let calls = |calls: Option<Calls>| {
            calls.map_or_else(|| "–".to_owned(), |c| format!("{} ({} primitive)", c.all, c.primitive))
        };
        let name = |d: &Self, node: NodeId| {
            graph.nodes.get(node.index()).map_or_else(String::new, |n| d.function(n.function))
        };
        for (i, node) in graph.nodes.iter().enumerate() {
            let mut costs = String::new();
            for c in &graph.costs {
                let _ = write!(
                    costs,
                    " {} self {} total {}",
                    self.metric(c.metric),
                    or_dash(node.measured.then_some(c.node_self[i])),
                    or_dash(node.measured.then_some(c.node_total[i]))
                );
            }
            self.line(format_args!(
                "node {} calls {}{costs}",
                self.function(node.function),
                calls(node.calls)
            ));
        }
        for (i, edge) in graph.edges.iter().enumerate() {
            let mut costs = String::new();
            for c in &graph.costs {
                let total = or_dash(c.edges_measured.then_some(c.edge_total[i]));
                let _ = write!(costs, " {} {total}", self.metric(c.metric));
                if let Some(own) = c.edge_self.get(i) {
                    let _ = write!(costs, " self {own}");
                }
            }
            let (from, to) = (name(self, edge.caller), name(self, edge.callee));
            self.line(format_args!("edge {from} → {to} calls {}{costs}", calls(edge.calls)));
        }
        graph.lines.for_each(|row| {
            let (node, file) = (name(self, row.place.node), self.p.text(row.place.file));
            self.line(format_args!("cost line {node} {file:?}:{} {:?}", row.place.line, row.costs));
        });
        graph.sites.for_each(|row| {
            let site = row.place;
            let (from, to) = (name(self, site.caller), name(self, site.callee));
            self.line(format_args!(
                "call line {from} {:?}:{} → {to} calls {} {:?}",
                self.p.text(site.file),
                site.line,
                or_dash(row.calls),
                row.costs
            ));
        });
        if let Some(instructions) = &graph.instructions {
            self.instructions(instructions, &|d, node| name(d, node));
        }
    }

    fn instructions(&mut self, all: &Instructions, name: &dyn Fn(&Self, NodeId) -> String) {
        all.costs.for_each(|row| {
            let at = row.place;
            let (node, file) = (name(self, at.node), self.p.text(at.file));
            self.line(format_args!(
                "instruction {node} {:#x} {file:?}:{} {:?}",
                at.address, at.line, row.costs
            ));
        });
        all.calls.for_each(|row| {
            let at = row.place;
            let (from, to) = (name(self, at.caller), name(self, at.callee));
            let calls = or_dash(row.calls);
            self.line(format_args!("call {from} {:#x} → {to} calls {calls} {:?}", at.address, row.costs));
        });
        all.jumps.for_each(|row| {
            let Jump { node, from, to, conditional } = row.place;
            let (node, kind) = (name(self, node), if conditional { "conditional" } else { "always" });
            self.line(format_args!(
                "jump {node} {from:#x} → {to:#x} {kind} executed, followed {:?}",
                row.costs
            ));
        });
    }

    fn request(&mut self, r: &Request) {
        let p = self.p;
        let track = self.track_name(r.track);
        self.line(format_args!(
            "request {:?} model {:?} on {track} {:?} arrived {} scheduled {} first token {} finished {}",
            p.text(r.name),
            p.text(r.model),
            r.outcome,
            r.arrived,
            or_dash(r.scheduled),
            or_dash(r.first_token),
            or_dash(r.finished)
        ));
        let t = &r.tokens;
        let counts = [t.input, t.cache_read, t.cache_write_5m, t.output, t.reasoning].map(or_dash);
        self.line(format_args!(
            "  tokens {} cost {} kv {} times {:?}",
            counts.join("/"),
            or_dash(r.cost.map(|c| format!("${c}"))),
            or_dash(r.kv_cache_bytes),
            r.token_times
        ));
        if r.cache.is_some() || r.batch.is_some() {
            self.line(format_args!("  cache {:?} batch {}", r.cache, or_dash(r.batch)));
        }
        self.line(format_args!("  prompt {:?} completion {:?}", p.text(r.prompt), p.text(r.completion)));
        let billed = (r.accounting, r.phases, r.searches, r.chunks);
        let stamps = [r.first_chunk, r.first_output, r.last_token];
        let texts =
            [r.requested_model, r.provider, r.tier, r.requested_tier, r.tokens_why].map(|id| p.text(id));
        if billed != <_>::default() || stamps != [None; 3] || texts.iter().any(|t| !t.is_empty()) || r.undated
        {
            self.line(format_args!("  billed {texts:?} {billed:?}"));
            let parts =
                [t.cache_write_1h, t.audio_input, t.image_input, t.tool_input, t.audio_output].map(or_dash);
            self.line(format_args!("  stamps {stamps:?} undated {} parts {}", r.undated, parts.join("/")));
        }
        if !r.attributes.is_empty() {
            let said = r.attributes.iter().map(|(name, value)| (p.text(*name), p.text(*value)));
            self.line(format_args!("  attributes {:?}", said.collect::<Vec<_>>()));
        }
        if r.first_byte.is_some() || !p.text(r.error).is_empty() {
            self.line(format_args!("  first byte {} error {:?}", or_dash(r.first_byte), p.text(r.error)));
        }
    }
}
