//! What the views of two compared runs have in common: which is which, the metric on both sides, how costs are related,
//! how a change is written and coloured.

use egui::{Align2, Rect, RichText, Sense, Ui, pos2, vec2};

use crate::analysis::columns::scale;
use crate::analysis::diff::functions::DiffFunctions;
use crate::analysis::diff::metrics::shown;
use crate::analysis::diff::normalise::{DiffRelated, Normalise, Related};
use crate::analysis::diff::paths::{PathDiff, PathHalf, PathNode};
use crate::analysis::diff::{State, Two};
use crate::analysis::formula::Measure;
use crate::format::{self, Column, Form, Look, Scale, UNKNOWN, Value};
use crate::model::{Basis, Better, Profile, SymbolKey, Unit};
use crate::query::Pair;
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
pub fn color(palette: &Palette, base: bool) -> egui::Color32 {
    if base { palette.text_weak } else { palette.accent }
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
        let of = |key, profile: &Profile| Measure::of(key, profile).ok_or("one of the runs has no costs");
        let (base_measure, measure) =
            (of(metric.base, &pair.base.profile)?, of(metric.head, &pair.head.profile)?);
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

    /// True when only shares of the whole compare.
    #[must_use]
    pub fn shares_only(&self) -> bool {
        self.functions.metric.why_not.is_some()
    }
}

/// Notes what is to be known about the numbers: what cannot be subtracted, how they are related, what that rests on.
pub fn notices(cx: &mut ViewCx<'_>, asked: &Asked, legend: &str, not_related: Option<&str>) {
    if let Some(why) = &asked.functions.metric.why_not {
        cx.note(Tone::Warning, "Shares only", format!("Shares only: {why}."));
    }
    if let Some(why) = not_related {
        cx.note(Tone::Warning, "As recorded", format!("Shown as recorded: {why}."));
    } else if !legend.is_empty() {
        cx.note(Tone::Neutral, "Normalised", format!("Normalised {legend}."));
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

/// How costs of call paths and of calls are related, and why not. One path has no calls of its own on both sides, so
/// nothing is per call here. A picture whose sizes are costs shows both runs as large as each other where only shares
/// compare. Asked at place `n`.
pub fn related_paths(cx: &mut ViewCx<'_>, asked: &Asked, picture: bool, n: u64) -> (Related, Option<String>) {
    let to = match cx.interaction.normalise {
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
}

impl Written {
    /// Of costs of at most `most`.
    #[must_use]
    pub fn of(asked: &Asked, most: f64) -> Self {
        Self::new([asked.unit(true), asked.unit(false)], !asked.shares_only(), most)
    }

    /// Of costs in the units of base and head of at most `most`.
    #[must_use]
    pub fn new(units: [Unit; 2], subtracts: bool, most: f64) -> Self {
        Self { units, scale: subtracts.then(|| scale(units[1], most.round() as i64)) }
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
        State::New | State::Gone => Value::Word(state.key()),
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

/// Chooses in relation to what costs are shown.
pub fn normalise(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let now = cx.interaction.normalise;
    let label = |n: Normalise| match n {
        Normalise::Nothing => "As recorded",
        Normalise::Total => "Same total",
        Normalise::Second => "Per second",
        Normalise::Call => "Per call",
        Normalise::Request => "Per request",
        Normalise::Token => "Per token",
    };
    let mut picked = now;
    let field = combo("normalise").selected_text(label(now)).show_ui(ui, |ui| {
        for n in Normalise::ALL {
            ui.selectable_value(&mut picked, n, label(n));
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

/// A change of a cost of `whole`: with its sign, or in percentage points where only shares compare.
#[must_use]
pub fn change(asked: &Asked, costs: Two<f64>, whole: Two<f64>) -> String {
    if !asked.shares_only() {
        return signed(asked.unit(false), costs.change());
    }
    let points = shares(costs, whole).change().map(|share| format::points(share * 100.0));
    points.map_or_else(|| UNKNOWN.to_owned(), |points| format!("{points} points"))
}

/// «1.20 s → 1.50 s, +300 ms (+25.0 %)»; where only shares compare «12.0 % → 15.0 %, +3.0 points».
#[must_use]
pub fn line(asked: &Asked, costs: Two<f64>, whole: Two<f64>, state: State) -> String {
    let change = change(asked, costs, whole);
    if asked.shares_only() {
        let shares = shares(costs, whole);
        let text = |share: Option<f64>| share.map_or_else(|| UNKNOWN.to_owned(), format::percent);
        return format!("{} → {}, {change}", text(shares.base), text(shares.head));
    }
    let cost = |v: Option<f64>, base| format::cost_or_unknown(asked.unit(base), v.map(|v| v.round() as i64));
    let relative = relative(costs.relative_change(), state);
    format!("{} → {}, {change} ({relative})", cost(costs.base, true), cost(costs.head, false))
}

fn shares(costs: Two<f64>, whole: Two<f64>) -> Two<f64> {
    let share = |cost: Option<f64>, whole: Option<f64>| Some(cost? / whole.filter(|&w| w != 0.0)?);
    Two { base: share(costs.base, whole.base), head: share(costs.head, whole.head) }
}

/// A change as a share of the baseline; in words where there is none.
#[must_use]
pub fn relative(change: Option<f64>, state: State) -> String {
    match (change, state) {
        (_, State::New) => "new".to_owned(),
        (_, State::Gone) => "gone".to_owned(),
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

/// What colours of changes mean.
pub fn legend(ui: &mut Ui) {
    const STEPS: usize = 21;
    let palette = Palette::of(ui);
    let weak = |text: &str| RichText::new(text).font(small()).color(palette.text_weak);
    ui.label(weak("less"));
    let (rect, response) = ui.allocate_exact_size(vec2(84.0, 10.0), Sense::hover());
    let width = rect.width() / STEPS as f32;
    for i in 0..STEPS {
        let left = rect.left() + i as f32 * width;
        let step = Rect::from_x_y_ranges(left..=left + width, rect.y_range());
        let change = i as f32 / (STEPS - 1) as f32 * 2.0 - 1.0;
        ui.painter().rect_filled(step, 0.0, palette.diff(change, Better::Lower));
    }
    ui.label(weak("more"));
    response.on_hover_text(
        "How much of the larger side changed: from −100 % (only base has it) to +100 % (only head has it). \
         What only one run has is hatched. Within ±2 % a change is grey.",
    );
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
