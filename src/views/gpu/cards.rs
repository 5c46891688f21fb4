//! The cards of the view.

use egui::{Color32, RichText, Ui};

use super::Frame;
use crate::analysis::definitions as say;
use crate::analysis::gpu::GpuWork;
use crate::analysis::idle::{Cause, CauseOf, Idle};
use crate::analysis::kernels::{Work, WorkClass, WorkTable};
use crate::analysis::launches::Launches;
use crate::format;
use crate::model::Profile;
use crate::state::{Command, Item};
use crate::ui::theme::{Palette, space, strong};
use crate::views::ViewCx;
use crate::views::parts::{BarRow, card, remark, weak};
use crate::views::percentiles::{self, Statistic};
use crate::views::shared::bars::{self, Segment, StackedRow};

/// A card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Card {
    Devices,
    Idle,
    Classes,
    Kernels,
    Rounds,
    Launches,
}

/// Rows of a list.
const LISTED: usize = 14;
/// Causes that are listed.
const CAUSES: usize = 8;

/// The cards that have something to say.
pub(super) fn wanted(frame: &Frame) -> Vec<Card> {
    let idle = frame.idle.as_deref();
    [
        (Card::Devices, true),
        (Card::Classes, true),
        (Card::Kernels, true),
        (Card::Idle, idle.is_some_and(|i| i.idle > 0)),
        (Card::Launches, frame.launches.as_ref().is_some_and(|l| l.latency.is_some())),
        (Card::Rounds, idle.is_some_and(|i| i.within.is_some())),
    ]
    .into_iter()
    .filter_map(|(card, filled)| filled.then_some(card))
    .collect()
}

pub(super) fn show(which: Card, cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame) {
    let title = match which {
        Card::Devices => "Busy and idle",
        Card::Idle => "Why it has nothing to do",
        Card::Classes => "Classes of work",
        Card::Kernels => "Kernels and copies",
        Card::Launches => "From launch to start",
        Card::Rounds => "Rounds of the loop",
    };
    card(ui, title, |ui| match which {
        Card::Devices => devices(ui, &frame.table.gpus),
        Card::Classes => classes(ui, &frame.table),
        Card::Kernels => kernels(cx, ui, &frame.table),
        Card::Idle => {
            if let Some(idle) = &frame.idle {
                causes(cx, ui, idle);
            }
        }
        Card::Launches => {
            if let Some(launches) = &frame.launches {
                self::launches(cx, ui, launches);
            }
        }
        Card::Rounds => {
            if let Some(idle) = &frame.idle {
                rounds(cx, ui, idle);
            }
        }
    });
}

fn color(palette: &Palette, class: WorkClass) -> Color32 {
    palette.series(WorkClass::ALL.iter().position(|c| *c == class).unwrap_or(0))
}

/// Each GPU: kernels, copies, nothing.
fn devices(ui: &mut Ui, gpus: &[GpuWork]) {
    let palette = Palette::of(ui);
    for gpu in gpus {
        let whole = gpu.busy.busy.saturating_add(gpu.busy.idle).max(1);
        let share = format::percent(gpu.busy.busy as f64 / whole as f64);
        let segments = [
            Segment { name: "busy", size: gpu.busy.busy as f64, color: palette.series(0), hatched: false },
            Segment { name: "idle", size: gpu.busy.idle as f64, color: palette.idle().fill, hatched: false },
        ];
        let mut tip =
            vec![format!("busy {} of {}", format::duration(gpu.busy.busy), format::duration(whole))];
        tip.extend(gpu.kinds.iter().map(|(kind, time)| format!("{kind} {}", format::duration(*time))));
        let tip = tip.join("\n");
        StackedRow { tip: &tip, ..StackedRow::new(&gpu.busy.name, &share, &segments, whole as f64) }.show(ui);
    }
    bars::legend(ui, [(palette.series(0), "busy"), (palette.idle().fill, "idle")]);
    remark(ui, "Busy: at least one stream worked. Of the whole file, or of the chosen range.");
}

/// Sums by class.
fn classes(ui: &mut Ui, table: &WorkTable) {
    let palette = Palette::of(ui);
    let mut all: Vec<(WorkClass, i64, u64)> = WorkClass::ALL
        .into_iter()
        .map(|class| {
            let (time, count) = table.of(class);
            (class, time, count)
        })
        .filter(|c| c.2 > 0)
        .collect();
    all.sort_by_key(|c| std::cmp::Reverse(c.1));
    let whole = table.total.max(1);
    let segments: Vec<Segment<'_>> = all
        .iter()
        .map(|(c, time, _)| Segment {
            name: c.name(),
            size: *time as f64,
            color: color(palette, *c),
            hatched: false,
        })
        .collect();
    bars::strip(ui, &segments, whole as f64, 18.0);
    ui.add_space(space::SMALL);
    for (class, time, count) in all {
        let value = format::duration(time);
        let note =
            format!("{} × · {}", format::count(count as i64), format::percent(time as f64 / whole as f64));
        BarRow { note: &note, swatch: Some(color(palette, class)), ..BarRow::new(class.name(), &value) }
            .show(ui);
    }
    remark(ui, "By names of kernels. Streams that work at the same time count more than once.");
}

/// Work by name: a click selects it everywhere.
fn kernels(cx: &mut ViewCx<'_>, ui: &mut Ui, table: &WorkTable) {
    let palette = Palette::of(ui);
    let profile = cx.subject.profile().clone();
    let most = table.rows.first().map_or(1, |r| r.total).max(1) as f64;
    for row in table.rows.iter().take(LISTED) {
        let name = profile.function_name(row.function);
        let mean = row.total / row.count.max(1) as i64;
        let value = format::duration(row.total);
        let note = format!("{} × {}", format::count(row.count as i64), format::duration(mean));
        let note =
            row.rate().map_or(note.clone(), |rate| format!("{note} · {}", format::per_second(rate, "B")));
        let item = Item::of_function(row.function, &profile);
        let bar = BarRow {
            note: &note,
            share: Some(row.total as f64 / most),
            swatch: Some(color(palette, row.class)),
            selected: cx.is_selected(&item),
            lit: cx.is_hovered(&item),
            ..BarRow::new(name, &value)
        };
        let response = bar.show(ui);
        cx.interact(&response, &item);
        response.on_hover_text(tip(name, row, table));
    }
    if table.rows.len() > LISTED {
        let rest: i64 = table.rows[LISTED..].iter().fold(0, |sum, r| sum.saturating_add(r.total));
        let n = format::count((table.rows.len() - LISTED) as i64);
        weak(ui, &format!("{n} more, together {}", format::duration(rest)));
    }
}

fn tip(name: &str, row: &Work, table: &WorkTable) -> String {
    let copied = match (row.bytes, row.rate()) {
        (Some(bytes), Some(rate)) => {
            format!("\n{} at {}", format::bytes(bytes), format::per_second(rate, "B"))
        }
        _ => String::new(),
    };
    format!(
        "{name}\n{} · {} of all work\nshortest {}, longest {}{copied}",
        row.class.name(),
        format::percent(row.total as f64 / table.total.max(1) as f64),
        format::duration(row.min),
        format::duration(row.max)
    )
}

/// What ran while the GPU had nothing to do.
fn causes(cx: &mut ViewCx<'_>, ui: &mut Ui, idle: &Idle) {
    let palette = Palette::of(ui);
    let share = format::percent(idle.idle as f64 / idle.whole.max(1) as f64);
    let text = format!(
        "Idle {share}: {} in {}",
        format::duration(idle.idle),
        format::counted(idle.count as i64, "gap", "gaps")
    );
    ui.label(RichText::new(text).font(strong(14.0)).color(palette.text_strong));
    ui.add_space(space::SMALL);
    let profile = cx.subject.profile().clone();
    for cause in idle.causes.iter().take(CAUSES) {
        let name = what(&profile, idle, cause);
        let value = format::duration(cause.time);
        let part = cause.time as f64 / idle.idle.max(1) as f64;
        let note = format::percent(part);
        let item = match cause.what {
            CauseOf::Function(f) => Some(Item::of_function(f, &profile)),
            CauseOf::Loop(_) | CauseOf::Nothing => None,
        };
        let bar = BarRow {
            note: &note,
            share: Some(part),
            selected: item.as_ref().is_some_and(|i| cx.is_selected(i)),
            lit: item.as_ref().is_some_and(|i| cx.is_hovered(i)),
            ..BarRow::new(&name, &value)
        };
        let response = bar.show(ui);
        if let Some(item) = item {
            cx.interact(&response, &item);
        }
    }
    if idle.causes.len() > CAUSES {
        let rest: i64 = idle.causes[CAUSES..].iter().fold(0, |sum, c| sum.saturating_add(c.time));
        weak(ui, &format!("{} more, together {}", idle.causes.len() - CAUSES, format::duration(rest)));
    }
    let of = match idle.within {
        Some(i) => format!("the rounds of {}", idle.loops[i].label()),
        None => "the whole file, or the chosen range".to_owned(),
    };
    remark(ui, &format!("Of the busiest GPU in {of}: what ran meanwhile on the track that ran most of it."));
}

/// A cause in words.
fn what(profile: &Profile, idle: &Idle, cause: &Cause) -> String {
    let name = match cause.what {
        CauseOf::Function(f) => profile.function_name(f).to_owned(),
        CauseOf::Loop(i) => format!("{} itself", idle.loops[i].label()),
        CauseOf::Nothing => "nothing that was recorded".to_owned(),
    };
    match cause.track {
        Some(_) if cause.waits => format!("{name} (waits, too)"),
        _ => name,
    }
}

/// From a launch to its work, and the idle time that this explains.
fn launches(cx: &mut ViewCx<'_>, ui: &mut Ui, found: &Launches) {
    let palette = Palette::of(ui);
    let rows = [("all", found.latency, say::LAUNCH), ("free", found.free, say::LAUNCH_FREE)];
    percentiles::table(ui, &rows, &[Statistic::P50, Statistic::P95, Statistic::Max, Statistic::N]);
    let gaps = &found.gaps;
    let parts = [
        ("nothing was launched", gaps.not_launched, palette.phase("queued").fill),
        ("launched, not started", gaps.starting, palette.series(1)),
        ("launched long before", gaps.queued, palette.series(2)),
        ("launch unknown", gaps.unknown, palette.idle().fill),
    ];
    let whole = gaps.sum();
    if whole > 0 {
        ui.add_space(space::SMALL);
        bars::caption(ui, &format!("Idle between first and last work: {}", format::duration(whole)));
        let segments =
            parts.map(|(name, size, color)| Segment { name, size: size as f64, color, hatched: false });
        bars::strip(ui, &segments, whole as f64, 14.0);
        for (name, time, color) in parts.into_iter().filter(|p| p.1 > 0) {
            let (value, note) = (format::duration(time), format::percent(time as f64 / whole as f64));
            BarRow { note: &note, swatch: Some(color), ..BarRow::new(name, &value) }.show(ui);
        }
    }
    ui.add_space(space::SMALL);
    bars::caption(ui, "By name: median from launch to start, and idle time before it");
    let profile = cx.subject.profile().clone();
    let most = found.by_name.first().map_or(1, |r| r.idle).max(1) as f64;
    for row in found.by_name.iter().take(LISTED) {
        let name = profile.function_name(row.function);
        let value = Statistic::P50.text(Some(&row.latency));
        let note = format!("idle {}", format::duration(row.idle));
        let item = Item::of_function(row.function, &profile);
        let bar = BarRow {
            note: &note,
            share: Some(row.idle as f64 / most),
            selected: cx.is_selected(&item),
            lit: cx.is_hovered(&item),
            ..BarRow::new(name, &value)
        };
        let response = ui.push_id(row.function, |ui| bar.show(ui)).inner;
        cx.interact(&response, &item);
        let all = [Statistic::P50, Statistic::P95, Statistic::Max, Statistic::N];
        let all = all.map(|s| format!("{} {}", s.name(), s.text(Some(&row.latency)))).join("  ·  ");
        response.on_hover_text(format!("{name}\n{all}"));
    }
    let unlinked = match found.unlinked + found.early {
        0 => String::new(),
        n => format!(
            " {} without a usable launch.",
            format::counted(n as i64, "piece of work", "pieces of work")
        ),
    };
    remark(ui, &format!("Nothing was launched: the GPU waited for the host.{unlinked}"));
}

/// The rounds of the loop that has most of the run.
fn rounds(cx: &mut ViewCx<'_>, ui: &mut Ui, idle: &Idle) {
    let Some(steps) = idle.within.map(|i| &idle.loops[i]) else { return };
    let (min, middle, max) = steps.spread();
    let text = format!(
        "{}: {} rounds, {} in all; shortest {}, median {}, longest {}",
        steps.label(),
        format::count(steps.rounds.len() as i64),
        format::duration(steps.total()),
        format::duration(min),
        format::duration(middle),
        format::duration(max)
    );
    weak(ui, &text);
    ui.add_space(space::SMALL);
    for (i, round) in steps.rounds.iter().enumerate().take(LISTED) {
        let value = format::duration(round.length());
        let name = cx.profile().function_name(round.function).to_owned();
        let bar =
            BarRow { share: Some(round.length() as f64 / max.max(1) as f64), ..BarRow::new(&name, &value) };
        let response = ui.push_id(i, |ui| bar.show(ui)).inner;
        if response.on_hover_text("Show only this round").clicked() {
            cx.send(Command::SetRange(Some((round.start, round.end))));
        }
    }
    if steps.rounds.len() > LISTED {
        weak(ui, &format!("{} more", format::count((steps.rounds.len() - LISTED) as i64)));
    }
}
