//! The critical path in reports: which stages decided the total, and what would shorten it.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::json;

use super::super::out::List;
use super::Report;
use crate::analysis::stages::{Gain, Stage, StageGraph};
use crate::format::{self, Page};
use crate::model::{Profile, SpanStatus};

/// More stages than this are summed up by name.
const MOST_LINES: usize = 24;
/// Most what-ifs that are printed.
const MOST_GAINS: usize = 5;
/// Stages off the path that are listed for programs.
const MOST_SLACKS: usize = 1000;
/// Gains below this share of the total are not worth a line.
const LEAST_GAIN: f64 = 0.01;

fn name(p: &Profile, graph: &StageGraph, stage: u32) -> String {
    p.function_name(graph.stages[stage as usize].function).to_owned()
}

/// What a line calls a stage.
fn shown(p: &Profile, graph: &StageGraph, stage: u32) -> String {
    let stage = &graph.stages[stage as usize];
    let span = p.track(stage.id.track).spans.rows.get(stage.id.row as usize);
    let open = span.is_some_and(|s| s.status == SpanStatus::Unfinished);
    format!("{}{}", super::text::name(p, stage.function), if open { " (unfinished)" } else { "" })
}

/// The section as text.
pub(super) fn text(out: &mut Page, report: &Report) {
    let Some((graph, gains)) = &report.stages else { return };
    let p = &*report.profile;
    let total = graph.total().max(1) as f64;
    let share = |ns: i64| format::percent(ns as f64 / total);
    let (stages, tracks) = (graph.stages.len() as i64, graph.tracks.len() as i64);
    out.gap();
    out.line(format_args!(
        "Critical path ({} from the first start to the last end; {} on {})",
        format::duration(graph.total()),
        format::counted(stages, "stage", "stages"),
        format::counted(tracks, "track", "tracks")
    ));
    for (count, length, name) in lines(p, graph) {
        let count = if count > 1 { format!("{count} × ") } else { String::new() };
        out.line(format_args!("  {:>10} {:>8}  {count}{name}", format::duration(length), share(length)));
    }
    let (between, unknown) = graph.path_gaps;
    for (length, what) in [(between, "between stages"), (unknown, "on no known path")] {
        if length > 0 {
            out.line(format_args!("  {:>10} {:>8}  ({what})", format::duration(length), share(length)));
        }
    }
    let worth = gains.iter().filter(|g| g.dropped as f64 >= total * LEAST_GAIN).take(MOST_GAINS);
    let worth: Vec<&Gain> = worth.collect();
    if !worth.is_empty() {
        out.line(format_args!("  Estimates of the total:"));
    }
    for gain in worth {
        let without = format::duration(graph.total().saturating_sub(gain.dropped));
        let beside = gain.beside.filter(|b| b.1 as f64 >= total * LEAST_GAIN);
        let beside = beside.map_or_else(String::new, |(other, saved)| {
            let at = format::duration(graph.total().saturating_sub(saved));
            format!("; {at} with it beside {}", shown(p, graph, other))
        });
        out.line(format_args!(
            "  {without:>10} {:>8}  without {}{beside}",
            change(gain.dropped, total),
            shown(p, graph, gain.stage)
        ));
    }
}

fn change(saved: i64, total: f64) -> String {
    format::percent_change(-(saved as f64) / total)
}

/// Number, length on the path and name: stage by stage, or summed up by name where there are many.
fn lines(p: &Profile, graph: &StageGraph) -> Vec<(usize, i64, String)> {
    let steps: Vec<(u32, i64)> = graph.path_stages().filter(|s| s.1 > 0).collect();
    if steps.len() <= MOST_LINES {
        return steps.iter().map(|&(stage, length)| (1, length, shown(p, graph, stage))).collect();
    }
    let sums = graph.path_names.iter().take(MOST_LINES);
    sums.map(|s| (s.stages, s.length, super::text::name(p, s.function).into_owned())).collect()
}

/// The same for programs.
pub(super) struct CriticalPath<'a>(pub &'a Report);

impl Serialize for CriticalPath<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Some((graph, gains)) = &self.0.stages else { return to.serialize_none() };
        let p = &*self.0.profile;
        let (between, unknown) = graph.path_gaps;
        let gain = |stage: u32| gains.iter().find(|g| g.stage == stage);
        let step = |(stage, length): (u32, i64)| {
            let s = &graph.stages[stage as usize];
            json!({
                "name": name(p, graph, stage),
                "track": p.track_label(s.id.track),
                "start_ns": s.start,
                "duration_ns": s.duration(),
                "on_path_ns": length,
                "busy_ns": s.busy,
                "estimated_total_without_ns": gain(stage).map(|g| graph.total() - g.dropped),
            })
        };
        let slack = |(s, stage): (&Stage, u32)| {
            json!({
                "name": name(p, graph, stage),
                "track": p.track_label(s.id.track),
                "start_ns": s.start,
                "duration_ns": s.duration(),
                "slack_ns": s.slack,
            })
        };
        let slacks = || graph.stages.iter().zip(0u32..).filter(|(s, _)| !s.critical).take(MOST_SLACKS);
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("total_ns", &graph.total())?;
        map.serialize_entry("start_ns", &graph.start)?;
        map.serialize_entry("stages", &graph.stages.len())?;
        map.serialize_entry("level", &graph.level)?;
        map.serialize_entry("share_in_stages", &graph.share())?;
        map.serialize_entry("gaps_ns", &between)?;
        map.serialize_entry("unexplained_ns", &unknown)?;
        map.serialize_entry("path", &List(|| graph.path_stages().map(step)))?;
        map.serialize_entry("slack", &List(|| slacks().map(slack)))?;
        map.end()
    }
}
