//! Sampled profiles: one for each metric that the samples of a track weigh.

use rustc_hash::FxHashMap;

use super::{List, Part, negative, text};
use crate::analysis::call_tree::NO_NODE;
use crate::analysis::nested_samples::{is_nested, parts};
use crate::export::ExportError;
use crate::jobs::Job;
use crate::model::{MetricId, NO_ROW, TrackId, Unit};

/// Samples of a track. Those that fall on spans are part of the evented profiles as far as they measure time.
pub(super) fn write(
    part: &Part<'_>,
    list: &mut List<'_>,
    id: TrackId,
    label: &str,
) -> Result<Vec<String>, ExportError> {
    let track = part.profile.track(id);
    let time = part.profile.time_metric();
    let mut said = Vec::new();
    if track.samples.is_empty() {
        return Ok(said);
    }
    if track.samples.weights.is_empty() && !is_nested(track) {
        Column { part, id, metric: None, unit: Unit::None, outside: false }.write(list, label)?;
    }
    let metrics = track.samples.weights.iter().map(|(m, _)| *m);
    for (n, metric) in metrics.enumerate() {
        let metric_of = part.profile.metric(metric);
        let outside = is_nested(track) && Some(metric) == time;
        let name = match n {
            _ if outside => format!("{label} (samples outside of spans)"),
            0 if !is_nested(track) => label.to_owned(),
            _ => format!("{label} ({})", metric_of.label),
        };
        let column = Column { part, id, metric: Some(metric), unit: metric_of.unit, outside };
        said.extend(negative(label, &column.write(list, &name)?, metric_of.unit));
    }
    Ok(said)
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Nanoseconds => "nanoseconds",
        Unit::Bytes => "bytes",
        _ => "none",
    }
}

/// The samples of a track with their weights in a metric, or 1 each.
struct Column<'a> {
    part: &'a Part<'a>,
    id: TrackId,
    metric: Option<MetricId>,
    unit: Unit,
    /// Only what falls on no span.
    outside: bool,
}

impl Column<'_> {
    /// Writes the profile. Returns weights below 0, which are left out.
    fn write(&self, list: &mut List<'_>, name: &str) -> Result<Vec<i64>, ExportError> {
        let rows = self.rows()?;
        if self.outside && rows.is_empty() {
            return Ok(Vec::new());
        }
        let negative: Vec<i64> = rows.iter().map(|r| r.1).filter(|&w| w < 0).collect();
        let kept = || rows.iter().filter(|r| r.1 >= 0);
        let times = &self.part.profile.track(self.id).samples.times;
        let first = self.part.asked.range.map(|r| r.0).or(times.first().copied());
        let start = first.filter(|_| self.unit == Unit::Nanoseconds && !times.is_empty()).unwrap_or(0);
        let end = kept().fold(start, |sum, r| sum.saturating_add(r.1));
        list.begin("sampled", name, unit_name(self.unit), (start, end))?;
        let profile = self.part.profile;
        if let Some(metric) = self.metric.filter(|&m| Some(m) != profile.time_metric()) {
            // Other programs skip these. Without them CPU time would be taken for more of the same time.
            let metric = profile.metric(metric);
            list.out.write_all(b",\"metric\":")?;
            text(list.out, &metric.key)?;
            list.out.write_all(b",\"label\":")?;
            text(list.out, &metric.label)?;
        }
        let mut paths: FxHashMap<u32, String> = FxHashMap::default();
        list.out.write_all(b",\"samples\":[")?;
        for (n, &(node, _)) in kept().enumerate() {
            let path = paths.entry(node).or_insert_with(|| self.path(node));
            write!(list.out, "{}[{path}]", if n == 0 { "" } else { "," })?;
        }
        list.out.write_all(b"],\"weights\":[")?;
        for (n, (_, weight)) in kept().enumerate() {
            write!(list.out, "{}{weight}", if n == 0 { "" } else { "," })?;
        }
        list.out.write_all(b"]}")?;
        Ok(negative)
    }

    /// Node and weight of each sample, in order of time. A sample without a stack keeps its place in time.
    fn rows(&self) -> Result<Vec<(u32, i64)>, ExportError> {
        let (profile, tree) = (self.part.profile, self.part.tree);
        let samples = &profile.track(self.id).samples;
        let weights = samples.weights.iter().find(|(m, _)| Some(*m) == self.metric).map(|(_, w)| w);
        let timed = samples.is_timed() && self.unit == Unit::Nanoseconds;
        let mut at = self.part.asked.range.map(|r| r.0).or(samples.times.first().copied());
        let mut rows = Vec::new();
        let done = parts(profile, tree, self.id, self.part.asked.range, &Job::new(), |p| {
            if self.outside && p.row != NO_ROW {
                return;
            }
            let (start, end) = p.within();
            if let Some(gap) = at.map(|at| start.saturating_sub(at)).filter(|&gap| timed && gap > 0) {
                rows.push((NO_NODE, gap));
            }
            at = Some(end);
            match weights {
                Some(weights) => rows.push((p.node, p.of(weights[p.sample as usize]))),
                None if p.first => rows.push((p.node, 1)),
                None => {}
            }
        });
        done.map_err(|_| ExportError::Unsupported("was cancelled".into()))?;
        Ok(rows)
    }

    /// The written list of frames of a node, outermost first.
    fn path(&self, node: u32) -> String {
        let mut path = Vec::new();
        super::path_below(self.part.tree, NO_NODE, node, &mut path);
        path.iter().map(|&n| self.part.frames.of(n).to_string()).collect::<Vec<_>>().join(",")
    }
}
