//! What the views of two compared runs have in common: which is which, the metric on both sides, how costs are related,
//! how a change is written and coloured.

use std::borrow::Cow;
use std::hash::Hash;

use egui::{Align2, Color32, Rect, RichText, Ui, pos2, vec2};
use rustc_hash::FxHashMap;

use crate::analysis::columns::scale;
use crate::analysis::diff::functions::{DiffFunctions, Row, Wholes};
use crate::analysis::diff::metrics::shown;
use crate::analysis::diff::normalise::{DiffRelated, Normalise, Related};
use crate::analysis::diff::paths::{PathDiff, PathHalf, PathNode};
use crate::analysis::diff::{State, Two, list};
use crate::analysis::formula::Measure;
use crate::analysis::matches::Matches;
use crate::format::{self, Column, Form, Look, Scale, UNKNOWN, Value};
use crate::model::{Basis, Better, FunctionId, SymbolKey, Unit};
use crate::query::{Pair, Step};
use crate::state::{Command, Item};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, small, strong};
use crate::ui::widgets::{EmptyState, combo};
use crate::views::{ViewCx, shared};

/// Says in front of a run which of both it is.
pub fn name_line(ui: &Ui, area: Rect, name: &str, base: bool) {
    let palette = Palette::of(ui);
    let painter = ui.painter().with_clip_rect(area.intersect(ui.clip_rect()));
    let stripe = Rect::from_min_size(area.min + vec2(0.0, 2.0), vec2(3.0, area.height() - 4.0));
    painter.rect_filled(stripe, 1.0, color(palette, base));
    let which = painter.layout_no_wrap(title(base).to_owned(), strong(12.0), palette.text);
    let at = pos2(area.left() + 9.0, area.center().y - which.size().y / 2.0);
    let right = at.x + which.size().x;
    painter.galley(at, which, palette.text);
    let at = pos2(right + 8.0, area.center().y);
    painter.text(at, Align2::LEFT_CENTER, name, small(), palette.text_weak);
}

/// «Base» or «Head».
#[must_use]
pub fn title(base: bool) -> &'static str {
    if base { "Base" } else { "Head" }
}

/// The colour of a run where both are in one picture.
#[must_use]
pub fn color(palette: &Palette, base: bool) -> Color32 {
    if base { palette.text_weak } else { palette.accent }
}

/// What a function of both runs is called: as in the new run, with its name in the baseline where that is another one.
#[must_use]
pub fn row_name<'a>(pair: &'a Pair, row: &Row) -> Cow<'a, str> {
    let (base, head) = (&*pair.base.profile, &*pair.head.profile);
    let name = list::name(row, base, head);
    let before = row
        .halves
        .base
        .filter(|_| row.step.is_some_and(Step::pairs_other_names))
        .map(|half| half.symbol.label(base));
    match before.filter(|before| *before != name) {
        Some(before) => with_other(&name, &before).into(),
        None => name,
    }
}

/// Rows of two tables of functions of one kind each, paired as functions are: which place each has in either table, those of
/// the baseline first.
#[must_use]
pub fn paired<K: Copy + Eq + Hash>(
    matches: &Matches,
    [base, head]: [&[(FunctionId, K)]; 2],
) -> Vec<Two<usize>> {
    let places: FxHashMap<_, usize> = head.iter().enumerate().map(|(i, row)| (*row, i)).collect();
    let mut taken = vec![false; head.len()];
    let mut rows: Vec<Two<usize>> = Vec::with_capacity(base.len());
    for (i, (function, kind)) in base.iter().enumerate() {
        let there = matches.to_head(*function).and_then(|(there, _)| places.get(&(there, *kind))).copied();
        if let Some(there) = there {
            taken[there] = true;
        }
        rows.push(Two { base: Some(i), head: there });
    }
    let alone = (0..head.len()).filter(|&i| !taken[i]);
    rows.extend(alone.map(|i| Two { base: None, head: Some(i) }));
    rows
}

/// What a function of both runs is called, with its other name in the baseline.
#[must_use]
pub fn function_name(pair: &Pair, functions: Two<FunctionId>) -> String {
    let base = functions.base.map(|f| pair.base.profile.function_name(f));
    let head = functions.head.map(|f| pair.head.profile.function_name(f));
    match (base, head) {
        (Some(base), Some(head)) if base != head => with_other(head, base),
        _ => head.or(base).unwrap_or_default().to_owned(),
    }
}

/// What a click on a function of both runs selects: that of the new run.
#[must_use]
pub fn function_item(pair: &Pair, functions: Two<FunctionId>) -> Option<Item> {
    let head = functions.head.map(|f| Item::of_function(f, &pair.head.profile));
    head.or_else(|| Some(Item::of_function(functions.base?, &pair.base.profile)))
}

/// «fused_gemm (base: gemm)».
#[must_use]
pub fn with_other(head: &str, base: &str) -> String {
    format!("{head} (base: {base})")
}

/// What both sides are asked in.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The question about all functions of both.
    pub functions: DiffFunctions,
    /// What costs are, in the new run.
    pub measure: Measure,
    /// What they are in the baseline.
    pub base_measure: Measure,
}

impl Asked {
    /// What is asked about the runs that are compared.
    ///
    /// # Errors
    /// One line, when a side has no costs.
    pub fn of(cx: &ViewCx<'_>, pair: &Pair) -> Result<Self, String> {
        let metric = shown(cx.interaction.metric, &pair.base.profile, &pair.head.profile)?;
        let [base_measure, measure] = metric.measures(&pair.base.profile, &pair.head.profile);
        let now = cx.interaction;
        let functions = DiffFunctions { scope: now.scope.clone(), metric, range: now.range };
        Ok(Self { functions, measure, base_measure })
    }

    /// The compared runs and what is asked about them; `None` after saying why there is nothing to compare.
    pub fn begin(cx: &ViewCx<'_>, ui: &mut Ui) -> Option<(Pair, Self)> {
        let pair = cx.subject.pair()?.clone();
        match Self::of(cx, &pair) {
            Ok(asked) => Some((pair, asked)),
            Err(why) => {
                EmptyState::new(Icon::Info, "Nothing to compare", &why).show(ui);
                None
            }
        }
    }

    /// Unit of the costs of a side.
    #[must_use]
    pub fn unit(&self, base: bool) -> Unit {
        if base { self.base_measure.unit } else { self.measure.unit }
    }

    /// Whether more of it is better.
    #[must_use]
    pub fn better(&self, pair: &Pair) -> Better {
        let head = &pair.head.profile;
        head.find_metric(self.functions.metric.head).map_or(Better::Lower, |id| head.metric(id).better)
    }

    /// In relation to what costs are shown. Shares stand in relation to the whole already.
    #[must_use]
    pub fn normalise(&self, cx: &ViewCx<'_>) -> Normalise {
        if self.shares_only() { Normalise::Nothing } else { cx.interaction.normalise }
    }

    /// True when only shares of the whole compare.
    #[must_use]
    pub fn shares_only(&self) -> bool {
        self.functions.metric.why_not.is_some()
    }
}

/// Says what is to be known about the numbers: what cannot be subtracted, how they are related, what that rests on. By what
/// costs are multiplied or divided stands above them.
pub fn notices(
    cx: &mut ViewCx<'_>,
    ui: &mut Ui,
    asked: &Asked,
    related: &Related,
    not_related: Option<&str>,
) {
    if let Some(why) = &asked.functions.metric.why_not {
        cx.note(Tone::Warning, "Shares only", format!("Shares only: {why}."));
    }
    if asked.shares_only() {
        note_line(ui, Tone::Neutral, "Only shares compare: the total of each run is 100 %.".to_owned());
    } else {
        relation(cx, ui, related, not_related);
    }
    let base = cx.subject.pair().map(|pair| &pair.base.profile.meta.basis);
    if base.is_some_and(|base| base.key() != cx.profile().meta.basis.key()) {
        let text = "One run was measured, the other one sampled: costs differ by their method.";
        cx.note(Tone::Warning, "Two methods", text.to_owned());
    }
    let [bases, heads] = cx.subject.pair().map_or([1, 1], Pair::counts);
    if bases + heads > 2 {
        let text = format!(
            "{bases} + {heads} runs: figures of functions are medians of each side; call paths, times and requests are \
             those of one run each.",
        );
        cx.note(Tone::Neutral, "Medians", text);
    }
}

/// «Same total: baseline × 2.0000», or why costs are shown as they were recorded although something else was chosen.
pub fn relation(cx: &ViewCx<'_>, ui: &mut Ui, related: &Related, not_related: Option<&str>) {
    let chosen = cx.interaction.normalise;
    let (tone, text) = match not_related {
        Some(why) if chosen != Normalise::Nothing => {
            (Tone::Warning, format!("{} is not possible here, as recorded: {why}.", chosen.title()))
        }
        _ if related.to == Normalise::Nothing => return,
        _ => (Tone::Neutral, format!("{}: {}", related.to.title(), related.factors.legend)),
    };
    note_line(ui, tone, text);
}

/// What stands above numbers, in one line.
fn note_line(ui: &mut Ui, tone: Tone, text: String) {
    let palette = Palette::of(ui);
    let color = if tone == Tone::Warning { palette.tone(tone) } else { palette.text_weak };
    let label = egui::Label::new(RichText::new(&text).font(small()).color(color)).truncate();
    ui.add(label).on_hover_text(text);
}

/// The choice how costs are related, with what that is, for a text whose sentences are about what was recorded.
pub fn normalise_line(
    cx: &mut ViewCx<'_>,
    ui: &mut Ui,
    asked: &Asked,
    related: Option<&Result<Related, String>>,
) {
    ui.horizontal(|ui| {
        normalise(cx, ui, asked);
        match related {
            Some(Ok(related)) => {
                relation(cx, ui, related, None);
                if related.to != Normalise::Nothing {
                    weak(ui, "Sentences and figures are as recorded.");
                }
            }
            Some(Err(why)) => relation(cx, ui, &Related::default(), Some(why)),
            None => {}
        }
    });
}

/// How costs of call paths and of calls are related, and why not. One path has no calls of its own on both sides, so
/// nothing is per call here. A picture whose sizes are costs shows both runs as large as each other where only shares
/// compare. Asked at place `n`.
pub fn related_paths(cx: &ViewCx<'_>, asked: &Asked, picture: bool, n: u64) -> (Related, Option<String>) {
    let to = match asked.normalise(cx) {
        _ if picture && asked.shares_only() => Normalise::Total,
        Normalise::Call => {
            return (Related::default(), Some("calls on one path are not normalised by calls".to_owned()));
        }
        to => to,
    };
    let related = cx.ask_pair(&DiffRelated { functions: asked.functions.clone(), to }, n);
    match related.beside().as_deref() {
        Some(Ok(related)) => (related.clone(), None),
        Some(Err(why)) => (Related::default(), Some(why.clone())),
        None => (Related::default(), None),
    }
}

/// Says that call paths are estimated, and how much of the cost stands in none.
pub fn estimated(cx: &mut ViewCx<'_>, asked: &Asked, paths: &PathDiff) {
    let Some(why) = &paths.estimated else { return };
    let (rest, sum) = (paths.not_placed, paths.sum);
    let side = |name: &str, rest: Option<i64>, sum: Option<i64>, base: bool| {
        let (rest, sum) = (rest.filter(|&r| r > 0)?, sum.filter(|&s| s > 0)?);
        let share = rest as f64 / sum as f64;
        // Costs are shared out in whole units: what is left over by rounding is none.
        (share >= 0.000_5).then(|| {
            format!("{} of {name} ({})", format::cost(asked.unit(base), rest), format::percent(share))
        })
    };
    let parts = [side("base", rest.base, sum.base, true), side("head", rest.head, sum.head, false)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let more = match parts.is_empty() {
        true => String::new(),
        false => format!(" Not placed on any path: {}.", parts.join(", ")),
    };
    shared::note_basis(cx, &Basis::Estimated(why.as_str().into()), &more);
}

/// A call path as what a click selects.
#[must_use]
pub fn path_item(pair: &Pair, paths: &PathDiff, node: u32) -> Option<Item> {
    let (path, base) = paths.functions(node);
    (!path.is_empty()).then(|| Item::of_path(&path, &pair.run(base).profile))
}

/// The function of a call path, as the new run names it if it takes the path.
#[must_use]
pub fn path_symbol(pair: &Pair, node: &PathNode) -> Option<SymbolKey> {
    let of = |half: PathHalf, base| pair.run(base).profile.keys().symbol(half.symbol.function());
    let halves = node.halves;
    halves.head.map(|half| of(half, false)).or_else(|| Some(of(halves.base?, true)))
}

/// How costs of both runs are written: in one unit, which headings name, where they can be subtracted; else each with
/// its own.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    units: [Unit; 2],
    scale: Option<Scale>,
    /// What stands behind the titles of costs: «/s».
    per: &'static str,
}

impl Written {
    /// Of costs of at most `most`, which are related so.
    #[must_use]
    pub fn of(asked: &Asked, to: Normalise, most: f64) -> Self {
        Self::new([asked.unit(true), asked.unit(false)], !asked.shares_only(), most).per(to.per())
    }

    /// Of costs that stand in relation to something: «/s».
    #[must_use]
    pub fn per(self, per: &'static str) -> Self {
        Self { per, ..self }
    }

    /// Of costs in the units of base and head of at most `most`.
    #[must_use]
    pub fn new(units: [Unit; 2], subtracts: bool, most: f64) -> Self {
        Self { units, scale: subtracts.then(|| scale(units[1], most.round() as i64)), per: "" }
    }

    /// A title of a column of costs: «Self base/s».
    #[must_use]
    pub fn title(&self, title: &str) -> String {
        format!("{title}{}", self.per)
    }

    /// How a cost of a side is written.
    #[must_use]
    pub fn cost(&self, base: bool) -> (Form, Unit) {
        let unit = self.units[usize::from(!base)];
        (self.scale.map_or(Form::Each(unit), Form::Scaled), unit)
    }

    /// How a change is written, which is not known where only shares compare.
    #[must_use]
    pub fn change(&self) -> (Form, Unit) {
        let unit = self.units[1];
        (self.scale.map_or(Form::SignedEach(unit), Form::Signed), unit)
    }

    /// True where changes are known.
    #[must_use]
    pub fn subtracts(&self) -> bool {
        self.scale.is_some()
    }
}

/// A change as a share of the baseline, as a value; in words where there is none.
#[must_use]
pub fn growth<'a>(change: Option<f64>, state: State) -> Value<'a> {
    match state {
        State::New | State::Gone | State::NotPlaced => Value::Word(state.key()),
        State::Both => Value::number(change),
    }
}

/// How often in both runs, as a value.
#[must_use]
pub fn counts<'a>(counts: Two<i64>) -> Value<'a> {
    let count = |n: i64| n.max(0) as u64;
    Value::Both(counts.base.map(count), counts.head.map(count))
}

/// What a column of the states of rows means.
pub fn state<'a, R, S>(hint: &str, value: impl Fn(R) -> &'static str + 'a) -> Column<'a, R, S> {
    Column::text("state", "", move |row| Value::Word(value(row))).look(Look::State).hint(hint)
}

/// Questions whether costs can be related to something stand at these places.
const POSSIBLE: u64 = 100;

/// Chooses in relation to what costs are shown, for all panes. What cannot be chosen says why.
pub fn normalise(cx: &mut ViewCx<'_>, ui: &mut Ui, asked: &Asked) {
    let now = asked.normalise(cx);
    if let Some(why) = &asked.functions.metric.why_not {
        let button = ui.add_enabled(false, egui::Button::new(now.title()));
        button.on_disabled_hover_text(format!("Shares only: {why}."));
        return;
    }
    let mut picked = now;
    let field = combo("normalise").selected_text(now.title()).show_ui(ui, |ui| {
        for (place, to) in (POSSIBLE..).zip(Normalise::ALL) {
            let answer = cx.ask_pair(&DiffRelated { functions: asked.functions.clone(), to }, place).beside();
            let why_not = answer.as_deref().and_then(|related| related.as_ref().err());
            let choice = egui::Button::selectable(picked == to, to.title());
            let choice = ui.add_enabled(why_not.is_none(), choice);
            if choice.clicked() {
                picked = to;
            }
            if let Some(why) = why_not {
                choice.on_disabled_hover_text(format!("Not possible: {why}"));
            }
        }
    });
    field.response.accessible_name("Relate costs to");
    if picked != now {
        cx.send(Command::SetNormalise(picked));
    }
}

/// A change of a cost with its sign; a row that one side lacks changed by all of it.
#[must_use]
pub fn signed(unit: Unit, change: Option<f64>) -> String {
    change.map_or_else(|| UNKNOWN.to_owned(), |c| format::signed_cost(unit, c.round() as i64))
}

/// Costs as they are written: those that were recorded, and how they are related.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// In which metric.
    pub asked: &'a Asked,
    /// How costs are related.
    pub related: &'a Related,
    /// What shares of costs are of.
    pub whole: Wholes,
}

impl Told<'_> {
    /// The same for self costs: their shares are of the sum of all self costs.
    #[must_use]
    pub fn of_self(&self) -> Self {
        Self { whole: Wholes { total: self.whole.own, ..self.whole }, ..*self }
    }

    /// A cost of a side as it is shown, with its unit: «97.6 ms/s».
    fn cost(&self, cost: Option<f64>, base: bool) -> String {
        let text = format::cost_or_unknown(self.asked.unit(base), cost.map(|v| v.round() as i64));
        if cost.is_some() { text + self.related.to.per() } else { text }
    }

    /// A recorded cost of a side, as it is shown.
    #[must_use]
    pub fn side(&self, costs: Two<i64>, base: bool) -> String {
        let shown = self.related.factors.apply(costs);
        self.cost(if base { shown.base } else { shown.head }, base)
    }

    /// A change of a recorded cost: with its sign, or in percentage points where only shares compare.
    #[must_use]
    pub fn change(&self, costs: Two<i64>) -> String {
        if !self.asked.shares_only() {
            let change = self.related.factors.apply(costs).change();
            let text = signed(self.asked.unit(false), change);
            return if change.is_some() { text + self.related.to.per() } else { text };
        }
        points(list::points(costs, self.whole.total))
    }

    /// A change of what is so in both runs; «–» where the cost of a side is not known.
    #[must_use]
    pub fn change_of(&self, costs: Two<i64>, state: State) -> String {
        if state.has_change() { self.change(costs) } else { UNKNOWN.to_owned() }
    }

    /// «1.20 s → 1.50 s, +300 ms (+25.0 %)»; where only shares compare «12.0 % → 15.0 %, +3.0 points». Of related costs it
    /// says what was recorded.
    #[must_use]
    pub fn line(&self, costs: Two<i64>, state: State) -> String {
        let change = self.change_of(costs, state);
        if self.asked.shares_only() {
            let share = |cost: Option<i64>, whole: Option<i64>| {
                let share = Some(cost? as f64 / whole.filter(|&w| w != 0)? as f64);
                share.map(format::percent)
            };
            let text = |share: Option<String>| share.unwrap_or_else(|| UNKNOWN.to_owned());
            let (base, head) =
                (share(costs.base, self.whole.total.base), share(costs.head, self.whole.total.head));
            return format!("{} → {}, {change}", text(base), text(head));
        }
        let shown = self.related.factors.apply(costs);
        let relative = relative(shown.relative_change(), state);
        let (base, head) = (self.cost(shown.base, true), self.cost(shown.head, false));
        let text = format!("{base} → {head}, {change} ({relative})");
        match self.related.to {
            Normalise::Nothing => text,
            _ => format!("{text}; recorded {}", self.recorded(costs)),
        }
    }

    /// «1.20 s → 1.50 s», as it was recorded.
    #[must_use]
    pub fn recorded(&self, costs: Two<i64>) -> String {
        let cost = |v: Option<i64>, base| format::cost_or_unknown(self.asked.unit(base), v);
        format!("{} → {}", cost(costs.base, true), cost(costs.head, false))
    }
}

/// «+3.0 points».
#[must_use]
pub fn points(share: Option<f64>) -> String {
    share.map_or_else(|| UNKNOWN.to_owned(), |share| format!("{} points", format::points(share * 100.0)))
}

/// A change as a share of the baseline; in words where there is none.
#[must_use]
pub fn relative(change: Option<f64>, state: State) -> String {
    match (change, state) {
        (_, State::New) => "new".to_owned(),
        (_, State::Gone) => "gone".to_owned(),
        (_, State::NotPlaced) => State::NotPlaced.key().to_owned(),
        (Some(change), _) => format::percent_change(change),
        (None, _) => UNKNOWN.to_owned(),
    }
}

/// How strongly a change is coloured: against the larger of both sides, so that from nothing and to nothing are 1.
#[must_use]
pub fn strength(costs: Two<f64>) -> f64 {
    let (base, head) = (costs.base.unwrap_or(0.0), costs.head.unwrap_or(0.0));
    let most = base.abs().max(head.abs());
    if most > 0.0 { (head - base) / most } else { 0.0 }
}

/// True for a change that colours show as none: within ±2 % of the larger side.
#[must_use]
pub fn is_noise(costs: Two<f64>) -> bool {
    strength(costs).abs() < f64::from(Palette::NOISE)
}

/// A text of second rank.
pub fn weak(ui: &mut Ui, text: &str) {
    let color = Palette::of(ui).text_weak;
    ui.add(egui::Label::new(RichText::new(text).color(color)).truncate());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_as_strong_as_its_part_of_the_larger_side() {
        assert!((strength(Two::both(100.0, 150.0)) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(strength(Two { base: None, head: Some(5.0) }), 1.0);
        assert_eq!(strength(Two { base: Some(5.0), head: None }), -1.0);
        assert_eq!(strength(Two::both(0.0, 0.0)), 0.0);
        assert_eq!(
            (relative(None, State::New), relative(Some(0.5), State::Both)),
            ("new".into(), "+50.0 %".into())
        );
        assert_eq!(signed(Unit::Nanoseconds, None), "–");
    }
}
