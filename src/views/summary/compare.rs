//! What changed between two runs, in words first, then in figures: settings, what takes more and less, requests, findings.

use std::sync::Arc;

use egui::{Grid, Label, RichText, ScrollArea, Ui, vec2};

use super::findings::tone;
use crate::analysis::diff::functions::DiffFunctions;
use crate::analysis::diff::list::{DiffList, DiffOrder, DiffSort, Which, name, points};
use crate::analysis::diff::normalise::{DiffRelated, Normalise, Related};
use crate::analysis::diff::settings;
use crate::analysis::diff::story::{DiffStory, Figure, Story};
use crate::analysis::diff::{Compared, State, metrics, tables};
use crate::format;
use crate::model::{FactKind, Unit};
use crate::query::Pair;
use crate::state::Item;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, small, space, strong};
use crate::ui::widgets::pill;
use crate::views::parts::{BarRow, card, remark, weak, wrapped};
use crate::views::shared::figures::{TwoFigure, signed_figures};
use crate::views::shared::pair::{self, Asked, Told};
use crate::views::{OneOfBaselines, View, ViewCx};

/// Figures that stand against each of several baselines.
const FIGURES: usize = 4;
/// Settings that are listed.
const SETTINGS: usize = 12;

/// The view.
#[derive(Default)]
pub struct DiffSummary {}

impl View for DiffSummary {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some(pair) = cx.subject.pair().cloned() else { return };
        let asked = Asked::of(cx, &pair);
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = space::MEDIUM;
            let asked = match &asked {
                Ok(asked) => asked,
                Err(why) => {
                    names(cx, ui);
                    weak(ui, why);
                    super::optimisations::compared(cx, ui);
                    return;
                }
            };
            let question = DiffStory { functions: asked.functions.clone(), prices: cx.prices.clone() };
            let Some(story) = cx.ask_pair(&question, 0).content(ui, "Comparing the runs") else { return };
            words(ui, &story);
            names(cx, ui);
            copies(ui, &pair);
            let query = DiffRelated { functions: asked.functions.clone(), to: asked.normalise(cx) };
            let related = cx.ask_pair(&query, 1).beside();
            // Runs that are requests alone have no costs of functions to relate.
            if !story.functions.rows.is_empty() {
                pair::normalise_line(cx, ui, asked, related.as_deref());
            }
            card(ui, "", |ui| {
                let related = related.as_deref().and_then(|related| related.as_ref().ok());
                let sum = related.and_then(|related| related_sum(related, asked, &story));
                let figures = story.figures.iter().map(|f| (told(f), f.signs));
                signed_figures(ui, figures.chain(sum.map(|sum| (sum, ["", ""]))));
            });
            against_each(cx, ui, &pair, asked);
            settings(ui, &pair, &story);
            results(ui, &story);
            movers(cx, ui, &pair, asked);
            requests(ui, &story);
            heap(cx, ui, &pair, &story);
            findings(ui, &story);
            super::optimisations::compared(cx, ui);
            if !story.functions.rows.is_empty() {
                matched(ui, &pair, &story);
            }
        });
    }
}

fn told(f: &Figure) -> TwoFigure<'_> {
    TwoFigure { name: &f.name, unit: f.unit, values: f.values, about: "" }
}

/// The sentences.
fn words(ui: &mut Ui, story: &Story) {
    let palette = Palette::of(ui);
    ui.add(wrapped(&story.words.headline, |text| text.font(strong(15.0)).color(palette.text_strong)));
    if !story.words.certainty.is_empty() {
        weak(ui, &story.words.certainty);
    }
    if !story.words.caution.is_empty() {
        ui.horizontal_top(|ui| {
            Icon::Warning.show(ui, 13.0, Tone::Warning);
            weak(ui, &story.words.caution);
        });
    }
}

/// Which run is which.
fn names(cx: &ViewCx<'_>, ui: &mut Ui) {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for base in [true, false] {
            let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 18.0), egui::Sense::hover());
            pair::name_line(ui, rect, cx.names[usize::from(!base)], base);
        }
    });
}

/// Says which runs may be no measurements of their own.
fn copies(ui: &mut Ui, pair: &Pair) {
    for (n, base) in pair.alike.into_iter().zip([true, false]).filter(|(n, _)| *n > 0) {
        let files = format::counted(n as i64, "file holds", "files hold");
        let side = pair::title(base);
        weak(
            ui,
            &format!("{side}: {files} the same bytes as another one: a copy, or counts that never vary."),
        );
    }
    for (n, base) in pair.copies.into_iter().zip([true, false]).filter(|(n, _)| *n > 0) {
        let files = format::counted(n as i64, "file is a copy", "files are copies");
        weak(
            ui,
            &format!("{}: {files} of another one of its side and not counted again.", pair::title(base)),
        );
    }
}

/// Figures of the shown run against each of several baselines.
fn against_each(cx: &ViewCx<'_>, ui: &mut Ui, pair: &Pair, asked: &Asked) {
    if cx.baselines.is_empty() {
        return;
    }
    card(ui, "Against each baseline", |ui| {
        let palette = Palette::of(ui);
        let rows: Vec<(&OneOfBaselines, Option<Arc<Story>>)> = (0u64..)
            .zip(cx.baselines)
            .map(|(place, one)| {
                let with = Pair {
                    alignment: pair.alignment.clone(),
                    ..Pair::of(one.run.clone(), pair.head.clone())
                };
                let metric = metrics::shown(cx.interaction.metric, &one.run.profile, &pair.head.profile);
                let story = metric.ok().and_then(|metric| {
                    let functions = DiffFunctions { metric, ..asked.functions.clone() };
                    let question = DiffStory { functions, prices: cx.prices.clone() };
                    cx.ask_of(&with, &question, 16 + place).beside()
                });
                (one, story)
            })
            .collect();
        let first = rows.iter().find_map(|(_, story)| story.as_ref());
        let names: Vec<&str> =
            first.map(|s| s.figures.iter().map(|f| &*f.name).take(FIGURES).collect()).unwrap_or_default();
        let text = |ui: &mut Ui, text: String, color| {
            ui.add(Label::new(RichText::new(text).color(color)).extend());
        };
        ScrollArea::horizontal().id_salt("against").auto_shrink([false, true]).show(ui, |ui| {
            let grid = Grid::new("against").striped(true).spacing(vec2(space::LARGE * 1.5, space::SMALL));
            grid.show(ui, |ui| {
                text(ui, "Baseline".into(), palette.text_weak);
                names.iter().for_each(|name| text(ui, (*name).to_owned(), palette.text_weak));
                ui.end_row();
                for (one, story) in &rows {
                    ui.horizontal(|ui| {
                        let (rect, _) = ui.allocate_exact_size(vec2(10.0, 14.0), egui::Sense::hover());
                        ui.painter().circle_filled(rect.center(), 4.0, palette.series(one.color.into()));
                        text(ui, one.name.clone(), palette.text);
                    });
                    for name in &names {
                        let figure = story.as_ref().and_then(|s| s.figures.iter().find(|f| f.name == *name));
                        let cell = figure.map_or_else(
                            || format::UNKNOWN.to_owned(),
                            |f| {
                                let change =
                                    f.values.relative().map(|r| format!(" ({})", format::percent_change(r)));
                                let value = |v: Option<i64>, sign: &str| {
                                    let sign = if v.is_some() { sign } else { "" };
                                    format!("{sign}{}", format::cost_or_unknown(f.unit, v))
                                };
                                let base = value(f.values.base, f.signs[0]);
                                let head = value(f.values.head, f.signs[1]);
                                format!("{base} → {head}{}", change.unwrap_or_default())
                            },
                        );
                        text(ui, cell, palette.text);
                    }
                    ui.end_row();
                }
            });
        });
    });
}

fn settings(ui: &mut Ui, pair: &Pair, story: &Story) {
    if story.settings.is_empty() {
        let says = [&pair.base, &pair.head].map(|run| settings::states_any(&run.profile));
        remark(
            ui,
            match says {
                [true, true] => "Both runs state the same settings, machine and input.",
                [false, false] => "Neither run states its settings, its machine or its input.",
                _ => {
                    "Only one of the runs states its settings, machine or input: what else differs is not known."
                }
            },
        );
        return;
    }
    card(ui, "What else differs", |ui| {
        let palette = Palette::of(ui);
        let causes =
            story.settings.iter().filter(|s| s.kind != FactKind::Result && s.note.is_empty()).count();
        if causes > 1 {
            weak(ui, "More than one thing changed: a difference has no single cause.");
        }
        for s in story.settings.iter().take(SETTINGS) {
            let value = |v: &Option<String>| v.clone().unwrap_or_else(|| format::UNKNOWN.into());
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing.x = 6.0;
                ui.label(RichText::new(&s.what).color(palette.text_weak));
                ui.label(RichText::new(value(&s.values.base)).color(palette.text));
                ui.label(RichText::new("→").color(palette.text_weak));
                ui.label(RichText::new(value(&s.values.head)).color(palette.text_strong));
                if !s.note.is_empty() {
                    ui.label(RichText::new(format!("({})", s.note)).font(small()).color(palette.text_weak));
                }
            });
        }
        let more = story.settings.len().saturating_sub(SETTINGS);
        if more > 0 {
            weak(ui, &format!("and {} more", format::count(more as i64)));
        }
    });
}

/// What all costs come to as they are related; `None` where they are as recorded.
fn related_sum<'a>(related: &Related, asked: &Asked, story: &Story) -> Option<TwoFigure<'a>> {
    if matches!(related.to, Normalise::Nothing | Normalise::Call) || asked.shares_only() {
        return None;
    }
    let sum = related.factors.apply(story.functions.sum);
    let values = sum.map(|cost| cost.round() as i64);
    let name = match related.to {
        Normalise::Second => "Total self/s",
        Normalise::Request => "Total self/request",
        Normalise::Token => "Total self/token",
        _ => "Total self, same total",
    };
    Some(TwoFigure { name, unit: asked.unit(false), values, about: "" })
}

/// Functions that each list names.
const MOVERS: usize = 6;

/// What takes more and what takes less, with bars of one scale.
fn movers(cx: &mut ViewCx<'_>, ui: &mut Ui, pair: &Pair, asked: &Asked) {
    let list = |which, place| {
        let query = DiffList {
            functions: asked.functions.clone(),
            to: asked.normalise(cx),
            which,
            sort: DiffSort::default(),
            search: String::new(),
        };
        cx.ask_pair(&query, place).beside()
    };
    let lists = [("Takes more", list(Which::More, 2)), ("Takes less", list(Which::Less, 3))];
    let size = |list: &DiffOrder, &i: &u32| match asked.shares_only() {
        true => points(list.diff.rows[i as usize].own(), list.diff.whole.own).unwrap_or(0.0),
        false => list.related.own(&list.diff.rows[i as usize]).change().unwrap_or(0.0),
    };
    let first = |list: &Arc<DiffOrder>| list.order.first().map_or(0.0, |row| size(list, row).abs());
    let most = lists.iter().filter_map(|(_, list)| list.as_ref()).map(first).fold(0.0, f64::max);
    for (title, list) in lists {
        if let Some(list) = list.filter(|list| !list.order.is_empty()) {
            functions(cx, ui, (pair, asked, &list), title, most);
        }
    }
}

fn functions(
    cx: &mut ViewCx<'_>,
    ui: &mut Ui,
    (pair, asked, list): (&Pair, &Asked, &DiffOrder),
    title: &str,
    most: f64,
) {
    let told = Told { asked, related: &list.related, whole: list.diff.whole };
    let per_call = list.related.to == Normalise::Call;
    card(ui, title, |ui| {
        for &i in list.order.iter().take(MOVERS) {
            let row = &list.diff.rows[i as usize];
            let change = list.related.own(row).change().unwrap_or(0.0);
            let (value, share) = match asked.shares_only() {
                true => {
                    let share = points(row.own(), list.diff.whole.own);
                    (pair::points(share), share.unwrap_or(0.0))
                }
                false => (pair::signed(asked.unit(false), Some(change)) + list.related.to.per(), change),
            };
            let note = match row.state() {
                State::Both if asked.shares_only() => String::new(),
                State::Both => {
                    let relative = list.related.own(row).relative_change();
                    relative.map(format::percent_change).unwrap_or_default()
                }
                other => other.key().to_owned(),
            };
            let name = pair::row_name(pair, row);
            let item = row.symbol().map(Item::Function);
            let bar = BarRow {
                note: &note,
                share: Some(if most > 0.0 { share.abs() / most } else { 0.0 }),
                selected: item.as_ref().is_some_and(|i| cx.interaction.selection.as_ref() == Some(i)),
                lit: item.as_ref().is_some_and(|i| cx.hover == Some(i)),
                ..BarRow::new(&name, &value)
            };
            let mut response = bar.show(ui);
            if list.related.to != Normalise::Nothing && !asked.shares_only() {
                response = response.on_hover_text(format!("Recorded: {}", told.recorded(row.own())));
            }
            if let Some(item) = item {
                cx.interact(&response, &item);
            }
        }
        let more = list.order.len().saturating_sub(MOVERS);
        if more > 0 {
            let count = format::count(more as i64);
            let rest = list.order.iter().skip(MOVERS);
            let rest: f64 =
                rest.filter_map(|&i| list.related.own(&list.diff.rows[i as usize]).change()).sum();
            let text = match asked.shares_only() || per_call {
                true => format!("{count} more"),
                false => {
                    let rest = pair::signed(asked.unit(false), Some(rest));
                    format!("{count} more, together {rest}{}", list.related.to.per())
                }
            };
            remark(ui, &text);
        }
    });
}

fn requests(ui: &mut Ui, story: &Story) {
    let Some(requests) = &story.requests else { return };
    card(ui, "Requests, one by one", |ui| {
        weak(ui, &format!("TTFT: {}", requests.ttft.words()));
        weak(ui, &format!("Latency: {}", requests.latency.words()));
        let like = requests.ttft_like_for_like;
        if let (Some(b), Some(h)) = (like.base, like.head) {
            let t = |v: f64| format::duration(v.round() as i64);
            weak(
                ui,
                &format!(
                    "TTFT of those in both: p50 {} → {}, p95 {} → {}",
                    t(b.p50),
                    t(h.p50),
                    t(b.p95),
                    t(h.p95)
                ),
            );
        }
        if let (Some(b), Some(h)) = (requests.cost_like_for_like.base, requests.cost_like_for_like.head) {
            let of = format::counted(requests.priced_like_for_like as i64, "pair", "pairs");
            weak(ui, &format!("Cost like for like, {of}: {} → {}", format::money(b), format::money(h)));
        }
    });
}

/// Tables of results, such as those of a model's weight formats.
fn results(ui: &mut Ui, story: &Story) {
    for (i, table) in story.results.iter().enumerate() {
        card(ui, &table.title, |ui| {
            let palette = Palette::of(ui);
            let text = |ui: &mut Ui, text: &str, color| {
                ui.add(Label::new(RichText::new(text).color(color)).extend());
            };
            ScrollArea::horizontal().id_salt(("results", i)).auto_shrink([false, true]).show(ui, |ui| {
                let grid = Grid::new(("results", i)).striped(true);
                grid.spacing(vec2(space::LARGE * 2.0, space::SMALL)).show(ui, |ui| {
                    table.columns.iter().for_each(|column| text(ui, column, palette.text_weak));
                    ui.end_row();
                    for (name, cells) in &table.rows {
                        text(ui, name, palette.text);
                        for cell in cells {
                            let changed = cell.base != cell.head;
                            let color = if changed { palette.text_strong } else { palette.text_weak };
                            text(ui, &tables::words(cell), color);
                        }
                        ui.end_row();
                    }
                });
            });
        });
    }
}

/// Paths of the heap that are named.
const HOLDERS: usize = 6;

/// Who held the heap at its peak.
fn heap(cx: &mut ViewCx<'_>, ui: &mut Ui, pair: &Pair, story: &Story) {
    let Some(heap) = &*story.heap else { return };
    card(ui, "Heap at its peak", |ui| {
        let side = |bytes: Option<i64>, time: Option<i64>| {
            format!("{} after {}", format::bytes(bytes.unwrap_or(0)), format::duration(time.unwrap_or(0)))
        };
        let (bytes, time) = (heap.bytes, heap.time);
        weak(ui, &format!("{} → {}", side(bytes.base, time.base), side(bytes.head, time.head)));
        let delta = |n: u32| heap.held(n).delta().unwrap_or(0);
        let changed: Vec<u32> = heap.holders.iter().copied().filter(|&n| delta(n) != 0).collect();
        if changed.is_empty() {
            remark(ui, "The same call paths held the same.");
        }
        let most = changed.iter().map(|&n| delta(n).unsigned_abs()).max().unwrap_or(1).max(1);
        for &node in changed.iter().take(HOLDERS) {
            let name = format::escaped(&heap.name(node, &pair.base.profile, &pair.head.profile)).into_owned();
            let value = format::signed_cost(Unit::Bytes, delta(node));
            let held = heap.held(node);
            let known = |bytes: Option<i64>| bytes.map_or_else(|| format::UNKNOWN.to_owned(), format::bytes);
            let note = format!("{} → {}", known(held.base), known(held.head));
            let item = pair::path_item(pair, &heap.paths, node);
            let bar = BarRow {
                note: &note,
                share: Some(delta(node).unsigned_abs() as f64 / most as f64),
                selected: item.as_ref().is_some_and(|i| cx.interaction.selection.as_ref() == Some(i)),
                lit: item.as_ref().is_some_and(|i| cx.hover == Some(i)),
                ..BarRow::new(&name, &value)
            };
            let response = bar.show(ui);
            if let Some(item) = item {
                cx.interact(&response, &item);
            }
        }
    });
}

fn findings(ui: &mut Ui, story: &Story) {
    if story.findings.is_empty() {
        return;
    }
    card(ui, "Findings", |ui| {
        for f in &story.findings {
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing.x = 6.0;
                let state = f.state();
                let tone = if matches!(state, "fixed" | "fewer") { Tone::Good } else { tone(f.severity) };
                pill(ui, if state == "same" { Tone::Neutral } else { tone }, state);
                ui.label(&f.kind);
                let count = |n: Option<usize>| format::count(n.unwrap_or(0) as i64);
                weak(ui, &format!("{} → {}", count(f.count.base), count(f.count.head)));
            });
        }
    });
}

fn matched(ui: &mut Ui, pair: &Pair, story: &Story) {
    let m = story.functions.matched;
    let mut text = format!(
        "{} matched: {} of base, {} of head.",
        format::counted(m.rows as i64, "function", "functions"),
        format::percent(m.share_base),
        format::percent(m.share_head)
    );
    let alone: Vec<String> = story
        .alone
        .first
        .iter()
        .map(|&i| &story.functions.rows[i as usize])
        .map(|r| format!("{} ({})", name(r, &pair.base.profile, &pair.head.profile), r.state().key()))
        .collect();
    if !alone.is_empty() {
        text += &format!(" Largest without a partner: {}.", alone.join(", "));
    }
    remark(ui, &text);
}
