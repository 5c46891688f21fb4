//! Folded stacks: `outer;inner cost`, one line a distinct stack, for flamegraph.pl, inferno and speedscope.
//!
//! The cost is the self cost of one metric: of spans their time less that of the spans inside them, of
//! samples their weight. With several tracks the track stands first in each stack. The format has no
//! escapes, so `;` in names becomes `,` and line breaks become blanks.

use std::io::Write;

use rustc_hash::FxHashMap;

use super::{ExportError, Options, no_stacks};
use crate::model::{FunctionId, MetricId, NO_ROW, Profile, SpanTable, TrackId};

/// Longest output: deep stacks repeat their callers on every line.
const MAX_BYTES: u64 = 4 << 30;

/// Writes the self costs of one metric.
///
/// # Errors
/// When `out` cannot be written, the profile has no spans or samples, none of them has the metric, or the
/// stacks are too deep for a format that writes each of them out.
pub fn write(profile: &Profile, options: &Options, out: &mut dyn Write) -> Result<(), ExportError> {
    if profile.span_count() == 0 && profile.sample_count() == 0 {
        return Err(no_stacks(profile, "the folded format"));
    }
    let metrics = options.metric.map_or_else(|| profile.metric_ids().collect(), |m| vec![m]);
    let paths = metrics.into_iter().map(|m| Paths::of(profile, m)).find(|p| p.costs.iter().any(|&c| c > 0));
    let Some(paths) = paths else {
        return Err(ExportError::Unsupported("no stack of this profile has a cost of this metric".into()));
    };
    paths.write(out)
}

/// Distinct paths; a caller precedes its callees.
#[derive(Default)]
struct Paths {
    /// Caller and name, already as it is written.
    rows: Vec<(u32, String)>,
    index: FxHashMap<(u32, Step), u32>,
    costs: Vec<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Track(TrackId),
    Function(FunctionId),
    NoStack,
}

impl Paths {
    fn of(profile: &Profile, metric: MetricId) -> Self {
        let mut paths = Self::default();
        let named = profile.tracks.len() > 1;
        for id in profile.track_ids() {
            let root = if named { paths.step(profile, NO_ROW, Step::Track(id)) } else { NO_ROW };
            paths.add_spans(profile, &profile.track(id).spans, metric, root);
            paths.add_samples(profile, id, metric, root);
        }
        paths
    }

    fn step(&mut self, profile: &Profile, parent: u32, step: Step) -> u32 {
        *self.index.entry((parent, step)).or_insert_with(|| {
            let name = match step {
                Step::Track(id) => plain(&profile.track_label(id)),
                Step::Function(id) => plain(profile.function_name(id)),
                Step::NoStack => "(no stack)".into(),
            };
            self.rows.push((parent, name));
            self.costs.push(0);
            self.rows.len() as u32 - 1
        })
    }

    fn add(&mut self, path: u32, cost: i64) {
        if let Some(sum) = self.costs.get_mut(path as usize) {
            *sum = sum.saturating_add(cost);
        }
    }

    fn add_spans(&mut self, profile: &Profile, spans: &SpanTable, metric: MetricId, root: u32) {
        let column = spans.costs.iter().find(|(m, _)| *m == metric).map(|(_, column)| column);
        let is_time = profile.time_metric() == Some(metric);
        let cost = |row: usize| match column {
            Some(column) => column[row],
            None if is_time => spans.rows[row].duration(),
            None => 0,
        };
        let mut own: Vec<i64> = (0..spans.rows.len()).map(cost).collect();
        for (row, span) in spans.rows.iter().enumerate() {
            if span.parent != NO_ROW {
                let parent = &mut own[span.parent as usize];
                *parent = parent.saturating_sub(cost(row));
            }
        }
        let mut path_of: Vec<u32> = Vec::with_capacity(own.len());
        for (span, own) in spans.rows.iter().zip(own) {
            let parent = if span.parent == NO_ROW { root } else { path_of[span.parent as usize] };
            let path = self.step(profile, parent, Step::Function(span.function));
            path_of.push(path);
            self.add(path, own);
        }
    }

    fn add_samples(&mut self, profile: &Profile, track: TrackId, metric: MetricId, root: u32) {
        let samples = &profile.track(track).samples;
        let Some((_, weights)) = samples.weights.iter().find(|(m, _)| *m == metric) else { return };
        let mut cost = vec![0i64; profile.stacks.len()];
        let mut used = vec![false; profile.stacks.len()];
        let mut without = 0i64;
        for (stack, &weight) in samples.stacks.iter().zip(weights) {
            match stack {
                Some(stack) => cost[stack.index()] = cost[stack.index()].saturating_add(weight),
                None => without = without.saturating_add(weight),
            }
        }
        if without > 0 {
            let path = self.step(profile, root, Step::NoStack);
            self.add(path, without);
        }
        let rows = profile.stacks.rows();
        for i in (0..rows.len()).rev() {
            used[i] |= cost[i] != 0;
            if let (true, Some(parent)) = (used[i], rows[i].parent) {
                used[parent.index()] = true;
            }
        }
        let mut path_of = vec![root; rows.len()];
        for (i, stack) in rows.iter().enumerate().filter(|(i, _)| used[*i]) {
            let parent = stack.parent.map_or(root, |p| path_of[p.index()]);
            let function = profile.frames.get(stack.frame).function;
            path_of[i] = self.step(profile, parent, Step::Function(function));
            self.add(path_of[i], cost[i]);
        }
    }

    fn write(&self, out: &mut dyn Write) -> Result<(), ExportError> {
        let mut lengths: Vec<u64> = Vec::with_capacity(self.rows.len());
        let mut total = 0u64;
        for (i, (parent, name)) in self.rows.iter().enumerate() {
            let length = lengths.get(*parent as usize).copied().unwrap_or(0) + name.len() as u64 + 1;
            lengths.push(length);
            total = total.saturating_add(if self.costs[i] > 0 { length } else { 0 });
        }
        if total > MAX_BYTES {
            let why = "the stacks of this profile are too deep for a format that writes out each of them; \
                       save it as speedscope or as an inferscope session instead";
            return Err(ExportError::Unsupported(why.into()));
        }
        let mut path: Vec<u32> = Vec::new();
        for (i, &cost) in self.costs.iter().enumerate().filter(|(_, cost)| **cost > 0) {
            path.clear();
            path.extend(std::iter::successors(Some(i as u32), |&p| {
                Some(self.rows[p as usize].0).filter(|&parent| parent != NO_ROW)
            }));
            for (n, &step) in path.iter().rev().enumerate() {
                out.write_all(if n == 0 { b"" } else { b";" })?;
                out.write_all(self.rows[step as usize].1.as_bytes())?;
            }
            writeln!(out, " {cost}")?;
        }
        Ok(())
    }
}

fn plain(name: &str) -> String {
    if name.is_empty() {
        return "(unnamed)".into();
    }
    name.chars()
        .map(|c| match c {
            ';' => ',',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}
