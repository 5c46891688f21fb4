//! The selected thing in two runs: each fact with both values, what changed first to be seen; pictures and texts of each run below.

use std::collections::BTreeSet;

use egui::{Align, Label, RichText, ScrollArea, Sense, Ui, WidgetInfo, vec2};

use super::sheet::{Amount, Block, Fact, Sheet};
use super::{NOTHING, blocks, build, part};
use crate::analysis::diff::functions::RowKey;
use crate::analysis::diff::paths::DiffPaths;
use crate::analysis::diff::{Compared, State, Two};
use crate::analysis::matches::MatchQuery;
use crate::format::{self, UNKNOWN};
use crate::model::Unit;
use crate::query::Pair;
use crate::state::{Command, Interaction, Item};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, regular, small, space, strong};
use crate::ui::widgets::{EmptyState, icon_button};
use crate::views::bands::selection_of;
use crate::views::parts::text_in;
use crate::views::shared::align::leads_of;
use crate::views::shared::figures::{Line, show_lines};
use crate::views::shared::pair::{self, Asked, Told};
use crate::views::{View, ViewCx};

/// The view.
#[derive(Default)]
pub(super) struct DiffDetails {
    /// What was shown in the last frame: another thing starts at the top.
    shown: Option<Item>,
    /// Titles of long texts that are shown whole.
    whole: BTreeSet<String>,
}

/// Stands before what is estimated.
const ABOUT: &str = "≈ ";

/// A fact of both runs.
struct Both {
    name: String,
    facts: Two<Fact>,
}

impl View for DiffDetails {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some(pair) = cx.subject.pair().cloned() else { return };
        let pinned = cx.interaction.selection.is_some();
        let Some(item) = cx.interaction.selection.clone().or_else(|| cx.hover.cloned()) else {
            EmptyState::new(Icon::Info, "Nothing selected", NOTHING).show(ui);
            return;
        };
        let items = [true, false].map(|base| selection_of(cx, &item, base));
        let of = |cx: &mut ViewCx<'_>, base: bool| {
            let subject = pair.one(base);
            let item = items[usize::from(!base)].as_ref()?;
            let renamed = Interaction { selection: Some(item.clone()), ..cx.interaction.clone() };
            let side = ViewCx { interaction: &renamed, ..cx.side(&subject, base) };
            build::sheet(&side, item)
        };
        let sheets = Two { base: of(cx, true), head: of(cx, false) };
        let Some(first) = sheets.head.as_ref().or(sheets.base.as_ref()) else {
            EmptyState::new(Icon::Info, "Not in these runs", "Nothing in either run is the selected thing.")
                .show(ui);
            return;
        };
        let missing = missing(cx, &pair, &item, &sheets);
        head(cx, ui, &sheets, first, (pinned, &missing));
        let mut area = ScrollArea::vertical().auto_shrink(false);
        if self.shown.as_ref() != Some(&item) {
            area = area.vertical_scroll_offset(0.0);
            self.whole.clear();
            self.shown = Some(item.clone());
        }
        area.show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            ui.set_max_width(ui.available_width() - space::MEDIUM);
            costs(cx, ui, &pair, &item);
            let [base, head] = leads_of(cx);
            for (title, facts) in &sections(&sheets) {
                blocks::heading(ui, if title.is_empty() { "Figures" } else { title });
                section(cx, ui, facts, head.saturating_sub(base));
            }
            for (sheet, base) in [(&sheets.base, true), (&sheets.head, false)] {
                if let Some((sheet, item)) = sheet.as_ref().zip(items[usize::from(!base)].as_ref()) {
                    self.others(cx, ui, &pair, (sheet, item), base);
                }
            }
        });
    }
}

/// Why one run has no side of it: «, only in head»; empty where both have.
fn missing(cx: &ViewCx<'_>, pair: &Pair, item: &Item, sheets: &Two<Sheet>) -> String {
    let in_base = match sheets.state() {
        Some(State::Gone) => true,
        Some(State::New) => false,
        _ => return String::new(),
    };
    let (here, there) = (pair::title(in_base).to_lowercase(), pair::title(!in_base).to_lowercase());
    let run = &pair.run(in_base).profile;
    match item {
        Item::Span(span) => {
            let matches = cx.ask_pair(&MatchQuery, 202).beside();
            let function = run.keys().function(span.symbol);
            let partner = function.zip(matches).and_then(|(f, matches)| match in_base {
                true => matches.to_head(f),
                false => matches.to_base(f),
            });
            if partner.is_some() {
                return format!(" of {here}; which call of {there} it is cannot be told");
            }
        }
        Item::Path(keys) => {
            let asked = Asked::of(cx, pair).ok();
            let paths = asked.and_then(|asked| cx.ask_pair(&DiffPaths(asked.functions), 203).beside());
            let node = paths.and_then(|paths| Some(paths.node(paths.find(keys, pair)?)));
            if node.is_some_and(|node| node.state() == State::NotPlaced) {
                return format!(" of {here}, not placed in the estimate of {there}");
            }
        }
        _ => {}
    }
    format!(", only in {here}")
}

/// What it is, which runs have it, and the way back to nothing.
fn head(
    cx: &mut ViewCx<'_>,
    ui: &mut Ui,
    sheets: &Two<Sheet>,
    first: &Sheet,
    (pinned, missing): (bool, &str),
) {
    let palette = Palette::of(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        let kind = if pinned { first.kind.to_owned() } else { format!("{} under the pointer", first.kind) };
        ui.label(RichText::new(format!("{kind}{missing}")).font(small()).color(palette.text_weak));
        if pinned {
            ui.with_layout(egui::Layout::right_to_left(Align::Center), |ui| {
                if icon_button(ui, Icon::Close, "Select nothing").clicked() {
                    cx.send(Command::Select(None));
                }
            });
        }
    });
    let title = match (&sheets.base, &sheets.head) {
        (Some(base), Some(head)) if base.title != head.title => pair::with_other(&head.title, &base.title),
        _ => first.title.clone(),
    };
    let title: String = title.chars().take(400).collect();
    let text = RichText::new(format::escaped(&title)).font(strong(15.0)).color(palette.text_strong);
    ui.add(Label::new(text).wrap().selectable(true));
    ui.add_space(2.0);
}

/// What a selected function costs in both, with the change.
fn costs(cx: &ViewCx<'_>, ui: &mut Ui, pair: &Pair, item: &Item) {
    let Some((symbol, asked)) = item.symbol().zip(Asked::of(cx, pair).ok()) else { return };
    let Some(functions) = cx.ask_pair(&asked.functions, 200).beside() else { return };
    let (related, _) = pair::related_paths(cx, &asked, false, 201);
    let key = RowKey::Function(symbol);
    let Some(row) = functions.row_of(key, false).or_else(|| functions.row_of(key, true)) else { return };
    let row = &functions.rows[row as usize];
    let told = Told { asked: &asked, related: &related, whole: functions.whole };
    // The facts below are of one call or one path.
    let one = matches!(item, Item::Span(_) | Item::Path(_));
    blocks::heading(ui, if one { "All calls of the function" } else { "Change" });
    for (name, told, costs) in [("Self", told.of_self(), row.own()), ("Total", told, row.total())] {
        let text = format!("{name} {}", told.line(costs, row.state()));
        ui.add(Label::new(RichText::new(text).color(Palette::of(ui).text)).wrap());
    }
}

/// Sections of facts of both, in the order of the new run.
fn sections(sheets: &Two<Sheet>) -> Vec<(String, Vec<Both>)> {
    let mut all: Vec<(String, Vec<Both>)> = Vec::new();
    for (sheet, base) in [(&sheets.head, false), (&sheets.base, true)] {
        for block in sheet.iter().flat_map(|sheet| &sheet.blocks) {
            let Block::Facts { title, facts, .. } = block else { continue };
            let at = all.iter().position(|(known, _)| known == title).unwrap_or_else(|| {
                all.push((title.clone(), Vec::new()));
                all.len() - 1
            });
            for fact in facts {
                let section = &mut all[at].1;
                let free =
                    |both: &Both| if base { both.facts.base.is_none() } else { both.facts.head.is_none() };
                let at = section.iter().position(|both| both.name == fact.name && free(both));
                let at = at.unwrap_or_else(|| {
                    section.push(Both { name: fact.name.clone(), facts: Two::default() });
                    section.len() - 1
                });
                let side = &mut section[at].facts;
                *(if base { &mut side.base } else { &mut side.head }) = Some(fact.clone());
            }
        }
    }
    all.retain(|(_, facts)| !facts.is_empty());
    all
}

impl Both {
    fn amounts(&self) -> Two<Amount> {
        let amount = |fact: &Option<Fact>| fact.as_ref().and_then(|fact| fact.amount);
        Two { base: amount(&self.facts.base), head: amount(&self.facts.head) }
    }

    fn value(&self, base: bool) -> &str {
        let fact = if base { &self.facts.base } else { &self.facts.head };
        fact.as_ref().map_or(UNKNOWN, |fact| &fact.value)
    }

    /// The number of a side as it stands in its column: as short as its unit allows, with the sign that says how it is known.
    fn number(&self, base: bool) -> String {
        /// Longer texts are more than a number.
        const SHORT: usize = 14;
        let (amounts, value) = (self.amounts(), self.value(base));
        match if base { amounts.base } else { amounts.head } {
            None => UNKNOWN.to_owned(),
            Some(Amount::Number(_)) if value.chars().count() <= SHORT => value.to_owned(),
            Some(amount) if value.starts_with(ABOUT) => format!("{ABOUT}{}", amount.text()),
            Some(amount) => amount.text(),
        }
    }

    /// «Duration: 1.2 ms → 1.5 ms», and what that is.
    fn about(&self) -> String {
        let facts = [&self.facts.head, &self.facts.base];
        let hint = facts.iter().find_map(|fact| fact.as_ref().map(|f| f.hint)).unwrap_or_default();
        let text = format!("{}: {} → {}", self.name, self.value(true), self.value(false));
        if hint.is_empty() { text } else { format!("{text}\n{hint}") }
    }

    fn leads_to(&self) -> Option<Item> {
        [&self.facts.head, &self.facts.base].into_iter().find_map(|fact| fact.as_ref()?.go.clone())
    }
}

impl Amount {
    fn text(self) -> String {
        match self {
            Self::Cost(unit, value) => format::cost(unit, value),
            Self::Moment(at) => format::duration(at),
            Self::Number(value) => format::number(value),
        }
    }
}

/// head − base and its share of base, in words, and whether it is more than noise. `lead` is by how much the new run is moved to
/// lie over the baseline.
fn change(amounts: Two<Amount>, lead: i64) -> (String, String, bool) {
    let percent = |change: Option<f64>| change.map(format::percent_change).unwrap_or_default();
    let floats = |base: f64, head: f64| Two::both(base, head);
    match (amounts.base, amounts.head) {
        (Some(Amount::Cost(unit, base)), Some(Amount::Cost(of_head, head))) if unit == of_head => {
            let (two, shown) = (Two::both(base, head), floats(base as f64, head as f64));
            let delta = head.saturating_sub(base);
            match unit {
                _ if delta == 0 => ("=".to_owned(), String::new(), false),
                Unit::MilliPercent => (pair::points(Some(delta as f64 / 1e5)), String::new(), true),
                _ => (format::signed_cost(unit, delta), percent(two.relative()), !pair::is_noise(shown)),
            }
        }
        (Some(Amount::Moment(base)), Some(Amount::Moment(head))) => {
            match head.saturating_sub(base).saturating_add(lead) {
                0 => ("=".to_owned(), String::new(), false),
                shift => (format::signed_cost(Unit::Nanoseconds, shift), String::new(), true),
            }
        }
        (Some(Amount::Number(base)), Some(Amount::Number(head))) => {
            let (two, delta) = (floats(base, head), head - base);
            let sign = if delta > 0.0 { "+" } else { "" };
            match delta == 0.0 {
                true => ("=".to_owned(), String::new(), false),
                false => {
                    let text = format!("{sign}{}", format::number(delta));
                    (text, percent(two.relative_change()), !pair::is_noise(two))
                }
            }
        }
        _ => (UNKNOWN.to_owned(), String::new(), false),
    }
}

/// Numbers in columns with their change, then what is told in words.
fn section(cx: &mut ViewCx<'_>, ui: &mut Ui, facts: &[Both], lead: i64) {
    let (numbers, words): (Vec<&Both>, Vec<&Both>) =
        facts.iter().partition(|both| both.amounts().state().is_some());
    if !numbers.is_empty() {
        let palette = Palette::of(ui);
        let mut lines = vec![Line::heading(palette)];
        for both in &numbers {
            let amounts = both.amounts();
            let (delta, percent, changed) = change(amounts, lead);
            let cells = [both.name.clone(), both.number(true), both.number(false), delta, percent];
            lines.push(Line::told(cells, changed, both.about(), both.leads_to().is_some(), palette));
        }
        let clicked = show_lines(ui, &lines).and_then(|at| numbers.get(at.checked_sub(1)?));
        if let Some(item) = clicked.and_then(|both| both.leads_to()) {
            cx.select(Some(item));
        }
    }
    words.into_iter().for_each(|both| line(cx, ui, both));
}

/// «Name  base  head»: what differs stands out. A click follows the fact where it leads somewhere.
fn line(cx: &mut ViewCx<'_>, ui: &mut Ui, both: &Both) {
    let palette = Palette::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 20.0), Sense::click());
    let (base, head) = (both.value(true), both.value(false));
    let spoken = format!("{}: {base} → {head}", both.name);
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, &spoken));
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, space::RADIUS_SMALL, palette.hover);
    }
    let changed = base != head;
    let names = (rect.width() * 0.3).clamp(70.0, 130.0);
    let width = (rect.width() - names) / 2.0 - space::SMALL;
    let colors =
        [palette.text_weak, palette.text, if changed { palette.text_strong } else { palette.text_weak }];
    let mut x = rect.left();
    for ((text, width), color) in
        [(both.name.as_str(), names), (base, width), (head, width)].into_iter().zip(colors)
    {
        let cell = egui::Rect::from_min_size(egui::pos2(x, rect.top()), vec2(width, rect.height()));
        text_in(ui.painter(), cell, text, regular(13.0), color, Align::Min);
        x += width + space::SMALL;
    }
    if response.clicked()
        && let Some(item) = both.leads_to()
    {
        cx.select(Some(item));
    }
    response.on_hover_text(both.about());
}

impl DiffDetails {
    /// What is no fact, of one run.
    fn others(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        pair: &Pair,
        (sheet, item): (&Sheet, &Item),
        base: bool,
    ) {
        let others = sheet.blocks.iter().filter(|block| !matches!(block, Block::Facts { .. }));
        let others: Vec<&Block> = others.collect();
        if others.is_empty() {
            return;
        }
        ui.add_space(space::LARGE);
        let (line, _) = ui.allocate_exact_size(vec2(ui.available_width(), 18.0), Sense::hover());
        pair::name_line(ui, line, cx.names[usize::from(!base)], base);
        let subject = pair.one(base);
        let renamed = Interaction { selection: Some(item.clone()), ..cx.interaction.clone() };
        let mut side = ViewCx { interaction: &renamed, ..cx.side(&subject, base) };
        for (i, block) in others.into_iter().enumerate() {
            ui.push_id((base, i), |ui| part(&mut side, ui, block, &mut self.whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_both_runs_stand_in_one_line_and_those_of_one_run_too() {
        let sheet = |facts: &[(&str, &str)]| {
            let mut sheet = Sheet::new("Span", "f");
            sheet.facts("Times", facts.iter().map(|(name, value)| Fact::new(name, *value)).collect());
            sheet
        };
        let base = sheet(&[("Start", "1 ms"), ("Status", "ok")]);
        let head = sheet(&[("Start", "2 ms"), ("Retries", "3")]);
        let all = sections(&Two::both(base, head));
        assert_eq!(all.len(), 1);
        let value = |fact: &Option<Fact>| fact.as_ref().map(|f| f.value.clone());
        let rows: Vec<_> =
            all[0].1.iter().map(|b| (b.name.as_str(), value(&b.facts.base), value(&b.facts.head))).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            rows,
            [
                ("Start", some("1 ms"), some("2 ms")),
                ("Retries", None, some("3")),
                ("Status", some("ok"), None)
            ]
        );
    }
}
