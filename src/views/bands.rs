//! Two runs as the same view twice: above each other on one scale, or side by side.
//!
//! Selection, hover, search, range and transforms are shared state and act on both. Settings of one view are taken over by
//! the other, and charts move together: their axes have one length, and the part that is seen is the same on both. Arrows lead
//! from calls of the baseline to those of the new run that start earlier or later.

use egui::{Rect, Shape, Stroke, StrokeKind, Ui, UiBuilder, pos2, vec2};

use super::host::Follow;
use super::shared::{align, pair};
use super::{Seen, TimeWindow, View, ViewCx, ViewKind};
use crate::analysis::asked::Asked;
use crate::analysis::diff::requests::DiffRequests;
use crate::analysis::diff::shifts::{At, PairedSpan, PairedSpans, PartnerSpan};
use crate::analysis::matches::MatchQuery;
use crate::analysis::requests::RequestColumn;
use crate::format;
use crate::model::{Better, Profile, Unit};
use crate::state::{Command, Interaction, Item};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, small, space};
use crate::ui::widgets::EmptyState;

/// What stands side by side goes above each other in a pane that is narrower than this, and high enough.
const NARROW: f32 = 480.0;
/// Height of the line that names a run.
const NAME: f32 = 18.0;

/// The view, for base and head.
pub struct Bands {
    needs: fn(&Profile) -> Result<(), &'static str>,
    title: &'static str,
    stacked: bool,
    sides: [Box<dyn View>; 2],
    /// Settings and seen parts after the last frame.
    known: [Known; 2],
    /// What either has seen of the selection.
    follows: [Follow; 2],
}

#[derive(Default, Clone, PartialEq)]
struct Known {
    settings: serde_json::Value,
    seen: Option<Seen>,
}

impl Bands {
    /// Two of a kind, above each other or side by side.
    pub fn new(kind: &ViewKind, stacked: bool) -> Self {
        Self {
            needs: kind.needs,
            title: kind.title,
            stacked,
            sides: [(kind.make)(), (kind.make)()],
            known: <[Known; 2]>::default(),
            follows: <[Follow; 2]>::default(),
        }
    }

    /// What one of both was told since the last frame, told to the other one.
    fn agree(&mut self) {
        let now = |view: &dyn View| Known { settings: view.save(), seen: view.seen() };
        let found = [now(&*self.sides[0]), now(&*self.sides[1])];
        let [base, head] = &mut self.sides;
        for (i, other) in [(0, head), (1, base)] {
            if found[i].settings != self.known[i].settings {
                other.load(&found[i].settings);
            }
            let part = |k: &Known| k.seen.map(|s| (s.from, s.to));
            if let Some(seen) = found[i].seen.filter(|_| part(&found[i]) != part(&self.known[i])) {
                other.see(seen);
            }
            if found[i] != self.known[i] {
                break;
            }
        }
        self.known = [now(&*self.sides[0]), now(&*self.sides[1])];
    }

    fn band(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, area: Rect, base: bool) {
        let Some(pair) = cx.subject.pair() else { return };
        let (run, subject) = (pair.run(base), pair.one(base));
        // Moments are those of the new run's clock.
        let later = if base { earlier_in_base(cx) } else { 0 };
        let cursor = cx.cursor.map(|t| t.saturating_sub(later));
        let (sent, pointed) = (cx.out.commands.len(), cx.out.cursor.take());
        let lead = if self.stacked { align::leads_of(cx)[usize::from(!base)] } else { 0 };
        let selection = cx.interaction.selection.as_ref().and_then(|item| selection_of(cx, item, base));
        let other = selection != cx.interaction.selection;
        let renamed = other.then(|| Interaction { selection, ..cx.interaction.clone() });
        let extent = self.known.iter().filter_map(|k| k.seen).map(|s| s.extent).fold(0.0, f64::max);
        let stacked = self.stacked;
        let line = area.with_max_y(area.top() + if base && stacked { space::CONTROL } else { NAME });
        let name = match clock_start(&run.profile) {
            Some(start) if stacked => {
                format!("{} · its clock begins at {}", cx.names[usize::from(!base)], format::duration(start))
            }
            _ => cx.names[usize::from(!base)].to_owned(),
        };
        pair::name_line(ui, line, &name, base);
        if base && stacked {
            let layout = egui::Layout::right_to_left(egui::Align::Center);
            ui.scope_builder(UiBuilder::new().max_rect(line).layout(layout), |ui| align::picker(cx, ui));
        }
        let mut side = cx.side(&subject, base);
        (side.extent, side.follower, side.lead) = (extent, stacked && !base, lead);
        side.cursor = cursor;
        let which = usize::from(!base);
        side.follow = std::mem::take(&mut self.follows[which]);
        if let Some(renamed) = &renamed {
            side.interaction = renamed;
        }
        let body = area.with_min_y(line.bottom() + 2.0);
        let salt = if base { "base" } else { "head" };
        ui.scope_builder(UiBuilder::new().max_rect(body).id_salt(salt), |ui| {
            ui.set_clip_rect(body.intersect(ui.clip_rect()));
            match (self.needs)(&run.profile) {
                Ok(()) => self.sides[which].ui(&mut side, ui),
                Err(why) => {
                    EmptyState::new(Icon::Info, &super::lacks(self.title), why).show(ui);
                }
            }
        });
        self.follows[which] = std::mem::take(&mut side.follow);
        for command in &mut cx.out.commands[sent..] {
            if let Command::Select(Some(Item::Time(t))) = command {
                *t = t.saturating_add(later);
            }
        }
        cx.out.cursor = cx.out.cursor.map(|t| t.saturating_add(later)).or(pointed);
    }

    /// Arrows from what is seen in the baseline to the same call in the new run, where that starts earlier or later: the
    /// longest ones, and the selected one.
    fn shifts(&self, cx: &ViewCx<'_>, ui: &Ui, area: Rect) {
        let Some(pair) = cx.subject.pair() else { return };
        let Some(spans) = cx.ask_pair(&PairedSpans, 93).beside() else { return };
        let Some(seen) = self.known[1].seen else { return };
        let leads = align::leads_of(cx);
        let least = (seen.to - seen.from) * LEAST_SHIFT;
        let selected = cx.interaction.selection.as_ref();
        let mut drawn: Vec<(PairedSpan, i64)> = Vec::new();
        let mut labels: Vec<Rect> = Vec::new();
        for span in spans.iter() {
            let shift = span.shift().saturating_add(leads[1]).saturating_sub(leads[0]);
            let is_selected = selected.is_some_and(|item| {
                item.span(&pair.head.profile) == Some((span.head.track, span.head.row))
                    || item.span(&pair.base.profile) == Some((span.base.track, span.base.row))
            });
            let matters = |base: bool, at: &At| self.sides[usize::from(!base)].matters(at.track, at.row);
            if !is_selected && !matters(true, &span.base) && !matters(false, &span.head) {
                continue;
            }
            // What moved with its caller needs no arrow of its own.
            let within = |(outer, by): &(PairedSpan, i64)| {
                let end = |at: &At| at.start.saturating_add(at.length);
                outer.base.start <= span.base.start
                    && end(&outer.base) >= end(&span.base)
                    && ((shift - by) as f64).abs() < least
            };
            if (shift as f64).abs() < least
                || !is_selected && (drawn.len() >= MOST_ARROWS || drawn.iter().any(within))
            {
                continue;
            }
            let place = |base: bool, at: &At| {
                let profile = &pair.run(base).profile;
                self.sides[usize::from(!base)].place_of(profile, at.track, at.row)
            };
            let (Some(from), Some(to)) = (place(true, &span.base), place(false, &span.head)) else {
                continue;
            };
            let room = area.x_range();
            let in_room = |rect: &Rect| room.contains(rect.left()) && rect.width() >= NARROWEST;
            if in_room(&from) && in_room(&to) {
                arrow(ui, (from, to), shift, &mut labels);
                drawn.push((*span, shift));
            }
        }
    }
}

/// What the clock of a run says at its start, ns, where that is not 0: axes show that clock, not the time since the start.
fn clock_start(profile: &Profile) -> Option<i64> {
    let (from, to) = profile.time_bounds()?;
    (from.unsigned_abs() > to.abs_diff(from) / 100).then_some(from)
}

/// By how much less the baseline's clock says at a moment that lies over one of the new run, ns.
fn earlier_in_base(cx: &ViewCx<'_>) -> i64 {
    let Some(pair) = cx.subject.pair() else { return 0 };
    let start = |base: bool| pair.run(base).profile.time_bounds().map_or(0, |(from, _)| from);
    let [base, head] = align::leads_of(cx);
    // Both axes begin with their run, after its empty time.
    start(false).saturating_sub(head).saturating_sub(start(true).saturating_sub(base))
}

/// What is selected, as one side calls it: a function of the other run is that of its pair, and so are a request and a span; `None`
/// for a request or a span that the side does not have.
pub(super) fn selection_of(cx: &ViewCx<'_>, item: &Item, base: bool) -> Option<Item> {
    let pair = cx.subject.pair()?;
    if let Item::Time(t) = item {
        return Some(Item::Time(if base { t.saturating_sub(earlier_in_base(cx)) } else { *t }));
    }
    let (here, there) = match base {
        true => (&pair.base.profile, &pair.head.profile),
        false => (&pair.head.profile, &pair.base.profile),
    };
    if matches!(item, Item::Request(_)) {
        return request_of(cx, item, base).unwrap_or_else(|| Some(item.clone()));
    }
    if let Item::Span(span) = item {
        let of_base = item.span(&pair.head.profile).is_none();
        if of_base == base {
            return Some(item.clone());
        }
        // The other run has its own clock.
        let partner = cx.ask_pair(&PartnerSpan { span: *span, of_base }, 95).beside()?;
        return partner.map(Item::Span);
    }
    let Some(symbol) = item.symbol() else { return Some(item.clone()) };
    if here.keys().function(symbol).is_some() {
        return Some(item.clone());
    }
    let matches = cx.ask_pair(&MatchQuery, 90).beside();
    let name = |key| {
        let function = there.keys().function(key)?;
        let matches = matches.as_ref()?;
        let found = if base { matches.to_base(function) } else { matches.to_head(function) };
        Some(here.keys().symbol(found?.0))
    };
    Some(item.renamed(name).unwrap_or_else(|| item.clone()))
}

/// The partner of a request of the new run, or of the baseline where that alone has it; inside, `None` where there is none.
fn request_of(cx: &ViewCx<'_>, item: &Item, base: bool) -> Option<Option<Item>> {
    let pair = cx.subject.pair()?;
    let query = DiffRequests { figure: RequestColumn::Latency, asked: Asked::default() };
    let found = cx.ask_pair(&query, 94).beside()?;
    let in_head = item.request(&pair.head.profile);
    let row = match in_head {
        Some(id) => found.rows.iter().find(|row| row.ids.head == Some(id)),
        None => {
            let id = item.request(&pair.base.profile)?;
            found.rows.iter().find(|row| row.ids.base == Some(id))
        }
    }?;
    let id = if base { row.ids.base } else { row.ids.head };
    Some(id.map(|id| Item::of_request(id, &pair.run(base).profile)))
}

/// Arrows that are drawn at most.
const MOST_ARROWS: usize = 8;
/// What moved by less than this share of what is seen stayed where it was.
const LEAST_SHIFT: f64 = 0.01;
/// Narrower boxes get no arrow, points.
const NARROWEST: f32 = 6.0;

/// An arrow from the start of a box to that of another one below, and by how much that is later.
fn arrow(ui: &Ui, (from, to): (Rect, Rect), shift: i64, labels: &mut Vec<Rect>) {
    let palette = Palette::of(ui);
    let painter = ui.painter();
    let color = palette.diff(if shift > 0 { 1.0 } else { -1.0 }, Better::Lower);
    let (a, b) = (pos2(from.left() + 2.0, from.bottom()), pos2(to.left() + 2.0, to.top()));
    let bend = ((b.y - a.y) * 0.45).max(12.0);
    let points = [a, a + vec2(0.0, bend), b - vec2(0.0, bend), b];
    let line = egui::epaint::CubicBezierShape::from_points_stroke(
        points,
        false,
        egui::Color32::TRANSPARENT,
        Stroke::new(1.5, color),
    );
    painter.add(line);
    let tip = vec![b, b + vec2(-4.0, -7.0), b + vec2(4.0, -7.0)];
    painter.add(Shape::convex_polygon(tip, color, Stroke::NONE));
    let text = format::signed_cost(Unit::Nanoseconds, shift);
    let galley = painter.layout_no_wrap(text, small(), palette.text_strong);
    let ground = Rect::from_center_size(a + (b - a) * 0.5, galley.size() + vec2(8.0, 4.0));
    if labels.iter().all(|other| !other.intersects(ground)) {
        painter.rect(ground, 3.0, palette.panel, Stroke::new(1.0, color), StrokeKind::Inside);
        painter.galley(ground.min + vec2(4.0, 2.0), galley, palette.text_strong);
        labels.push(ground);
    }
}

impl View for Bands {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        self.agree();
        let area = ui.available_rect_before_wrap();
        let gap = space::MEDIUM;
        let (first, second) = if self.stacked || area.width() < NARROW && area.height() > area.width() * 0.9 {
            let middle = area.center().y;
            (area.with_max_y(middle - gap / 2.0), area.with_min_y(middle + gap / 2.0))
        } else {
            let middle = area.center().x;
            (area.with_max_x(middle - gap / 2.0), area.with_min_x(middle + gap / 2.0))
        };
        self.band(cx, ui, first, true);
        self.band(cx, ui, second, false);
        if self.stacked {
            self.shifts(cx, ui, area);
        }
    }

    fn save(&self) -> serde_json::Value {
        self.sides[1].save()
    }

    /// The time of the new run, which the baseline's chart follows.
    fn window(&self) -> Option<TimeWindow> {
        self.sides[1].window()
    }

    fn show_window(&mut self, window: TimeWindow) {
        self.sides[1].show_window(window);
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.sides.iter_mut().for_each(|side| side.load(saved));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::Arc;

    use crate::analysis::testing::profile;
    use crate::model::Profile;
    use crate::ui::software::Headless;
    use crate::views::testing::Stage;
    use crate::views::{Out, view};

    fn stacked(id: &str, base: &Arc<Profile>, head: &Arc<Profile>) -> Stage<Bands> {
        let kind = view(id).unwrap();
        let Stage { subject, .. } = Stage::pair(id, base.clone(), head.clone());
        Stage::of(kind, Box::new(Bands::new(kind, true)), subject)
    }

    fn passes(screen: &mut Headless, stage: &mut Stage<Bands>) {
        for _ in 0..4 {
            screen.pass(Vec::new(), |ui| stage.ui(ui));
        }
    }

    fn seen(stage: &Stage<Bands>) -> [Seen; 2] {
        stage.view.sides.each_ref().map(|s| s.seen().unwrap())
    }

    #[test]
    fn r13_charts_of_both_runs_have_one_scale_and_move_together() {
        let base = profile("main 0 1000000 / f 100000 400000");
        let head = profile("main 500 2000500 / f 100000 400000");
        for id in ["timeline", "flame", "stages"] {
            let mut stage = stacked(id, &base, &head);
            let mut screen = Headless::new(vec2(900.0, 500.0), 1.0, egui::Theme::Dark).unwrap();
            let near = |a: f64, b: f64| (a - b).abs() < 1.0;
            passes(&mut screen, &mut stage);
            let [b, h] = seen(&stage);
            let same = near(b.from, h.from) && near(b.to, h.to);
            assert!(same && b.to >= 2_000_000.0, "{id}: both as long as the longer one: {b:?} {h:?}");
            for side in 0..2 {
                let at = side as f64 * 10_000.0;
                let (from, to) = (100_000.0 + at, 400_000.0 + at);
                stage.view.sides[side].see(Seen { from, to, extent: 0.0 });
                passes(&mut screen, &mut stage);
                for now in seen(&stage) {
                    assert!(near(now.from, from) && near(now.to, to), "{id} {side}: {now:?}");
                }
            }
        }
    }

    #[test]
    fn r13_runs_lie_over_each_other_on_the_moment_that_is_chosen() {
        let base = profile("main 0 1000000 / decode 100000 400000");
        let head = profile("main 500 1500500 / decode 600500 900500");
        let symbol = head.functions.ids().find(|&f| head.function_name(f) == "decode").unwrap();
        let align = crate::analysis::align::AlignAt::Function(head.keys().symbol(symbol));
        for id in ["timeline", "stages", "flame"] {
            let mut stage = stacked(id, &base, &head);
            stage.send(Command::SetAlign(align.clone()));
            let mut screen = Headless::new(vec2(900.0, 500.0), 1.0, egui::Theme::Dark).unwrap();
            passes(&mut screen, &mut stage);
            let seen = seen(&stage);
            // The base decodes 500 µs earlier, so it begins 500 µs later: both axes are 1.5 ms long.
            assert!((seen[0].extent - 1_500_000.0).abs() < 1.0, "{id}: {seen:?}");
            assert!((seen[1].extent - 1_500_000.0).abs() < 1.0, "{id}: {seen:?}");
            assert_eq!((seen[0].from, seen[0].to), (seen[1].from, seen[1].to), "{id}");
        }
    }

    /// Notes the selected moment and the pointer's; asks once for a moment.
    struct Probe(Rc<RefCell<[Option<i64>; 2]>>, Option<i64>);

    impl View for Probe {
        fn ui(&mut self, cx: &mut ViewCx<'_>, _: &mut Ui) {
            let selected = match cx.interaction.selection {
                Some(Item::Time(t)) => Some(t),
                _ => None,
            };
            *self.0.borrow_mut() = [selected, cx.cursor];
            cx.out.cursor = self.1;
            if let Some(t) = self.1.take() {
                cx.send(Command::Select(Some(Item::Time(t))));
            }
        }
    }

    #[test]
    fn r13_a_moment_is_the_one_below_it_in_the_other_band() {
        let base = profile("main 0 1000000 / decode 100000 400000");
        let head = profile("main 500 1500500 / decode 600500 900500");
        let symbol = head.functions.ids().find(|&f| head.function_name(f) == "decode").unwrap();
        for (align, in_base) in [
            (crate::analysis::align::AlignAt::Start, 600_000),
            (crate::analysis::align::AlignAt::Function(head.keys().symbol(symbol)), 100_000),
        ] {
            for asks in 0..2 {
                let mut stage = stacked("timeline", &base, &head);
                stage.send(Command::SetAlign(align.clone()));
                let seen = [Rc::default(), Rc::default()];
                let moments = [in_base, 600_500];
                for side in 0..2 {
                    let asked = (side == asks).then(|| moments[side]);
                    stage.view.sides[side] = Box::new(Probe(Rc::clone(&seen[side]), asked));
                }
                let mut screen = Headless::new(vec2(900.0, 500.0), 1.0, egui::Theme::Dark).unwrap();
                screen.pass(Vec::new(), |ui| stage.ui(ui));
                assert_eq!(stage.cursor, Some(600_500), "{align:?}, asked by {asks}");
                screen.pass(Vec::new(), |ui| stage.ui(ui));
                let now = seen.each_ref().map(|s| *s.borrow());
                assert_eq!(now, moments.map(|t| [Some(t); 2]), "{align:?}, asked by {asks}");
            }
        }
    }

    #[test]
    fn r13_a_call_that_starts_earlier_is_found_in_both_bands() {
        let base = profile("all 0 3200000 / fetch 0 800000 / call_a 800000 1600000 / call_b 1600000 3200000");
        let head =
            profile("all 50 1600050 / fetch 50 800050 / call_a 800050 1600050; [two]; call_b 800050 2400050");
        for id in ["timeline", "stages"] {
            let mut stage = stacked(id, &base, &head);
            let mut screen = Headless::new(vec2(1100.0, 700.0), 1.0, egui::Theme::Dark).unwrap();
            passes(&mut screen, &mut stage);
            let pair = stage.subject.pair().unwrap();
            let spans = stage.engine.now(pair, &PairedSpans, &crate::jobs::Job::new()).unwrap();
            let moved: Vec<&PairedSpan> = spans.iter().filter(|s| s.shift() != 0).collect();
            assert_eq!(moved.iter().map(|s| s.shift()).collect::<Vec<_>>(), [-800_000], "call_b alone");
            let place = |base: bool, at: &At| {
                stage.view.sides[usize::from(!base)]
                    .place_of(&pair.run(base).profile, at.track, at.row)
                    .unwrap()
            };
            let (from, to) = (place(true, &moved[0].base), place(false, &moved[0].head));
            assert!(to.top() > from.bottom() && to.left() < from.left(), "{id}: {from:?} {to:?}");
        }
    }

    /// A question that takes longer than a frame would be given up in each frame for that about the other run.
    #[test]
    fn questions_about_one_run_do_not_take_the_place_of_those_about_the_other() {
        let run = || profile("main 0 1000000 / f 100000 400000");
        let stage = Stage::pair("stages", run(), run());
        let mut out = Out::default();
        let mut cx = ViewCx::new(&stage.engine, &stage.subject, stage.now(), &mut out);
        let pair = stage.subject.pair().unwrap();
        let (base, head) = (pair.one(true), pair.one(false));
        let slots = [cx.slot(0), cx.side(&head, false).slot(0), cx.side(&base, true).slot(0)];
        assert_eq!(slots[0], slots[1]);
        assert_ne!(slots[1], slots[2]);
    }
}
