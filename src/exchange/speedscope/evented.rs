//! Evented profiles: one for each lane of a track.

use std::collections::BTreeMap;
use std::io::Write;

use super::{List, Part, path_below};
use crate::analysis::call_tree::NO_NODE;
use crate::analysis::lane_walk::{LaneWalk, Step};
use crate::analysis::nested_samples::{is_nested, parts};
use crate::analysis::tree_costs::own_covered;
use crate::export::ExportError;
use crate::jobs::Job;
use crate::model::{NO_ROW, SpanTable, TrackId};

/// Times that are cut out of the own times of spans: start, end, and the node that has them instead, or [`NO_NODE`].
type Cuts = BTreeMap<u32, Vec<(i64, i64, u32)>>;

/// Spans of a track, with the samples that fall on them.
pub(super) fn write(
    part: &Part<'_>,
    list: &mut List<'_>,
    id: TrackId,
    label: &str,
) -> Result<Vec<String>, ExportError> {
    let track = part.profile.track(id);
    if track.spans.rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut cuts: Cuts = own_covered(part.profile, part.tree, id)
        .into_iter()
        .map(|(row, times)| (row, times.into_iter().map(|(start, end)| (start, end, NO_NODE)).collect()))
        .collect();
    let waits = !cuts.is_empty();
    let weights = track.samples.weights.iter().find(|(m, _)| Some(*m) == part.profile.time_metric());
    if let Some((_, weights)) = weights.filter(|_| is_nested(track)) {
        let done = parts(part.profile, part.tree, id, part.asked.range, &Job::new(), |p| {
            let (start, end) = p.within();
            // A sample that weighs less than it lasted leaves the rest to the span.
            let weight = p.of(weights[p.sample as usize]).clamp(0, end.saturating_sub(start));
            if p.row != NO_ROW {
                cuts.entry(p.row).or_default().push((start, start.saturating_add(weight), p.node));
            }
        });
        done.map_err(|_| ExportError::Unsupported("was cancelled".into()))?;
    }
    cuts.values_mut().for_each(apart);
    for n in 0..track.spans.lanes.len() {
        let name = if n == 0 { label.to_owned() } else { format!("{label} (overlap {n})") };
        let times = bounds(part, &track.spans, n);
        list.begin("evented", &name, "nanoseconds", times)?;
        list.out.write_all(b",\"events\":[")?;
        Lane::new(part, id, &cuts, list.out).write(n)?;
        list.out.write_all(b"]}")?;
    }
    let said = format!("calls of {label} that waited for calls on other lanes are in parts");
    Ok(waits.then_some(said).into_iter().collect())
}

/// Puts times in order; what two of them share belongs to the first.
fn apart(times: &mut Vec<(i64, i64, u32)>) {
    times.sort_by_key(|t| (t.0, t.1));
    let mut at = i64::MIN;
    for time in times.iter_mut() {
        (time.0, time.1) = (time.0.max(at), time.1.max(at));
        at = time.1;
    }
    times.retain(|t| t.0 < t.1);
}

/// From 0, or earlier, to the end of what is written of a lane.
fn bounds(part: &Part<'_>, spans: &SpanTable, lane: usize) -> (i64, i64) {
    let rows = spans.lanes[lane].rows.clone();
    let spans = &spans.rows[rows.start as usize..rows.end as usize];
    let first = spans.first().map_or(0, |s| s.start.min(0));
    let last = spans.iter().map(|s| s.end).max().unwrap_or(first);
    part.asked.range.map_or((first, last), |(from, to)| (from, last.clamp(from, to)))
}

/// The frames that are open while a lane is written.
struct Lane<'a> {
    part: &'a Part<'a>,
    id: TrackId,
    cuts: &'a Cuts,
    out: &'a mut dyn Write,
    comma: &'static str,
    /// Nodes of the open spans that make frames, outermost first.
    spans: Vec<u32>,
    /// For each open span whether it makes one.
    makes: Vec<bool>,
    /// How many of `spans` are written as open.
    opened: usize,
    /// Nodes of a sample that are open on top.
    sample: Vec<u32>,
    /// Up to here all is written.
    at: i64,
}

impl<'a> Lane<'a> {
    fn new(part: &'a Part<'a>, id: TrackId, cuts: &'a Cuts, out: &'a mut dyn Write) -> Self {
        let (spans, makes, sample) = (Vec::new(), Vec::new(), Vec::new());
        Self { part, id, cuts, out, comma: "", spans, makes, opened: 0, sample, at: i64::MIN }
    }

    /// Writes lane `lane`.
    fn write(mut self, lane: usize) -> Result<(), ExportError> {
        let part = self.part;
        let spans = &part.profile.track(self.id).spans;
        for step in LaneWalk::new(spans, lane) {
            match step {
                Step::Open(row) => {
                    self.close_sample(0)?;
                    let node = part.tree.node_of_span(self.id, row).unwrap_or(NO_NODE);
                    let makes = node != NO_NODE && self.spans.last() != Some(&node);
                    self.makes.push(makes);
                    self.spans.extend(makes.then_some(node));
                }
                Step::Own(row, start, end) => self.own(row, start, end)?,
                Step::Close(row) => {
                    self.close_sample(0)?;
                    if self.makes.pop() == Some(true) {
                        self.advance(spans.rows[row as usize].end);
                        self.close_to(self.spans.len() - 1)?;
                        self.spans.pop();
                    }
                }
            }
        }
        Ok(())
    }

    /// The part of a time in the range.
    fn within(&self, start: i64, end: i64) -> Option<(i64, i64)> {
        let Some((from, to)) = self.part.asked.range else { return Some((start, end)) };
        let (a, b) = (start.max(from), end.min(to));
        (a < b || (a == b && start == end && a < to)).then_some((a, b))
    }

    /// Time in which a span is the innermost one.
    fn own(&mut self, row: u32, start: i64, end: i64) -> Result<(), ExportError> {
        let Some((start, end)) = self.within(start, end) else { return Ok(()) };
        let node = self.part.tree.node_of_span(self.id, row).unwrap_or(NO_NODE);
        if node == NO_NODE {
            return self.leave(start);
        }
        let status = self.part.profile.track(self.id).spans.rows[row as usize].status;
        let left_out = self.part.asked.scope.leaves_out(status);
        let cuts = self.cuts.get(&row).map_or(&[][..], Vec::as_slice);
        let first = cuts.partition_point(|cut| cut.1 <= start);
        let mut at = start;
        for &(from, to, node_of) in cuts[first..].iter().take_while(|cut| cut.0 < end) {
            let (from, to) = (from.max(at), to.min(end));
            if from > at {
                self.alone(at, left_out)?;
            }
            if from < to {
                match node_of {
                    NO_NODE => self.leave(from)?,
                    inner => self.sampled(from, to, inner, node)?,
                }
                at = to;
            }
        }
        if at < end || start == end {
            self.alone(at, left_out)?;
        }
        Ok(())
    }

    /// From `time` on the open spans run and no sample says more; or nothing does that counts.
    fn alone(&mut self, time: i64, left_out: bool) -> Result<(), ExportError> {
        if left_out {
            return self.leave(time);
        }
        self.close_sample(0)?;
        self.open_spans(time)
    }

    /// From `time` on nothing of this lane runs.
    fn leave(&mut self, time: i64) -> Result<(), ExportError> {
        self.close_sample(0)?;
        self.advance(time);
        self.close_to(0)
    }

    /// A sample below the node `above` of the innermost span.
    fn sampled(&mut self, start: i64, end: i64, node: u32, above: u32) -> Result<(), ExportError> {
        if start > self.at {
            self.close_sample(0)?;
        }
        let mut path = Vec::new();
        path_below(self.part.tree, above, node, &mut path);
        let same = self.sample.iter().zip(&path).take_while(|(a, b)| a == b).count();
        self.close_sample(same)?;
        self.open_spans(start)?;
        for &node in &path[same..] {
            self.event('O', node)?;
            self.sample.push(node);
        }
        self.advance(end);
        Ok(())
    }

    fn open_spans(&mut self, time: i64) -> Result<(), ExportError> {
        self.advance(time);
        while self.opened < self.spans.len() {
            self.event('O', self.spans[self.opened])?;
            self.opened += 1;
        }
        Ok(())
    }

    /// Closes open spans down to `depth`, now.
    fn close_to(&mut self, depth: usize) -> Result<(), ExportError> {
        while self.opened > depth {
            self.opened -= 1;
            self.event('C', self.spans[self.opened])?;
        }
        Ok(())
    }

    /// Closes frames of the sample down to `depth`, where it ended.
    fn close_sample(&mut self, depth: usize) -> Result<(), ExportError> {
        while self.sample.len() > depth {
            if let Some(node) = self.sample.pop() {
                self.event('C', node)?;
            }
        }
        Ok(())
    }

    fn advance(&mut self, time: i64) {
        let time = self.part.asked.range.map_or(time, |(from, to)| time.clamp(from, to));
        self.at = self.at.max(time);
    }

    fn event(&mut self, kind: char, node: u32) -> Result<(), ExportError> {
        let frame = self.part.frames.of(node);
        let comma = std::mem::replace(&mut self.comma, ",");
        write!(self.out, "{comma}{{\"type\":\"{kind}\",\"frame\":{frame},\"at\":{}}}", self.at)?;
        Ok(())
    }
}
