//! Tools that ran one after the other though no call of a model came between them.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::Noted;
use crate::analysis::levers::Lever;
use crate::analysis::trace::kind::Kind;
use crate::analysis::trace::list::root;
use crate::analysis::trace::places::{FindPlaces, Place, Places, holds_work};
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{NO_ROW, Profile, Severity, Span, TrackId};
use crate::query::Context;

/// Larger runs are not looked through.
const MOST_SPANS: usize = 1_000_000;
/// Share of the traces that is worth a word.
const WORTH: f64 = 0.05;
/// Tools that are named.
const NAMED: usize = 3;

/// Tools of one caller, each begun when the one before had ended.
struct Row {
    track: TrackId,
    tools: Vec<u32>,
}

impl Row {
    fn spans<'a>(&'a self, profile: &'a Profile) -> impl Iterator<Item = &'a Span> {
        let rows = &profile.track(self.track).spans.rows;
        self.tools.iter().map(|row| &rows[*row as usize])
    }

    /// The outermost span around them.
    fn root(&self, profile: &Profile) -> Place {
        root(profile, (self.track, self.tools[0]))
    }

    fn whole(&self, profile: &Profile) -> i64 {
        self.spans(profile).map(Span::duration).fold(0, i64::saturating_add)
    }

    fn longest(&self, profile: &Profile) -> i64 {
        self.spans(profile).map(Span::duration).max().unwrap_or(0)
    }

    fn gain(&self, profile: &Profile) -> i64 {
        self.whole(profile) - self.longest(profile)
    }
}

pub(super) fn find(cx: &Context<'_>) -> Result<Option<Noted>, Cancelled> {
    let profile = cx.profile();
    if !Kind::all(profile).contains(&Kind::Tool) || profile.span_count() > MOST_SPANS {
        return Ok(None);
    }
    let places = cx.get(&FindPlaces)?;
    let decided = first_answers(profile, &places);
    let mut rows = Vec::new();
    for track in profile.track_ids().filter(|&id| holds_work(profile, id)) {
        cx.job().checkpoint(0, 0)?;
        of_track(profile, &places, track, &mut rows);
    }
    // Only a model decides which tools run without seeing what the first of them gives.
    rows.retain(|row| {
        let began = row.spans(profile).next().map_or(i64::MIN, |first| first.start);
        decided.get(&row.root(profile)).is_some_and(|ended| *ended <= began)
    });
    let gain = rows.iter().map(|row| row.gain(profile)).fold(0, i64::saturating_add);
    let roots: BTreeSet<Place> = rows.iter().map(|row| row.root(profile)).collect();
    let length = |&(track, row): &Place| profile.track(track).spans.rows[row as usize].duration();
    let whole = roots.iter().map(length).fold(0, i64::saturating_add);
    if gain <= 0 || (gain as f64) < WORTH * whole as f64 {
        return Ok(None);
    }
    Ok(rows.iter().max_by_key(|row| row.gain(profile)).map(|worst| noted(profile, &rows, worst, gain)))
}

/// When the first call of a model in each trace had ended, by the outermost span.
fn first_answers(profile: &Profile, places: &Places) -> FxHashMap<Place, i64> {
    let mut first: FxHashMap<Place, i64> = FxHashMap::default();
    for track in profile.track_ids().filter(|&id| holds_work(profile, id)) {
        for (row, span) in profile.track(track).spans.rows.iter().enumerate() {
            let place = (track, row as u32);
            let asked = places.made_in(place).next().is_some();
            if asked || places.kind(profile, place) == Kind::Model {
                let known = first.entry(root(profile, place)).or_insert(span.end);
                *known = (*known).min(span.end);
            }
        }
    }
    first
}

/// Adds the rows of tools on a track.
fn of_track(profile: &Profile, places: &Places, track: TrackId, out: &mut Vec<Row>) {
    let rows = &profile.track(track).spans.rows;
    let mut open: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
    let mut close = |tools: Vec<u32>| {
        if tools.len() > 1 {
            out.push(Row { track, tools });
        }
    };
    for (row, span) in rows.iter().enumerate().filter(|(_, span)| span.parent != NO_ROW) {
        let row = row as u32;
        let tools = open.entry(span.parent).or_default();
        let follows = tools.last().is_none_or(|last| rows[*last as usize].end <= span.start);
        let is_tool = places.kind(profile, (track, row)) == Kind::Tool;
        // Whatever else runs between may need the one and make the other.
        if !is_tool || !follows {
            close(std::mem::take(tools));
        }
        if is_tool {
            tools.push(row);
        }
    }
    open.into_values().for_each(close);
}

fn noted(profile: &Profile, rows: &[Row], worst: &Row, gain: i64) -> Noted {
    let mut names: Vec<&str> = Vec::new();
    for span in worst.spans(profile) {
        let name = profile.function_name(span.function);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = if names.len() > NAMED { ", …" } else { "" };
    names.truncate(NAMED);
    let places = match rows.len() {
        1 => String::new(),
        n => format!(" There are {} such rows.", format::count(n as i64)),
    };
    let text = format!(
        "{} calls of tools ({}{more}) ran one after the other, {} in all, and no model was asked between them: side by side the \
         longest takes {}.{places}",
        format::count(worst.tools.len() as i64),
        names.join(", "),
        format::duration(worst.whole(profile)),
        format::duration(worst.longest(profile)),
    );
    let advice = "Where none needs what another gives: run the tools that one answer asks for at the same time (asyncio.gather, threads)";
    let mut noted =
        Noted::new("Tools could run at the same time", Severity::Info, text, advice).on(Lever::Requests);
    noted.gain.time = Some(gain);
    let first = worst.spans(profile).next();
    (noted.track, noted.time) = (Some(worst.track), first.map(|span| span.start));
    noted
}

#[cfg(test)]
mod tests {
    use crate::analysis::findings::Findings;
    use crate::analysis::testing::{ask, built};
    use crate::model::{ArgsRef, FunctionSpec, TrackKind, TrackSpec};

    use super::*;

    /// Spans below an agent from 0 to 1000: kind, start, end.
    fn found(steps: &[(&str, i64, i64)]) -> Option<Noted> {
        let run = built(|b| {
            let kind = TrackKind::Thread;
            let track = b.track(TrackSpec { name: "main", process: "", kind, sort: 0 });
            let function = |category: &'static str| FunctionSpec { category, ..FunctionSpec::named("agent") };
            let agent = b.function(function("agent"));
            b.span(track, 0, 1000, agent, ArgsRef::NONE);
            for (n, &(kind, start, end)) in steps.iter().enumerate() {
                let category = ["llm", "tool"].into_iter().find(|c| *c == kind).unwrap_or_default();
                let name = format!("{kind}{n}");
                let f = b.function(FunctionSpec { category, ..FunctionSpec::named(&name) });
                b.span(track, start, end, f, ArgsRef::NONE);
            }
        });
        ask(&run, &Findings::default()).iter().find(|n| n.kind == "Tools could run at the same time").cloned()
    }

    #[test]
    fn tools_of_one_answer_in_a_row_are_found() {
        let all = [("llm", 0, 100), ("tool", 100, 400), ("tool", 400, 600), ("llm", 600, 700)];
        let noted = found(&all).expect("two tools in a row");
        assert_eq!((noted.gain.time, noted.time), (Some(200), Some(100)));
        assert!(noted.text.starts_with("2 calls of tools (tool1, tool2) ran"), "{}", noted.text);
    }

    #[test]
    fn tools_that_may_need_each_other_are_not() {
        let between = [("llm", 0, 100), ("tool", 100, 400), ("llm", 400, 450), ("tool", 450, 650)];
        assert_eq!(found(&between), None, "the model saw what the first one gave");
        let other = [("llm", 0, 100), ("tool", 100, 400), ("merge", 400, 450), ("tool", 450, 650)];
        assert_eq!(found(&other), None, "the step between may have needed it");
        assert_eq!(found(&[("tool", 100, 400), ("tool", 400, 600)]), None, "no model asked for them");
        let short = [("llm", 0, 900), ("tool", 900, 910), ("tool", 910, 920)];
        assert_eq!(found(&short), None, "not worth a word");
    }
}
