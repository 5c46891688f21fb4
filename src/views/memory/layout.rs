//! Which charts there are and where they stand.

use crate::model::{CounterId, Profile, Unit};
use crate::views::time::PHASE_BAND;
use egui::{Rect, pos2};

/// Room left of a chart for the labels of its values.
pub const MARGIN: f32 = 62.0;
/// Distance between charts.
const GAP: f32 = 6.0;

/// Counters of one unit, which share a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Unit of the values.
    pub unit: Unit,
    /// The counters, in file order.
    pub counters: Vec<CounterId>,
}

impl Group {
    /// What the chart shows, in a word.
    pub fn title(&self) -> &'static str {
        match self.unit {
            Unit::Bytes => "Memory",
            Unit::MilliPercent => "Utilisation",
            Unit::Count => "Counts",
            Unit::Tokens => "Tokens",
            Unit::Nanoseconds => "Time",
            Unit::NanoDollars => "Cost",
            Unit::None => "Other counters",
        }
    }
}

/// Counters with values, by unit; bytes first.
#[must_use]
pub fn groups(profile: &Profile) -> Vec<Group> {
    let order = [
        Unit::Bytes,
        Unit::MilliPercent,
        Unit::Count,
        Unit::Tokens,
        Unit::Nanoseconds,
        Unit::NanoDollars,
        Unit::None,
    ];
    let of = |unit| {
        let counters = profile.counters.iter().enumerate();
        counters.filter(move |(_, c)| c.unit == unit && !c.times.is_empty())
    };
    order
        .into_iter()
        .map(|unit| Group { unit, counters: of(unit).map(|(i, _)| CounterId::from_index(i)).collect() })
        .filter(|group| !group.counters.is_empty())
        .collect()
}

/// Places of ruler, phase names and charts, top to bottom.
#[derive(Clone, Debug, PartialEq)]
pub struct Places {
    /// Time ruler.
    pub ruler: Rect,
    /// Band of phase names; of no height without phases.
    pub band: Rect,
    /// One per group; the first is the tallest.
    pub charts: Vec<Rect>,
}

/// Arranges `count` charts in `area`.
#[must_use]
pub fn places(area: Rect, count: usize, has_phases: bool) -> Places {
    let (left, right) = ((area.left() + MARGIN).min(area.right() - 1.0), area.right());
    let across = |top: f32, height: f32| Rect::from_min_max(pos2(left, top), pos2(right, top + height));
    let ruler = across(area.top(), crate::ui::theme::space::RULER);
    let band = across(ruler.bottom(), if has_phases { PHASE_BAND } else { 0.0 });
    let room = (area.bottom() - band.bottom() - GAP * count as f32).max(0.0);
    // The first chart weighs as much as two others.
    let each = room / (count as f32 + 1.0);
    let mut top = band.bottom();
    let charts = (0..count)
        .map(|i| {
            let height = if count == 1 {
                room
            } else if i == 0 {
                each * 2.0
            } else {
                each
            };
            let chart = across(top, height);
            top += height + GAP;
            chart
        })
        .collect();
    Places { ruler, band, charts }
}

/// Height of the charts within `height` for all, when the table below has `rows` rows.
#[must_use]
pub fn chart_height(height: f32, rows: usize, charts: usize) -> f32 {
    use crate::ui::theme::space;
    let table = space::HEADER + rows as f32 * space::ROW + space::LARGE;
    let least = 110.0 + 56.0 * charts as f32;
    (height - table).clamp(height * 0.5, height * 0.8).max(least.min(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::vec2;

    #[test]
    fn charts_fill_the_area_without_overlap() {
        let area = Rect::from_min_size(pos2(5.0, 7.0), vec2(900.0, 500.0));
        for (count, phases) in [(1, true), (2, false), (4, true)] {
            let p = places(area, count, phases);
            assert_eq!(p.charts.len(), count);
            assert!(p.charts.windows(2).all(|w| w[0].bottom() < w[1].top()));
            assert!(p.charts.iter().all(|c| area.contains_rect(*c) && c.height() > 50.0));
            assert!(area.bottom() - p.charts.last().unwrap().bottom() < 10.0);
            assert!(p.charts[0].top() >= p.band.bottom());
        }
        let tiny = places(Rect::from_min_size(pos2(0.0, 0.0), vec2(20.0, 10.0)), 3, true);
        assert!(tiny.charts.iter().all(|c| c.width() >= 0.0 && c.height() >= 0.0));
    }

    #[test]
    fn the_table_gets_what_it_needs_but_never_more_than_half() {
        assert_eq!(chart_height(1000.0, 3, 2), 800.0);
        assert_eq!(chart_height(1000.0, 100, 2), 500.0);
        assert!(chart_height(300.0, 100, 2) <= 300.0);
    }
}
