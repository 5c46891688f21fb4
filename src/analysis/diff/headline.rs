//! The difference of two runs in a few sentences.

use super::elsewhere::{Elsewhere, elsewhere};
use super::evidence::{self, Evidence};
use super::functions::{FunctionDiff, Half, Measured, Row, median_of};
use super::metrics::Chosen;
use super::requests::RequestDiff;
use super::settings::ends_differ;
use super::{Compared, State, Two, settings};
use crate::analysis::formula::Measure;
use crate::analysis::waiting;
use crate::format;
use crate::model::{Basis, TrackKind, Unit};

/// Functions that the headline names.
const NAMED: usize = 3;
/// Longest of their names, characters.
const LONGEST: usize = 60;

/// What there is to say about two runs, each one sentence or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// What changed.
    pub headline: String,
    /// How sure it is.
    pub certainty: String,
    /// What a comparison by shares would make of it; empty where there is nothing to warn of.
    pub caution: String,
}

/// Elapsed times of all runs of each side, ns.
pub type Times = [Vec<Option<i64>>; 2];

/// What repeated runs say of their elapsed times; `None` where one does not state its own.
#[must_use]
pub fn of_elapsed(times: &Times) -> Option<Evidence> {
    let [base, head] = times
        .each_ref()
        .map(|side| -> Option<Vec<f64>> { side.iter().map(|t| t.map(|ns| ns as f64)).collect() });
    Evidence::of(&base?, &head?, evidence::PRACTICAL)
}

/// True when the runs have too little in common. Requests that are mostly the same ones are of one program, whatever its functions are
/// called by now.
#[must_use]
pub fn is_other_program(diff: &FunctionDiff, requests: Option<&RequestDiff>) -> bool {
    diff.matched.is_other_program() && !requests.is_some_and(RequestDiff::pairs_most)
}

/// The sentences about two runs, in the metric that is shown.
#[must_use]
pub fn words(
    diff: &FunctionDiff,
    chosen: &Chosen,
    times: &Times,
    (base, head): (&[Measured], &[Measured]),
    metric: &Measure,
    requests: Option<&RequestDiff>,
) -> Words {
    let [before, after] = times.each_ref().map(|side| median_of(side.iter().copied()));
    let elapsed = Two { base: before, head: after };
    let is_other = is_other_program(diff, requests);
    let mut sure = diff.evidence;
    let work = work(diff, base, head);
    let overlap = overlap(work, elapsed).filter(|_| chosen.why_not.is_none() && !is_other);
    let same_work = overlap.is_some();
    let headline =
        if let Some(said) = requests.filter(|_| diff.rows.is_empty()).and_then(RequestDiff::headline) {
            said
        } else if let Some(why) = &chosen.why_not {
            format::sentence(why)
        } else if is_other {
            other_program(diff)
        } else if let Some(overlap) = overlap {
            let moved = match (base, head) {
                ([base, ..], [head, ..]) => elsewhere(diff, &base.profile, &head.profile),
                _ => Vec::new(),
            };
            sure = of_elapsed(times);
            format!("{overlap}{}.", on_other_threads(diff, &moved, base, head))
        } else if let Some(ends) = ends_otherwise(work, diff.sum, elapsed, metric) {
            sure = of_elapsed(times);
            // Rows that are no part of the figure explain nothing of it.
            let parts = parts(diff, base, head, metric, |row| !is_for_others(row, base, head));
            format!("{ends}{}", after_colon(&parts))
        } else if let Some(ends) = ends_with_it(diff, elapsed, metric) {
            sure = of_elapsed(times);
            format!("{ends}{}", after_colon(&parts(diff, base, head, metric, |_| true)))
        } else {
            headline(diff, base, head, metric)
        };
    // What a run did not do cost it nothing: that comes before all that is said of its costs.
    let failures = requests.filter(|r| r.fails_more()).and_then(RequestDiff::failures);
    let comparable = chosen.why_not.is_none() && !diff.matched.is_other_program();
    let ends = ends_differ(base.iter().map(|m| &*m.profile), head.iter().map(|m| &*m.profile));
    let ends = ends.map(|ends| {
        format!("{}: what it did not do cost it nothing.", format::sentence(&ends).trim_end_matches('.'))
    });
    let said = [ends, failures.map(|f| format!("{f}.")), few_partners(diff).filter(|_| comparable)];
    let headline = said.into_iter().flatten().chain(std::iter::once(headline)).collect::<Vec<_>>().join(" ");
    let by_one = explained_by_one(diff, base, head).filter(|_| !same_work);
    let cautions = [by_one, unknown_rate(chosen, metric, base, head), other_tools(chosen, base, head)];
    Words {
        headline,
        certainty: if chosen.why_not.is_none() { certainty(sure.as_ref()) } else { String::new() },
        caution: cautions.into_iter().flatten().collect::<Vec<_>>().join(" "),
    }
}

/// The name of a row in the new run, or in the baseline where only that has it.
#[must_use]
pub fn name(row: &Row, base: &[Measured], head: &[Measured]) -> String {
    let of = |half: Option<Half>, runs: &[Measured]| {
        let half = half?;
        Some(half.symbol.label(&runs.get(half.run as usize)?.profile).into_owned())
    };
    of(row.halves.head, head).or_else(|| of(row.halves.base, base)).unwrap_or_default()
}

/// What changed, in words: «The new run takes 412 ms more (+18 %): decode +390 ms (called 64 more times), load −22 ms».
#[must_use]
fn headline(diff: &FunctionDiff, base: &[Measured], head: &[Measured], metric: &Measure) -> String {
    let delta = diff.sum.delta().unwrap_or(0);
    let relative =
        diff.sum.relative().map(|r| format!(" ({})", format::percent_change(r))).unwrap_or_default();
    let size = format::cost(metric.unit, delta.saturating_abs());
    let more = if delta > 0 { "more" } else { "less" };
    let whole = match (metric.unit, delta) {
        (Unit::Nanoseconds, 0) => "Both runs take the same".to_owned(),
        (Unit::Nanoseconds, _) => format!("The new run takes {size} {more}{relative}"),
        (_, 0) => format!("{}: the same in both runs", metric.label),
        _ => format!("{}: {size} {more} in the new run{relative}", metric.label),
    };
    format!("{whole}{}", after_colon(&parts(diff, base, head, metric, |_| true)))
}

/// The rows that changed most of those that `counts` takes, in words.
fn parts(
    diff: &FunctionDiff,
    base: &[Measured],
    head: &[Measured],
    metric: &Measure,
    counts: impl Fn(&Row) -> bool,
) -> Vec<String> {
    let changed = diff.rows.iter().filter(|r| r.own().delta().is_some_and(|d| d != 0));
    changed.filter(|r| counts(r)).take(NAMED).map(|r| part(r, &name(r, base, head), metric.unit)).collect()
}

fn after_colon(parts: &[String]) -> String {
    if parts.is_empty() { ".".into() } else { format!(": {}.", parts.join(", ")) }
}

fn other_program(diff: &FunctionDiff) -> String {
    let of = |share: f64| format::percent(share.clamp(0.0, 1.0));
    format!(
        "These look like different programs: only {} of the baseline's cost and {} of the new run's have a partner in the \
         other.",
        of(diff.matched.share_base),
        of(diff.matched.share_head)
    )
}

/// Where one run has little in common with the other, though that has much with it: only a person can tell whether a
/// function that dominated came or went, or whether another program was recorded.
fn few_partners(diff: &FunctionDiff) -> Option<String> {
    let (is_base, share) = diff.matched.lacking_side()?;
    let (of, other) = if is_base { ("baseline's", "the new run") } else { ("new run's", "the baseline") };
    let share = format::percent(share.clamp(0.0, 1.0));
    Some(format!("Only {share} of the {of} cost is in functions that {other} has, too."))
}

fn part(row: &Row, name: &str, unit: Unit) -> String {
    let delta = format::signed_cost(unit, row.own().delta().unwrap_or(0));
    let calls = row.halves.and_then(|h| h.calls.map(|c| c.all as i64));
    let more = match (row.halves.base, row.halves.head) {
        (None, _) => "new".into(),
        (_, None) => "gone".into(),
        // What one tool does not count is no fewer calls.
        _ => match calls.delta().filter(|_| calls.state() == Some(State::Both)) {
            Some(d) if d > 0 => {
                format!("{} more {}", format::count(d), if d == 1 { "call" } else { "calls" })
            }
            Some(d) if d < 0 => {
                format!("{} fewer {}", format::count(-d), if d == -1 { "call" } else { "calls" })
            }
            _ => String::new(),
        },
    };
    let more = if more.is_empty() { more } else { format!(" ({more})") };
    format!("{} {delta}{more}", format::short(name, LONGEST))
}

/// True for a wait of a caller for what it started.
fn is_for_others(row: &Row, base: &[Measured], head: &[Measured]) -> bool {
    let waits = |half: Option<Half>, runs: &[Measured]| {
        half.and_then(|half| Some((&runs.get(half.run as usize)?.profile, half.symbol.function())))
            .is_some_and(|(profile, function)| waiting::is_for_others(profile, function))
    };
    waits(row.halves.base, base) || waits(row.halves.head, head)
}

/// What the runs cost without the waits of callers for what they started: these count the time of that once more.
fn work(diff: &FunctionDiff, base: &[Measured], head: &[Measured]) -> Two<i64> {
    let mut work = diff.sum;
    for row in &diff.rows {
        if is_for_others(row, base, head) {
            let less =
                |sum: Option<i64>, own: Option<i64>| sum.map(|sum| sum.saturating_sub(own.unwrap_or(0)));
            work = Two { base: less(work.base, row.own().base), head: less(work.head, row.own().head) };
        }
    }
    work
}

/// Where the work is the same and only its order changed: what of it runs at the same time. Times are those of the whole
/// runs, ns.
#[must_use]
fn overlap(work: Two<i64>, elapsed: Two<i64>) -> Option<String> {
    let work = work.relative()?;
    let wall = elapsed.relative()?;
    let by = format::duration(elapsed.delta()?.saturating_abs());
    let how = match (work.abs() < 0.01, wall) {
        (true, w) if w < -0.01 => {
            format!("{by} earlier ({}): more of it runs at the same time", format::percent_change(w))
        }
        (true, w) if w > 0.01 => format!(
            "{by} later ({}): less of it runs at the same time, or more is waited",
            format::percent_change(w)
        ),
        _ => return None,
    };
    Some(format!("The work is the same, and the new run ends {how}"))
}

/// «; call_b moved from worker to worker-2».
fn on_other_threads(
    diff: &FunctionDiff,
    moved: &[Elsewhere],
    base: &[Measured],
    head: &[Measured],
) -> String {
    let Some((first, others)) = moved.split_first() else { return String::new() };
    let name = name(&diff.rows[first.row as usize], base, head);
    let (same, elsewhere): (Vec<&Elsewhere>, Vec<_>) = others.iter().partition(|e| e.tracks == first.tracks);
    let counted = |n: usize, before: &str, after: &str| match n {
        0 => String::new(),
        n => format!("{before}{}{after}", format::count(n as i64)),
    };
    let more = counted(same.len(), " and ", " more");
    let rest = counted(elsewhere.len(), ", ", " more to others");
    let kind = match first.kind {
        TrackKind::Thread => "thread ",
        TrackKind::Task => "task ",
        _ => "",
    };
    let track = |track: &Option<String>| track.clone().unwrap_or_else(|| format::UNKNOWN.into());
    let (from, to) = (track(&first.tracks.base), track(&first.tracks.head));
    let name = format::short(&name, LONGEST);
    format!("; {name}{more} moved from {kind}«{from}» to «{to}»{rest}")
}

/// Where several tasks work or wait at the same time, so that what they take together is no time that passed: that the run ends
/// earlier or later comes first.
fn ends_with_it(diff: &FunctionDiff, elapsed: Two<i64>, metric: &Measure) -> Option<String> {
    let (sum, wall) = (diff.sum.relative()?, elapsed.relative()?);
    let beyond =
        |sum: Option<i64>, wall: Option<i64>| sum.unwrap_or(0) as f64 > wall.unwrap_or(0) as f64 * 1.1;
    let at_once = beyond(diff.sum.base, elapsed.base) || beyond(diff.sum.head, elapsed.head);
    if metric.unit != Unit::Nanoseconds || !at_once || sum.abs() < 0.01 || wall.abs() < 0.01 {
        return None;
    }
    let by = format::duration(elapsed.delta()?.saturating_abs());
    let when = if wall < 0.0 { "earlier" } else { "later" };
    let together = format::duration(diff.sum.delta()?.saturating_abs());
    let more = if sum < 0.0 { "less" } else { "more" };
    Some(format!(
        "The new run ends {by} {when} ({}); all that ran or waited at the same time takes {together} {more} together ({})",
        format::percent_change(wall),
        format::percent_change(sum),
    ))
}

/// Where a run ends earlier although it works more, later although it works less, or at the same time although its work
/// is another: that its end says.
fn ends_otherwise(
    costs: Two<i64>,
    with_waits: Two<i64>,
    elapsed: Two<i64>,
    metric: &Measure,
) -> Option<String> {
    let (work, wall) = (costs.relative()?, elapsed.relative()?);
    if metric.unit != Unit::Nanoseconds
        || work.abs() < 0.01
        || (wall.abs() >= 0.01 && (work > 0.0) == (wall > 0.0))
    {
        return None;
    }
    let more = if work > 0.0 { "more" } else { "less" };
    let by_work = format::duration(costs.delta()?.saturating_abs());
    let by_share = match costs == with_waits {
        true => format::percent_change(work),
        false => format!("{}, without waits of callers for what they started", format::percent_change(work)),
    };
    if wall.abs() < 0.01 {
        let at = format::duration(elapsed.head?);
        return Some(format!("Both runs end after {at}; the new one has {by_work} {more} work ({by_share})"));
    }
    let (by, when) =
        (format::duration(elapsed.delta()?.saturating_abs()), if wall < 0.0 { "earlier" } else { "later" });
    Some(format!(
        "The new run ends {by} {when} ({}), with {by_work} {more} work ({by_share})",
        format::percent_change(wall),
    ))
}

/// How sure it is that the totals differ, one line.
#[must_use]
fn certainty(evidence: Option<&Evidence>) -> String {
    format::sentence(&evidence.map(Evidence::words).unwrap_or_default())
}

/// Where one function explains a changed total and all others stayed as they were, what a comparison by shares then
/// makes of these.
#[must_use]
fn explained_by_one(diff: &FunctionDiff, base: &[Measured], head: &[Measured]) -> Option<String> {
    let whole = diff.sum.delta().filter(|&d| d != 0)?;
    let (first, others) = diff.rows.split_first()?;
    // Without others nothing looks otherwise.
    if others.is_empty() || is_for_others(first, base, head) {
        return None;
    }
    let own = first.own().delta()?;
    let factor = diff.sum.head? as f64 / diff.sum.base.filter(|&b| b > 0)? as f64;
    let share = |cost: i64| cost as f64 / whole as f64;
    let rest: i64 = others
        .iter()
        .filter_map(|r| r.own().delta())
        .fold(0, |sum, d| sum.saturating_add(d.saturating_abs()));
    let explains = share(own) > 0.9 && share(rest).abs() < 0.1;
    (explains && (factor - 1.0).abs() > 0.05).then(|| {
        format!(
            "The total changed by a factor of {}, and {} explains it. By share of the total, all that did not change \
             looks {}.",
            format::number(factor),
            name(first, base, head),
            if factor > 1.0 { "cheaper" } else { "dearer" },
        )
    })
}

/// Where samples were counted and nobody says how often they were taken, what a comparison rests on.
fn unknown_rate(chosen: &Chosen, metric: &Measure, base: &[Measured], head: &[Measured]) -> Option<String> {
    let counted = |runs: &[Measured]| {
        let first = &runs.first()?.profile;
        let of_samples = matches!(first.meta.basis, Basis::Sampled | Basis::Aggregated);
        (of_samples && settings::interval(first).is_none()).then_some(())
    };
    let counts = matches!(&**chosen.head.key, "samples" | "count") && metric.unit == Unit::Count;
    (counts && chosen.why_not.is_none()).then_some(())?;
    counted(base).and(counted(head))?;
    Some(
        "The files count, most likely samples, and do not say how often these were taken: counts compare if that was the \
         same, shares do in any case."
            .into(),
    )
}

/// What another tool measured costs something else.
fn other_tools(chosen: &Chosen, base: &[Measured], head: &[Measured]) -> Option<String> {
    let tool = |runs: &[Measured]| {
        let stated = &runs.first()?.profile.meta.tool;
        // Another version is the same tool.
        let name = stated.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
        Some(name.trim().trim_end_matches(['(', ',', ' ']).to_owned()).filter(|name| !name.is_empty())
    };
    let (base, head) = (tool(base)?, tool(head)?);
    (base != head && chosen.why_not.is_none()).then(|| {
        format!(
            "Other tools measured them, {base} and {head}: what each adds to the run is part of the change."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::matches::MatchQuery;
    use crate::analysis::testing::{ask, subject};
    use crate::analysis::{Functions, Slice};
    use crate::jobs::Job;
    use crate::model::MetricKey;
    use crate::query::{Engine, Pair, Run, RunId};

    fn said(base: &str, head: &str) -> (String, Option<String>) {
        let run = |text: &str| {
            let s = subject(text);
            let table = ask(&s, &Functions(Slice::default()));
            vec![Measured { profile: s.profile, table }]
        };
        let (base, head) = (run(base), run(head));
        let run = |m: &Measured, id| Run { id: RunId(id), ..Run::of(m.profile.clone()) };
        let pair = Pair::of(run(&base[0], 0), run(&head[0], 1));
        let matches = Engine::inline().now(&pair, &MatchQuery, &Job::new()).unwrap();
        let diff = FunctionDiff::of(&base, &head, &matches);
        let metric = &Measure::of(MetricKey::default(), &head[0].profile).unwrap();
        (headline(&diff, &base, &head, metric), explained_by_one(&diff, &base, &head))
    }

    #[test]
    fn the_headline_names_what_changed_most() {
        let (text, _) = said(
            "fn decode 10 100 100; fn load 1 50 50",
            "fn decode 74 490 490; fn load 1 28 28; fn x 1 2 2",
        );
        assert_eq!(
            text,
            "The new run takes 370 ns more (+247 %): decode +390 ns (64 more calls), load −22 ns, x +2 ns (new)."
        );
        assert_eq!(said("f 5", "f 5").0, "Both runs take the same.");
    }

    #[test]
    fn repeated_runs_that_end_sooner_are_faster_whatever_their_costs_add_up_to() {
        let times = |ns: [i64; 4]| ns.map(Some).to_vec();
        let e = of_elapsed(&[times([100, 101, 102, 103]), times([80, 81, 82, 83])]).unwrap();
        assert_eq!(e.verdict, evidence::Verdict::Faster);
        assert_eq!(of_elapsed(&[times([100, 101, 102, 103]), vec![Some(80), None]]), None);
    }

    #[test]
    fn what_other_tools_measured_is_said() {
        let of = |tool: &str| {
            let mut profile = (*subject("main 0 100").profile).clone();
            profile.meta.tool = tool.into();
            let profile = std::sync::Arc::new(profile);
            let table = ask(&Run::of(profile.clone()), &Functions(Slice::default()));
            vec![Measured { profile, table }]
        };
        let chosen = Chosen::common(MetricKey::default());
        let said = |base, head| other_tools(&chosen, &of(base), &of(head));
        assert!(
            said("cProfile (pstats)", "pyinstrument 5.1")
                .unwrap()
                .contains("cProfile (pstats) and pyinstrument")
        );
        assert_eq!((said("py-spy 0.3.14", "py-spy 0.4.1"), said("", "pyinstrument")), (None, None));
    }

    #[test]
    fn one_function_that_explains_the_change_is_named() {
        let (_, why) = said("fn hot 1 70 70; fn f0 1 630 630", "fn hot 1 770 770; fn f0 1 630 630");
        assert!(why.unwrap().contains("and hot explains it"));
        assert_eq!(said("fn a 1 10 10; fn b 1 10 10", "fn a 1 20 20; fn b 1 20 20").1, None);
        assert_eq!(said("fn a 1 10 10; fn b 1 90 90", "fn a 1 110 110; fn b 1 5 5; fn c 1 85 85").1, None);
    }
}
