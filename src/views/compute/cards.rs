//! What limits the model, as cards.

use egui::{RichText, Ui};
use egui_plot::{HoverPosition, MarkerShape, Points};

use crate::analysis::compute::{Explained, Given, Known, Peak, Work};
use crate::analysis::definitions as say;
use crate::analysis::step_memory::StepMemory;
use crate::format::{self, UNKNOWN};
use crate::model::Unit;
use crate::ui::theme::{Palette, space};
use crate::ui::widgets::KeyValues;
use crate::views::parts::{card, remark, weak};
use crate::views::shared::{bars, plot};

/// A card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Card {
    Limits,
    Roofline,
    Memory,
    Given,
}

/// Those that have something to say.
pub(super) fn wanted(memory: &[StepMemory]) -> Vec<Card> {
    let all = [Card::Limits, Card::Roofline, Card::Memory, Card::Given];
    all.into_iter().filter(|card| *card != Card::Memory || !memory.is_empty()).collect()
}

/// Steps that are listed.
const STEPS: usize = 10;

/// Width of the names.
const NAMES: f32 = 128.0;
/// Height of the roofline.
const HEIGHT: f32 = 210.0;

pub(super) fn show(
    which: Card,
    ui: &mut Ui,
    (found, memory): (&Explained, &[StepMemory]),
    fields: impl FnOnce(&mut Ui),
) {
    let title = match which {
        Card::Limits => "What limits it",
        Card::Roofline => "Roofline",
        Card::Memory => "Memory by step",
        Card::Given => "Model and device",
    };
    card(ui, title, |ui| match which {
        Card::Limits => limits(ui, found),
        Card::Roofline => roofline(ui, found),
        Card::Memory => memory_by_step(ui, memory),
        Card::Given => fields(ui),
    });
}

/// How much memory each step of the loop held at most, and what it left behind.
fn memory_by_step(ui: &mut Ui, all: &[StepMemory]) {
    let palette = Palette::of(ui);
    let bytes = |n: f64| format::bytes(n.round() as i64);
    for of in all {
        let [least, median, most] = of.spread();
        let text = format!(
            "{}: {} of {}, at most {} to {}, median {}",
            of.name,
            format::counted(of.rounds.len() as i64, "step", "steps"),
            of.steps,
            bytes(least),
            bytes(most),
            bytes(median)
        );
        weak(ui, &text);
        for (i, step) in of.rounds.iter().take(STEPS).enumerate() {
            let color = palette.series(0);
            let segment = [bars::Segment { name: "at most", size: step.peak, color, hatched: false }];
            let change = match step.change {
                Some(change) if change != 0.0 => {
                    format!(" ({})", format::signed_cost(Unit::Bytes, change.round() as i64))
                }
                _ => String::new(),
            };
            let (name, value) = (format!("step {}", i + 1), format!("{}{change}", bytes(step.peak)));
            let tip = "Most that was held during the step, and in brackets what it left behind";
            bars::StackedRow {
                tip,
                value_width: 150.0,
                ..bars::StackedRow::new(&name, &value, &segment, most)
            }
            .show(ui);
        }
        if of.rounds.len() > STEPS {
            weak(ui, &format!("{} more", format::count((of.rounds.len() - STEPS) as i64)));
        }
        ui.add_space(space::SMALL);
    }
}

/// A figure, or «–» and why.
fn text<T>(known: Known<T>, write: impl FnOnce(T) -> String) -> String {
    known.map_or_else(|why| format!("{UNKNOWN} {why}"), write)
}

fn time(ns: f64) -> String {
    format::duration(ns.round() as i64)
}

fn limits(ui: &mut Ui, found: &Explained) {
    let stored = found.bytes_per_parameter.map(|b| (b, crate::analysis::compute::stored_as(b)));
    let count = |n: u64| format::count(n as i64);
    let bytes = |n: u64| format::bytes(n as i64);
    let mut grid = KeyValues::new(ui, NAMES);
    grid.row(
        "Stored as",
        &text(stored, |(bytes, name)| format!("{name}: {} bytes per parameter", format::number(bytes))),
    );
    grid.row("KV cache of a token", &text(found.kv_per_token, bytes));
    if found.kv_most.is_ok() || found.work.len() > 1 {
        grid.row("Largest KV cache", &text(found.kv_most, bytes));
    }
    grid.row(
        "Device busy",
        &text(found.busy, |(busy, whole)| {
            let share = format::percent(busy as f64 / whole.max(1) as f64);
            format!("{share}: {} of {}", format::duration(busy), format::duration(whole))
        }),
    );
    if found.passes.is_ok() || found.products_per_pass.is_ok() {
        grid.row(
            "Passes",
            &text(found.passes, |n| match found.products_per_pass {
                Ok(each) => match found.given.layers {
                    Some(layers) => {
                        format!("{} × {} layers, {} products each", count(n), count(layers), count(each))
                    }
                    None => format!("{} × {} products", count(n), count(each)),
                },
                Err(_) => count(n),
            }),
        );
    }
    if let Some(upload) = &found.upload {
        let from = if upload.pageable { "pageable memory" } else { "pinned memory" };
        let rate = upload.rate.map_or_else(
            |_| String::new(),
            |r| format!(", {} if they are the weights", format::per_second(r, "B")),
        );
        let copies = format::counted(upload.copies as i64, "copy", "copies");
        grid.row(
            "To the device",
            &format!("{} in {copies} from {from}{rate}", format::duration(upload.time)),
        );
    }
    if found.work.is_empty() {
        ui.add_space(space::SMALL);
        weak(ui, &format!("{UNKNOWN} MFU and MBU: {}.", found.no_work));
    }
    for work in &found.work {
        ui.add_space(space::MEDIUM);
        one(ui, found, work);
    }
}

/// A share of a peak; with one that cannot be, why.
fn share(work: &Work, peak: Peak, given: &Given) -> String {
    let share = work.share(peak, given);
    match work.doubt(peak, given) {
        Some(why) => format!("{} {why}", text(share, format::percent)),
        None => text(share, format::percent),
    }
}

/// One kind of work.
fn one(ui: &mut Ui, found: &Explained, work: &Work) {
    let palette = Palette::of(ui);
    let heading = format!("{}: {}", work.name, work.of);
    ui.label(RichText::new(heading).color(palette.text_strong));
    let given = &found.given;
    let each = if work.tokens > 0.0 { time(work.time / work.tokens) } else { UNKNOWN.to_owned() };
    let mut grid = KeyValues::new(ui, NAMES);
    grid.row("A token", &format!("{each}, of {}", format::count(work.tokens.round() as i64)));
    grid.row("MBU", &share(work, Peak::Bytes, given));
    grid.row("Reads", &text(work.bytes_rate(), |r| format::per_second(r, "B")));
    grid.row("MFU", &share(work, Peak::Operations, given));
    grid.row("Computes", &text(work.flops_rate(), |r| format::per_second(r, "FLOP")));
    grid.row(
        "Limited by",
        &text(work.is_memory_bound(given), |memory| match memory {
            true => "memory: fewer bytes help, fewer operations do not".to_owned(),
            false => "operations".to_owned(),
        }),
    );
    if work.name != "prefill" {
        let floor = work.floor(given).map(|ns| ns / work.tokens.max(1.0));
        grid.row("Least for a token", &text(floor, time));
    }
}

/// Operations per second over operations per byte, both by powers of ten, below what the device can do.
fn roofline(ui: &mut Ui, found: &Explained) {
    let given = &found.given;
    let (Some(bytes), Some(flops)) = (given.peak_bytes, given.peak_flops) else {
        weak(
            ui,
            "What the device can read and compute at most is not known: say it below, or choose a device.",
        );
        return;
    };
    let (bytes, flops) = (bytes as f64, flops as f64);
    let ridge = flops / bytes;
    let dots: Vec<(&str, [f64; 2])> = found
        .work
        .iter()
        .filter_map(|w| Some((w.name, [w.intensity().ok()?, w.flops_rate().ok()?])))
        .filter(|(_, [x, y])| *x > 0.0 && *y > 0.0)
        .collect();
    let least = dots.iter().map(|d| d.1[0]).fold(ridge / 100.0, f64::min) / 3.0;
    let most = dots.iter().map(|d| d.1[0]).fold(ridge * 10.0, f64::max) * 3.0;
    let roof = |x: f64| (x * bytes).min(flops);
    let log = |[x, y]: [f64; 2]| [x.log10(), y.log10()];
    let line = vec![log([least, roof(least)]), log([ridge, flops]), log([most, flops])];
    let palette = Palette::of(ui);
    let shown = plot::plot(ui, "roofline", HEIGHT, [Unit::None, Unit::None])
        .x_grid_spacer(|input| plot::decades(&input))
        .y_grid_spacer(|input| plot::decades(&input))
        .x_axis_formatter(|mark, _| plot::power(mark.value))
        .y_axis_formatter(|mark, _| plot::power(mark.value))
        .label_formatter(|at| match at {
            HoverPosition::NearDataPoint { plot_name, position, .. } => Some(format!(
                "{plot_name}: {} at {} FLOP/byte",
                format::per_second(10f64.powf(position.y), "FLOP"),
                format::number(10f64.powf(position.x))
            )),
            HoverPosition::Elsewhere { .. } => None,
        });
    let colors: Vec<_> = (0..dots.len()).map(|i| palette.series(i + 1)).collect();
    plot::show(ui, shown, "Roofline", |drawn| {
        drawn.line(plot::line("device", line, palette.series(0)).width(2.0));
        for ((name, at), color) in dots.iter().zip(&colors) {
            let dot = Points::new(*name, vec![log(*at)]).radius(5.0).shape(MarkerShape::Circle);
            drawn.points(dot.color(*color));
        }
    });
    let legend = std::iter::once((palette.series(0), "device"));
    bars::legend(ui, legend.chain(dots.iter().zip(&colors).map(|((name, _), color)| (*color, *name))));
    if dots.is_empty() {
        weak(
            ui,
            &format!(
                "No dot: {}.",
                found.work.first().map_or(found.no_work, |w| w.intensity().err().unwrap_or(""))
            ),
        );
    }
    if found.work.iter().any(|w| Peak::ALL.into_iter().any(|p| w.doubt(p, given).is_some())) {
        weak(ui, "A dot above the line cannot be: see beside MBU and MFU what to check.");
    }
    remark(ui, say::ROOFLINE);
}
