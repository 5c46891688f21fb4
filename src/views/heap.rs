//! Who held the heap at its peak: call paths with bars, in the memory view, the details and the summary.

use crate::analysis::heap_peak::{AtHeapPeak, HeapPeak};
use crate::format;
use crate::model::{FunctionId, Profile};
use crate::state::Item;
use crate::views::ViewCx;
use crate::views::parts::{BarRow, remark};
use egui::Ui;
use std::sync::Arc;

/// The heap at its peak, where a recording counted allocations.
pub fn peak(cx: &ViewCx<'_>) -> Option<Arc<Option<HeapPeak>>> {
    crate::analysis::heap_peak::counter(cx.profile())?;
    cx.ask(&AtHeapPeak, 0).beside().filter(|p| p.is_some())
}

/// «… › caller › function».
pub fn short_path(profile: &Profile, path: &[FunctionId]) -> String {
    let skipped = path.len().saturating_sub(2);
    let names: Vec<_> = path[skipped..].iter().map(|&f| profile.function_name(f)).collect();
    format!("{}{}", if skipped > 0 { "… › " } else { "" }, format::escaped(&names.join(" › ")))
}

/// «, 3.1 MiB of it in load › read», or that most was allocated outside of spans.
pub fn held_by(profile: &Profile, peak: &HeapPeak) -> String {
    match peak.holders.first() {
        Some((path, bytes)) if *bytes >= peak.outside => {
            format!(", {} of it in {}", format::bytes(*bytes), short_path(profile, path))
        }
        _ if peak.outside > 0 => format!(", {} of it outside of spans", format::bytes(peak.outside)),
        _ => String::new(),
    }
}

/// Bars of at most `most` paths, then what is left.
pub fn holders(cx: &mut ViewCx<'_>, ui: &mut Ui, peak: &HeapPeak, most: usize) {
    let profile = cx.subject.profile().clone();
    for (path, bytes) in peak.holders.iter().take(most) {
        let item = Item::of_path(path, &profile);
        let (name, value) = (short_path(&profile, path), format::bytes(*bytes));
        let note = format::percent(peak.share(*bytes));
        let mut line = BarRow::new(&name, &value);
        (line.note, line.share) = (&note, Some(peak.share(*bytes)));
        (line.selected, line.lit) = (cx.is_selected(&item), cx.is_hovered(&item));
        let response = line.show(ui);
        cx.interact(&response, &item);
        if path.len() > 2 {
            let names: Vec<_> = path.iter().map(|&f| profile.function_name(f)).collect();
            response.on_hover_text(names.join(" › "));
        }
    }
    let more: i64 = peak.holders.iter().skip(most).map(|h| h.1).sum::<i64>().saturating_add(peak.others);
    let mut rest = Vec::new();
    if more > 0 {
        rest.push(format!("{} held by other paths", format::bytes(more)));
    }
    if peak.outside > 0 {
        rest.push(format!("{} allocated outside of spans", format::bytes(peak.outside)));
    }
    if !rest.is_empty() {
        remark(ui, &format!("{}.", rest.join(", ")));
    }
}
