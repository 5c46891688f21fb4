//! speedscope: spans as evented profiles, samples as sampled ones.
//!
//! Kept: every track that is work, functions with file and first line, times to the nanosecond, the weights of every
//! metric of samples (one profile each, because a speedscope profile has only one). A track whose spans overlap becomes
//! one profile for each lane, because speedscope demands strict nesting. Self times add up to what the call tree has:
//! samples of a thread with spans stand in the spans that they fall on, and a call is in several parts while nothing but
//! its callees on other lanes runs. Fields that other programs skip say who made the profile and how (`basis`), because
//! spans may be made of samples.

mod evented;
mod sampled;

use std::io::Write;

use rustc_hash::FxHashMap;

use super::{Asked, no_stacks};
use crate::analysis::call_tree::NO_NODE;
use crate::analysis::path::Symbol;
use crate::analysis::{CallTree, Shape};
use crate::export::{ExportError, WRITER};
use crate::format;
use crate::model::{Profile, TrackId};

/// Writes spans and samples.
///
/// # Errors
/// When `out` cannot be written, or the profile has no spans or samples.
pub(super) fn write(asked: &Asked, out: &mut dyn Write) -> Result<Vec<String>, ExportError> {
    let profile = &*asked.profile;
    if profile.span_count() == 0 && profile.sample_count() == 0 {
        return Err(no_stacks(profile, "speedscope"));
    }
    let tree = asked.ask(&Shape(asked.scope.clone()))?;
    let frames = Frames::new(profile, &tree);
    out.write_all(b"{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":")?;
    text(out, WRITER)?;
    out.write_all(b",\"name\":")?;
    text(out, &profile.meta.title)?;
    out.write_all(b",\"tool\":")?;
    text(out, &profile.meta.tool)?;
    write!(out, ",\"basis\":\"{}\",\"why\":", profile.meta.basis.key())?;
    text(out, profile.meta.basis.why())?;
    out.write_all(b",\"activeProfileIndex\":0,\"shared\":{\"frames\":[")?;
    frames.write(out)?;
    out.write_all(b"]},\"profiles\":[")?;
    let part = Part { asked, profile, tree: &tree, frames: &frames };
    let mut list = List { out, first: true };
    let mut said = Vec::new();
    for id in asked.scope.work_tracks(profile) {
        let label = track_name(profile, id);
        said.extend(evented::write(&part, &mut list, id, &label)?);
        said.extend(sampled::write(&part, &mut list, id, &label)?);
    }
    list.out.write_all(b"]}\n")?;
    Ok(said)
}

/// What is written, and what its parts are called.
#[derive(Clone, Copy)]
struct Part<'a> {
    asked: &'a Asked,
    profile: &'a Profile,
    tree: &'a CallTree,
    frames: &'a Frames,
}

/// The profiles of the file.
struct List<'a> {
    out: &'a mut dyn Write,
    first: bool,
}

impl List<'_> {
    /// Begins a profile.
    fn begin(
        &mut self,
        kind: &str,
        name: &str,
        unit: &str,
        (start, end): (i64, i64),
    ) -> Result<(), ExportError> {
        if !std::mem::take(&mut self.first) {
            self.out.write_all(b",\n")?;
        }
        write!(self.out, "{{\"type\":\"{kind}\",\"name\":")?;
        text(self.out, name)?;
        write!(self.out, ",\"unit\":\"{unit}\",\"startValue\":{start},\"endValue\":{end}")?;
        Ok(())
    }
}

fn text(out: &mut dyn Write, text: &str) -> Result<(), ExportError> {
    Ok(serde_json::to_writer(out, text)?)
}

fn track_name(profile: &Profile, id: TrackId) -> String {
    let label = profile.track_label(id);
    if label.is_empty() { format!("track {}", id.0 + 1) } else { label }
}

/// «3 samples with a weight below 0 (−5 ns)» in a sentence; speedscope refuses such weights.
fn negative(label: &str, weights: &[i64], unit: crate::model::Unit) -> Option<String> {
    let sum = weights.iter().fold(0i64, |a, &b| a.saturating_add(b));
    let samples = format::counted(weights.len() as i64, "sample", "samples");
    let cost = format::cost(unit, sum);
    (!weights.is_empty())
        .then(|| format!("it cannot hold {samples} of {label} with a weight below 0 ({cost})"))
}

/// The frames that all profiles share: one for each function of the tree, or group of functions.
struct Frames {
    /// Place by what a node is.
    index: FxHashMap<(bool, u32), u32>,
    /// What and where it is: name, file or module, line.
    rows: Vec<(String, String, u32)>,
    /// For each node its frame.
    of: Vec<u32>,
}

impl Frames {
    fn new(profile: &Profile, tree: &CallTree) -> Self {
        let mut frames = Self { index: FxHashMap::default(), rows: Vec::new(), of: Vec::new() };
        for node in &tree.nodes {
            let rows = &mut frames.rows;
            let at = *frames.index.entry(node.symbol.key()).or_insert_with(|| {
                let function = profile.functions.get(node.symbol.function());
                let (module, file) = (profile.text(function.module), profile.text(function.file));
                let label = node.symbol.uncounted().label(profile).into_owned();
                rows.push(match node.symbol {
                    Symbol::Function(_) => {
                        let place = if file.is_empty() { module } else { file };
                        (label, place.to_owned(), function.line)
                    }
                    // Of several functions there is no single place.
                    _ => (label, String::new(), 0),
                });
                rows.len() as u32 - 1
            });
            frames.of.push(at);
        }
        frames
    }

    /// The frame of a node.
    fn of(&self, node: u32) -> u32 {
        self.of[node as usize]
    }

    fn write(&self, out: &mut dyn Write) -> Result<(), ExportError> {
        for (i, (name, place, line)) in self.rows.iter().enumerate() {
            out.write_all(if i == 0 { b"{\"name\":" } else { b",{\"name\":" })?;
            text(out, name)?;
            if !place.is_empty() {
                out.write_all(b",\"file\":")?;
                text(out, place)?;
            }
            if *line > 0 {
                write!(out, ",\"line\":{line}")?;
            }
            out.write_all(b"}")?;
        }
        Ok(())
    }
}

/// Nodes from below `above` down to `node`, outermost first; `above` may be [`NO_NODE`].
fn path_below(tree: &CallTree, above: u32, node: u32, path: &mut Vec<u32>) {
    path.clear();
    if node != NO_NODE {
        path.extend(tree.ancestors(node).take_while(|&n| n != above));
    }
    path.reverse();
}
