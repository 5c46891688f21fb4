//! Answers about functions over all runs, and about runs in order of time.

use serde_json::json;

use super::super::ask::Measure;
use super::{Answer, Shown, run_json, run_name, time, unit_of, value};
use crate::fleet::ask::{functions, history, short_job};
use crate::format::{self, UNKNOWN};
use crate::model::Unit;
use crate::questions::{Part, Row};

impl Shown {
    pub(super) fn functions(&self, sums: &functions::FunctionSums, what: &'static str) -> Answer {
        let whole: i64 = sums.rows.iter().filter(|r| r.unit == "nanoseconds").map(|r| r.own).sum();
        let large = |r: &&functions::FunctionSum| r.own.saturating_mul(100) >= whole;
        let ratio = sums.rows.iter().filter(large).filter_map(functions::FunctionSum::ratio).reduce(f64::max);
        let values = vec![value("ratio", ratio, Measure::Number)];
        let mut sheet = self.sheet(format!(
            "{} of {}; % of {} of their own time in all runs",
            what,
            format::counted(sums.asked as i64, "run", "runs"),
            time(whole)
        ));
        let name = |place: u32| {
            let run = &sums.runs.rows[place as usize];
            run.rank.map_or_else(|| short_job(&run.uri).to_owned(), |rank| format!("rank {rank}"))
        };
        let row = |r: &functions::FunctionSum| {
            let unit = unit_of(&r.unit);
            let share = (unit == Unit::Nanoseconds).then(|| format::share(r.own, whole)).flatten();
            let spread = match (r.fastest, r.slowest, r.ratio()) {
                (Some(fast), Some(slow), Some(ratio)) if r.runs > 1 => format!(
                    "{} {} ({}) to {} ({})",
                    format::factor(ratio),
                    time(fast.0),
                    name(fast.1),
                    time(slow.0),
                    name(slow.1)
                ),
                (Some(fast), ..) => time(fast.0),
                _ => UNKNOWN.to_owned(),
            };
            let text = format!(
                "{} {} {} {} {}; median call {spread}",
                format::cost(unit, r.own),
                format::share_text(share),
                format::count(r.calls.cast_signed()),
                format::count(r.runs as i64),
                format::short(&format::bare(&r.name), 80),
            );
            let of = |run: Option<(i64, u32)>| {
                run.map(
                    |(ns, place)| json!({ "p50_ns": ns, "run": run_json(&sums.runs.rows[place as usize]) }),
                )
            };
            let json = json!({
                "function_id": format!("{:016x}", r.id), "name": r.name, "module": r.module, "category": r.category,
                "unit": r.unit, "runs": r.runs, "calls": r.calls, "own": r.own, "total": r.total,
                "fastest": of(r.fastest), "slowest": of(r.slowest), "ratio": r.ratio(),
            });
            Row::new(text, json)
        };
        let title = format!("own, own %, calls, runs, {}", what.trim_end_matches('s'));
        sheet.part(Part::new(what, title, sums.rows.iter().map(row).collect()));
        if sums.rows.is_empty() {
            sheet.notes.push(format!("no run has {what}"));
        }
        Answer { sheet, values }
    }

    pub(super) fn trend(&self, trend: &history::Trend) -> Answer {
        let unit = unit_of(&trend.unit);
        let last = trend.shifts.last().and_then(history::Shift::share);
        let enough = trend.points.len() >= 10;
        let values = vec![
            value("change", last.or(enough.then_some(0.0)), Measure::Share),
            value("changes", enough.then_some(trend.shifts.len() as f64), Measure::Number),
        ];
        let cost = |value: i64| format::cost(unit, value);
        let n = format::counted(trend.points.len() as i64, "run", "runs");
        let head = match (trend.points.first(), trend.points.last()) {
            (Some(first), Some(last)) => {
                let when = |p: &history::Point| p.run.when().map_or_else(|| UNKNOWN.to_owned(), format::utc);
                format!("{n} from {} to {}", when(first), when(last))
            }
            _ => "no run has this figure and a time".to_owned(),
        };
        let mut sheet = self.sheet(head);
        let row = |shift: &history::Shift| {
            let point = &trend.points[shift.at];
            let share =
                shift.share().map_or_else(String::new, |s| format!(", {}", format::percent_change(s)));
            let text = format!(
                "since {} ({}): {} instead of {}{share} (p {})",
                run_name(&point.run),
                point.run.when().map_or_else(|| UNKNOWN.to_owned(), format::utc),
                cost(shift.after),
                cost(shift.before),
                crate::analysis::diff::evidence::p_text(shift.p),
            );
            let json = json!({
                "run": run_json(&point.run), "before": shift.before, "after": shift.after, "p": shift.p, "share": shift.share(),
            });
            Row::new(text, json)
        };
        sheet.value("unit", trend.unit.clone());
        sheet.part(Part::new("changes", "", trend.shifts.iter().map(row).collect()).least(6));
        let points = trend.points.iter().map(|p| json!({ "run": run_json(&p.run), "value": p.value }));
        sheet.value("points", points.collect::<Vec<_>>());
        if trend.shifts.is_empty() && enough {
            sheet.notes.push("its level did not change beyond chance".to_owned());
        } else if !enough {
            sheet.notes.push("fewer than ten runs cannot show a change".to_owned());
        }
        if trend.without > 0 {
            let n = format::counted(trend.without as i64, "run is", "runs are");
            sheet.notes.push(format!("{n} left out, without the figure or a time"));
        }
        Answer { sheet, values }
    }

    pub(super) fn regressions(&self, found: &history::Regressions) -> Answer {
        let known = |n: usize| (!found.too_few).then_some(n as f64);
        let values = vec![
            value("slower", known(found.slower.len()), Measure::Number),
            value("faster", known(found.faster.len()), Measure::Number),
        ];
        let since =
            found.first.as_ref().map_or_else(String::new, |run| format!(" (since {})", run_name(run)));
        let mut sheet = self.sheet(format!(
            "own cost of {} in the latest {}{since} and in {} before, medians",
            format::counted(found.compared as i64, "function", "functions"),
            format::counted(found.latest as i64, "run", "runs"),
            format::count(found.before as i64),
        ));
        let row = |c: &history::Changed| {
            let unit = unit_of(&c.unit);
            let cost = |value: f64| format::cost(unit, value.round() as i64);
            let share = (c.before > 0.0).then(|| format::percent_change((c.after - c.before) / c.before));
            let text = format!(
                "{} {} {} {} {}",
                cost(c.before),
                cost(c.after),
                share.unwrap_or_else(|| "new".to_owned()),
                crate::analysis::diff::evidence::p_text(c.p),
                format::short(&c.name, 80)
            );
            let json = json!({
                "name": c.name, "module": c.module, "unit": c.unit, "before": c.before, "after": c.after, "p": c.p,
            });
            Row::new(text, json)
        };
        let columns = "before, after, change, p, function";
        let part = |key, what, rows: &[history::Changed]| {
            Part::new(key, format!("{what}: {columns}"), rows.iter().map(row).collect())
        };
        sheet.part(part("slower", "costs more", &found.slower));
        sheet.part(part("faster", "costs less", &found.faster));
        sheet.value("too_few_runs", found.too_few);
        if found.before == 0 {
            sheet.notes.push("no run is before the latest ones; --last says how many these are".to_owned());
        } else if found.too_few {
            sheet.notes.push("too few runs to tell a change of so many functions from chance".to_owned());
        } else if found.slower.is_empty() && found.faster.is_empty() {
            sheet.notes.push("no function differs beyond chance".to_owned());
        } else {
            sheet.notes.push(
                "p is corrected for the number of functions; at most 1 of 100 that are named is chance"
                    .to_owned(),
            );
        }
        Answer { sheet, values }
    }
}
