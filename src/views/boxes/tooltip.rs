//! What the chart says about one box beside the pointer, and what a box is in the shared view state.

use crate::analysis::formula::Measure;
use egui::{Grid, Label, Rect, RichText, Tooltip, Ui, vec2};

use super::layout::Hit;
use crate::analysis::flame_rows::{Axis, BoxAt, FlameRows, GroupOf, Origin};
use crate::analysis::gaps::Gap;
use crate::analysis::span_facts::SpanFacts;
use crate::format;
use crate::model::{FunctionId, Profile, SpanStatus, TrackId, Unit};
use crate::state::Item;
use crate::ui::theme::{Palette, Tone, small, space, strong};
use crate::views::{ViewCx, shared};

/// The place of questions about what the pointer is on.
const POINTED: u64 = 2;
/// Details shown of a span at most.
const MOST_ARGS: usize = 8;

/// Facts about a box, in words. Made once while the pointer stays on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Which box.
    pub hit: Hit,
    /// Own time of a span, where it is known.
    own: Option<i64>,
    title: String,
    place: String,
    rows: Vec<(String, String)>,
    args: Vec<(String, String)>,
    more_args: usize,
    status: Option<(Tone, &'static str)>,
    folded: Option<String>,
}

impl Facts {
    /// The facts about the box under the pointer: those of the last frame where they are still right.
    pub fn of(cx: &ViewCx<'_>, rows: &FlameRows, hit: Hit, before: Option<Self>) -> Option<Self> {
        let own = match rows.origin(hit.at) {
            Some(Origin::Span(track, row)) if std::ptr::eq(&**rows.profile(), cx.profile()) => {
                cx.ask(&SpanFacts { track, row }, POINTED).exact().beside().map(|facts| facts.own)
            }
            _ => None,
        };
        before.filter(|f| f.hit == hit && f.own == own).or_else(|| Self::new(rows, hit, own))
    }

    /// Collects the facts; `own` is the own time of a span, where it is known.
    fn new(rows: &FlameRows, hit: Hit, own: Option<i64>) -> Option<Self> {
        let b = rows.get(hit.at)?;
        let profile = rows.profile();
        let mut facts = Self {
            hit,
            own,
            title: rows.label(hit.at, b.who).into_owned(),
            place: match b.who {
                who if who.is_module() => "module".into(),
                who if who.as_gap().is_some() => who.as_gap().map_or("", Gap::about).into(),
                who if who.is_hidden() => "library code, hidden by «Only my code»".into(),
                who => place(profile, who.function()),
            },
            rows: Vec::new(),
            args: Vec::new(),
            more_args: 0,
            status: None,
            folded: (hit.folded > 1).then(|| {
                let n = format::count(i64::from(hit.folded));
                format!("the longest of {n} that share this pixel; zoom in to tell them apart")
            }),
        };
        match rows.axis {
            Axis::Time => facts.add_timed(rows, hit.at, (b.start, b.end)),
            Axis::Cost(metric) => {
                let unit = Measure::of(metric, profile).map_or(Unit::None, |m| m.unit);
                facts.add_costs(rows, hit.at, unit);
            }
        }
        Some(facts)
    }

    fn row(&mut self, name: &str, value: String) {
        self.rows.push((name.to_owned(), value));
    }

    fn add_timed(&mut self, rows: &FlameRows, at: BoxAt, (start, end): (i64, i64)) {
        let profile = rows.profile();
        let length = end.saturating_sub(start);
        self.row(
            "Duration",
            with_share(format::duration(length), length, rows.whole.total, &whole_time(rows)),
        );
        match rows.origin(at) {
            Some(Origin::Span(track, row)) => {
                let spans = &profile.track(track).spans;
                let own = self.own.map(|own| with_share(format::duration(own), own, length, "it"));
                self.row("Self", own.unwrap_or_else(|| format::UNKNOWN.into()));
                // The box above may be one of another lane, which happened to run at the same time.
                if let Some((name, of)) = caller_of(profile, track, row) {
                    self.add_share("Of caller", length, of, &name);
                }
                self.row("Start", format::duration(start));
                for (metric, column) in &spans.costs {
                    let metric = profile.metric(*metric);
                    self.row(&metric.label, format::cost(metric.unit, column[row as usize]));
                }
                let span = &spans.rows[row as usize];
                self.status = match span.status {
                    SpanStatus::Ok => None,
                    SpanStatus::Error => Some((Tone::Bad, "ended with an error")),
                    SpanStatus::Unfinished => {
                        Some((Tone::Warning, "never ended; shown to the end of the trace"))
                    }
                };
                self.args = profile.inline_args(span.args);
                self.more_args = self.args.len().saturating_sub(MOST_ARGS);
                self.args.truncate(MOST_ARGS);
            }
            Some(Origin::Node(_)) => {
                self.add_caller(rows, at, length);
                self.row("Start", format::duration(start));
            }
            _ => {}
        }
    }

    fn add_costs(&mut self, rows: &FlameRows, at: BoxAt, unit: Unit) {
        if let Some((_, cost)) = rows.gap(at) {
            let whole = format!("{}{}", format::cost(unit, rows.whole.total), over_tracks(rows.tracks));
            self.row("Cost", with_share(format::cost(unit, cost), cost, rows.whole.total, &whole));
            self.add_caller(rows, at, cost);
        }
        let Some(costs) = rows.costs(at) else { return };
        let (whole, over) = (rows.whole, over_tracks(rows.tracks));
        let of = format!("{}{over}", format::cost(unit, whole.total));
        self.row("Total", with_share(format::cost(unit, costs.total), costs.total, whole.total, &of));
        let of =
            if whole.is_one() { of } else { format!("{} self costs{over}", format::cost(unit, whole.own)) };
        self.row("Self", with_share(format::cost(unit, costs.own), costs.own, whole.own, &of));
        self.add_caller(rows, at, costs.total);
        if let Some(off) = rows.off(at) {
            let share = off.error().map_or(String::new(), |e| format!(", off by {}", format::percent(e)));
            let (tree, recorded) = (format::cost(unit, off.tree), format::cost(unit, off.recorded));
            self.row("Recorded", format!("{recorded} in all; its places here add up to ≈ {tree}{share}"));
        }
        for (name, number) in [("Calls", costs.calls), ("Samples", costs.samples)] {
            if let Some(number) = number {
                self.row(name, format::count(i64::try_from(number).unwrap_or(i64::MAX)));
            }
        }
        if costs.unfinished > 0 {
            self.row("Unfinished", format::count(i64::try_from(costs.unfinished).unwrap_or(i64::MAX)));
            self.status = Some((Tone::Warning, "calls that had not ended: at least this long"));
        }
    }

    fn add_caller(&mut self, rows: &FlameRows, at: BoxAt, length: i64) {
        let upwards = rows.group_of(at.row).of == GroupOf::Callers;
        let Some(above) = rows.neighbour_row(at, upwards) else { return };
        let Some(caller) = rows.get(above) else { return };
        let name = rows.label(above, caller.who);
        self.add_share(if upwards { "Part of" } else { "Of caller" }, length, caller.length(), &name);
    }

    fn add_share(&mut self, title: &str, length: i64, of: i64, name: &str) {
        if of > 0 {
            let share = format::percent(length as f64 / of as f64);
            self.row(title, format!("{share} of {}", shortened(name, 48)));
        }
    }

    /// Shows the tooltip next to `anchor`, which it never covers.
    pub fn show(&self, ui: &Ui, anchor: Rect) {
        let id = ui.scope_id().with("flame tooltip");
        Tooltip::always_open(ui.ctx().clone(), ui.layer_id(), id, anchor).gap(6.0).width(420.0).show(|ui| {
            self.contents(ui);
        });
    }

    fn contents(&self, ui: &mut Ui) {
        let palette = Palette::of(ui);
        ui.spacing_mut().item_spacing = vec2(space::MEDIUM, 2.0);
        ui.add(
            Label::new(
                RichText::new(shortened(&self.title, 300)).font(strong(13.0)).color(palette.text_strong),
            )
            .wrap(),
        );
        if !self.place.is_empty() {
            ui.add(Label::new(RichText::new(&self.place).font(small()).color(palette.text_weak)).wrap());
        }
        if let Some((tone, text)) = self.status {
            ui.label(RichText::new(text).color(palette.tone(tone)));
        }
        ui.add_space(space::SMALL);
        Grid::new("facts").num_columns(2).min_row_height(16.0).spacing(vec2(space::LARGE, 3.0)).show(
            ui,
            |ui| {
                for (name, value) in self.rows.iter().chain(&self.args) {
                    ui.label(RichText::new(shortened(name, 40)).color(palette.text_weak));
                    ui.label(RichText::new(shortened(value, 160)).color(palette.text));
                    ui.end_row();
                }
            },
        );
        if self.more_args > 0 {
            let text = format!("and {} more", format::count(self.more_args as i64));
            ui.label(RichText::new(text).font(small()).color(palette.text_weak));
        }
        if let Some(text) = &self.folded {
            ui.add_space(space::SMALL);
            ui.add(Label::new(RichText::new(text).font(small()).color(palette.text_weak)).wrap());
        }
    }
}

/// «1.20 ms · 12.3 % of 9.80 ms».
fn with_share(text: String, value: i64, of: i64, what: &str) -> String {
    match format::share_of_parent(value, of) {
        Some(share) => format!("{text} · {} of {what}", format::percent(share)),
        None => text,
    }
}

/// Says that a sum is over several tracks, which may run at the same time.
#[must_use]
pub fn over_tracks(tracks: usize) -> String {
    if tracks > 1 { format!(" over {tracks} tracks") } else { " in total".into() }
}

fn whole_time(rows: &FlameRows) -> String {
    format!("the whole {}", format::duration(rows.whole.total))
}

/// Module, file and line, as far as they are known.
fn place(profile: &Profile, function: FunctionId) -> String {
    let f = profile.functions.get(function);
    let (module, category) = (profile.text(f.module), profile.text(f.category));
    let file = shared::place(profile, function);
    let category = if category == module { "" } else { category };
    let parts = [module, &file, category];
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("  ·  ")
}

fn shortened(text: &str, most: usize) -> String {
    let text = &*format::escaped_lines(text);
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a box is in the shared view state.
#[must_use]
pub fn item(rows: &FlameRows, at: BoxAt) -> Option<Item> {
    let profile = rows.profile();
    Some(match rows.origin(at)? {
        Origin::Span(track, row) => Item::of_span(track, row, profile)?,
        Origin::Node(_) | Origin::Gap(_) => Item::of_path(&rows.path(at)?, profile),
        Origin::Merged(_) => Item::of_function(rows.get(at)?.who.function(), profile),
    })
}

/// Where an item is in the chart.
#[must_use]
pub fn locate(rows: &FlameRows, item: &Item) -> Option<BoxAt> {
    let profile = rows.profile();
    let place = match item {
        Item::Span(_) => item.span(profile).and_then(|(track, row)| rows.find_span(track, row)),
        Item::Path(_) => item.path(profile).and_then(|path| rows.find_path(&path)),
        _ => None,
    };
    place.or_else(|| rows.find_function(item.function(profile)?))
}

/// Name and length of what called a span; `None` for a root.
fn caller_of(profile: &Profile, track: TrackId, row: u32) -> Option<(String, i64)> {
    let (track, row) = profile.span_ancestors(track, row).nth(1)?;
    let span = profile.track(track).spans.rows.get(row as usize)?;
    Some((profile.function_name(span.function).to_owned(), span.duration()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackKind, TrackSpec};

    #[test]
    fn what_runs_in_the_lane_above_is_no_caller() {
        let mut b = ProfileBuilder::new("test");
        let track = b.track(TrackSpec { name: "tasks", process: "", kind: TrackKind::Async, sort: 0 });
        let f = |b: &mut ProfileBuilder, name| b.function(FunctionSpec::named(name));
        let (one, other, inner) = (f(&mut b, "one"), f(&mut b, "other"), f(&mut b, "inner"));
        b.span(track, 0, 100, one, ArgsRef::NONE);
        b.span(track, 50, 150, other, ArgsRef::NONE);
        b.span(track, 110, 120, inner, ArgsRef::NONE);
        let profile = b.finish();
        let rows = &profile.tracks[0].spans.rows;
        let caller = |f| {
            let row = rows.iter().position(|s| s.function == f).unwrap() as u32;
            caller_of(&profile, TrackId(0), row)
        };
        assert_eq!((caller(one), caller(other)), (None, None));
        assert_eq!(caller(inner), Some(("other".into(), 100)));
    }
}
