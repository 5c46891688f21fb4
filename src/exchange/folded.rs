//! Folded stacks: `outer;inner cost`, one line a distinct stack, for flamegraph.pl, inferno and speedscope.
//!
//! The cost is the self cost of one metric, as the call tree has it. With several tracks the track stands first in each
//! stack. The format has no escapes, so `;` in names becomes `,` and controls are shown.

use std::borrow::Cow;
use std::io::Write;

use rustc_hash::FxHashMap;

use super::{Asked, no_stacks};
use crate::analysis::formula::Measure;
use crate::analysis::path::Symbol;
use crate::analysis::tree_costs::{OwnByTrack, TrackCosts};
use crate::analysis::{CallTree, Shape, Slice};
use crate::export::ExportError;
use crate::format::{self, plain};
use crate::model::{Profile, Unit};

/// Longest output: deep stacks repeat their callers on every line.
const MAX_BYTES: u64 = 4 << 30;
/// Longest output of stacks that have so many bytes each: nobody reads such lines.
const MAX_DEEP: (u64, u64) = (1 << 30, 16 << 10);
/// Output of which the size is told.
const LARGE: u64 = 256 << 20;

/// Writes the self costs of one metric.
///
/// # Errors
/// When `out` cannot be written, the profile has no spans or samples, none of them has the metric, or the
/// stacks are too deep for a format that writes each of them out.
pub(super) fn write(asked: &Asked, out: &mut dyn Write) -> Result<Vec<String>, ExportError> {
    let profile = &asked.profile;
    if profile.span_count() == 0 && profile.sample_count() == 0 {
        return Err(no_stacks(profile, "the folded format"));
    }
    let metrics = match asked.metric {
        Some(metric) => Measure::of(metric, profile).into_iter().collect(),
        None => Measure::all(profile, &[]),
    };
    for metric in metrics {
        let slice = Slice { scope: asked.scope.clone(), metric: metric.key, range: asked.range };
        let tracks = asked.ask(&OwnByTrack(slice))?;
        if tracks.iter().flat_map(|t| &t.1).any(|&(_, own)| own > 0) {
            let tree = asked.ask(&Shape(asked.scope.clone()))?;
            let stacks = Stacks::new(profile, &tree, &tracks);
            let bytes = stacks.check()?;
            stacks.write(out)?;
            let large = (bytes > LARGE).then(|| {
                format!("it has {}, because each stack is written out", format::bytes(bytes as i64))
            });
            return Ok(stacks.negative(metric.unit).into_iter().chain(large).collect());
        }
    }
    Err(ExportError::Unsupported("no stack of this profile has a cost of this metric".into()))
}

struct Stacks<'a> {
    profile: &'a Profile,
    tree: &'a CallTree,
    tracks: &'a [TrackCosts],
    /// What stands first in the stacks of each track.
    labels: Vec<String>,
    /// Names by what the node is, as they are written.
    names: FxHashMap<(bool, u32), String>,
}

impl<'a> Stacks<'a> {
    fn new(profile: &'a Profile, tree: &'a CallTree, tracks: &'a [TrackCosts]) -> Self {
        let several = tracks.iter().filter(|t| !t.1.is_empty()).count() > 1;
        let label = |&(id, _): &TrackCosts| match several {
            true => escaped(&profile.track_label(id)) + ";",
            false => String::new(),
        };
        let mut names = FxHashMap::default();
        for node in &tree.nodes {
            let label = || escaped(&node.symbol.uncounted().label(profile));
            names.entry(node.symbol.key()).or_insert_with(label);
        }
        Self { profile, tree, tracks, labels: tracks.iter().map(label).collect(), names }
    }

    fn name(&self, node: u32) -> Cow<'_, str> {
        let symbol = self.tree.nodes[node as usize].symbol;
        match symbol {
            Symbol::Hidden { .. } => Cow::Owned(escaped(&symbol.label(self.profile))),
            _ => Cow::Borrowed(self.names.get(&symbol.key()).map_or("", String::as_str)),
        }
    }

    /// Bytes of all stacks. Refuses those that are too deep to write each of them out.
    fn check(&self) -> Result<u64, ExportError> {
        let mut lengths: Vec<u64> = Vec::with_capacity(self.tree.nodes.len());
        for (i, node) in self.tree.nodes.iter().enumerate() {
            let above = lengths.get(node.parent as usize).copied().unwrap_or(0);
            lengths.push(above + self.name(i as u32).len() as u64 + 1);
        }
        let (mut total, mut lines) = (0u64, 0u64);
        for ((_, costs), label) in self.tracks.iter().zip(&self.labels) {
            for &(node, _) in costs.iter().filter(|c| c.1 > 0) {
                total = total.saturating_add(lengths[node as usize] + label.len() as u64 + 24);
                lines += 1;
            }
        }
        if total <= MAX_BYTES && (total <= MAX_DEEP.0 || total / lines.max(1) <= MAX_DEEP.1) {
            return Ok(total);
        }
        let size = format::bytes(i64::try_from(total).unwrap_or(i64::MAX));
        Err(ExportError::Unsupported(format!(
            "the stacks of this profile are too deep for a format that writes out each of them ({size}); save it as an \
             inferscope session instead"
        )))
    }

    fn write(&self, out: &mut dyn Write) -> Result<(), ExportError> {
        let mut path: Vec<u32> = Vec::new();
        for ((_, costs), label) in self.tracks.iter().zip(&self.labels) {
            for &(node, own) in costs.iter().filter(|c| c.1 > 0) {
                out.write_all(label.as_bytes())?;
                path.clear();
                path.extend(self.tree.ancestors(node));
                for (n, &step) in path.iter().rev().enumerate() {
                    out.write_all(if n == 0 { b"" } else { b";" })?;
                    out.write_all(self.name(step).as_bytes())?;
                }
                writeln!(out, " {own}")?;
            }
        }
        Ok(())
    }

    /// Costs below 0, which the format cannot hold.
    fn negative(&self, unit: Unit) -> Option<String> {
        let below: Vec<i64> = self.tracks.iter().flat_map(|t| &t.1).map(|c| c.1).filter(|&c| c < 0).collect();
        let sum = below.iter().fold(0i64, |a, &b| a.saturating_add(b));
        let paths = format::counted(below.len() as i64, "path", "paths");
        let cost = format::cost(unit, sum);
        (!below.is_empty()).then(|| format!("it cannot hold {paths} with a cost below 0 ({cost})"))
    }
}

fn escaped(name: &str) -> String {
    match name {
        "" => "(unnamed)".into(),
        name => plain(name).replace(';', ","),
    }
}
