//! Where boxes stand on screen: pure, and bounded by pixels however many boxes there are.
//!
//! Boxes of three pixels or more become quads. Narrower ones become texels: one cell per pixel column and
//! row of a picture, in which the longest box of a column shows. Edges are rounded to pixels against the
//! start of the chart, not of the viewport, so that nothing shimmers while the chart is moved.

use super::GroupName;
use std::collections::HashSet;

use crate::analysis::flame_rows::{BoxAt, FlameRows, Level, Who, Window};

/// Boxes narrower than this many pixels are texels.
const NARROW: i64 = 3;
/// Boxes within one pixel column that are looked at one by one; the rest is skipped.
const CROWD: u32 = 16;
/// A label needs this much room, in points.
pub const LABEL: f32 = 24.0;

/// Sizes in points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// Distance of rows.
    pub row: f32,
    /// Height of the header of a group.
    pub header: f32,
    /// Between a group and the next header.
    pub gap: f32,
}

/// The part of the chart that is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Port {
    /// Left end, in units since the chart's start.
    pub t0: f64,
    /// Right end.
    pub t1: f64,
    /// Points of the stacking above the upper edge.
    pub scroll: f64,
    /// Width in points.
    pub width: f32,
    /// Height in points.
    pub height: f32,
    /// Pixels per point.
    pub ppp: f32,
}

impl Port {
    /// Pixels per unit.
    fn scale(&self) -> f64 {
        f64::from(self.width * self.ppp) / (self.t1 - self.t0).max(f64::MIN_POSITIVE)
    }

    /// Units in a point.
    #[must_use]
    pub fn units_per_point(&self) -> f64 {
        (self.t1 - self.t0) / f64::from(self.width.max(1.0))
    }

    /// Position of `t` (units since the chart's start) in points from the left edge.
    #[must_use]
    pub fn x_of(&self, t: f64) -> f64 {
        (t - self.t0) / self.units_per_point()
    }

    /// Units since the chart's start at `x` points from the left edge.
    #[must_use]
    pub fn t_at(&self, x: f32) -> f64 {
        self.t0 + f64::from(x) * self.units_per_point()
    }
}

/// What a strip of the chart is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strip {
    /// The header of a group.
    Header(u32),
    /// A row of boxes.
    Row(u32),
}

/// Groups on top of each other: headers and, unless folded, their rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stacking {
    metrics: Option<Metrics>,
    groups: Vec<Placed>,
    /// Height of everything, in points.
    pub height: f64,
}

#[derive(Clone, Debug, PartialEq)]
struct Placed {
    group: u32,
    /// Upper edge of the header, or of the first row without one.
    y: f64,
    header: bool,
    rows: std::ops::Range<u32>,
}

impl Stacking {
    /// Stacks the groups of `rows`. Groups in `folded` show their header only.
    #[must_use]
    pub fn new(rows: &FlameRows, metrics: Metrics, headers: bool, folded: &HashSet<GroupName>) -> Self {
        let mut y = 0.0;
        let mut groups = Vec::with_capacity(rows.groups.len());
        for (i, group) in rows.groups.iter().enumerate() {
            let shown = if headers && folded.contains(&GroupName::of(group.of, rows.profile())) {
                group.rows.start..group.rows.start
            } else {
                group.rows.clone()
            };
            let height = f64::from(metrics.row) * shown.len() as f64;
            groups.push(Placed { group: i as u32, y, header: headers, rows: shown });
            y += height + if headers { f64::from(metrics.header + metrics.gap) } else { 0.0 };
        }
        Self { metrics: Some(metrics), groups, height: y }
    }

    /// The strips that touch a window of `height` points from `scroll` on, top to bottom, with the
    /// distance of their upper edge from the window's.
    pub fn visible(&self, scroll: f64, height: f32) -> impl Iterator<Item = (Strip, f32)> + '_ {
        let metrics = self.metrics.unwrap_or(Metrics { row: 1.0, header: 0.0, gap: 0.0 });
        let (row_height, end) = (f64::from(metrics.row), scroll + f64::from(height));
        let first = self.groups.partition_point(|g| g.y <= scroll).saturating_sub(1);
        self.groups[first.min(self.groups.len())..].iter().take_while(move |g| g.y < end).flat_map(move |g| {
            let header_height = if g.header { f64::from(metrics.header) } else { 0.0 };
            let header = (g.header && g.y + header_height > scroll)
                .then_some((Strip::Header(g.group), (g.y - scroll) as f32));
            let top = g.y + header_height;
            let skipped = ((scroll - top) / row_height).floor().clamp(0.0, g.rows.len() as f64);
            let shown = ((end - top) / row_height).ceil().clamp(0.0, g.rows.len() as f64);
            let rows = (skipped as u32..shown as u32).map(move |i| {
                (Strip::Row(g.rows.start + i), (top + f64::from(i) * row_height - scroll) as f32)
            });
            header.into_iter().chain(rows)
        })
    }

    /// Upper edge of a row; `None` when its group is folded.
    #[must_use]
    pub fn y_of(&self, row: u32) -> Option<f64> {
        let metrics = self.metrics?;
        let placed = self.groups.iter().find(|g| g.rows.contains(&row))?;
        let header = if placed.header { metrics.header } else { 0.0 };
        Some(placed.y + f64::from(header) + f64::from(row - placed.rows.start) * f64::from(metrics.row))
    }

    /// True when groups have headers.
    #[must_use]
    pub fn has_headers(&self) -> bool {
        self.groups.first().is_some_and(|g| g.header)
    }
}

/// A box on screen. Positions in points from the upper left corner of the chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quad {
    /// Left edge; a box that begins before the chart is cut a little outside of it.
    pub x0: f32,
    /// Right edge, the gap to the next box included.
    pub x1: f32,
    /// Upper edge.
    pub y: f32,
    /// Height of the row, the gap to the next one included.
    pub height: f32,
    /// What it shows.
    pub who: Who,
    /// Which box.
    pub at: BoxAt,
}

/// Boxes that are too narrow for quads: cells of pixel columns × rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texels {
    /// Pixel columns.
    pub columns: usize,
    /// Upper edges of the rows that have cells, in points.
    pub rows: Vec<f32>,
    /// Height of a row, the gap to the next one included.
    pub height: f32,
    /// Row by row; `None` where nothing is.
    pub cells: Vec<Option<Who>>,
}

/// The chart on screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// Wide boxes, row by row.
    pub quads: Vec<Quad>,
    /// Narrow boxes.
    pub texels: Texels,
    /// Headers and rows with their upper edges, top to bottom: what is where.
    pub strips: Vec<(Strip, f32)>,
    /// How many boxes are narrow.
    pub narrow: u64,
}

/// What the pointer is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The box; where several share a pixel, the longest.
    pub at: BoxAt,
    /// How many share the pixel; 1 for a box that is wide enough to see.
    pub folded: u32,
}

/// Lays out what is seen.
#[must_use]
pub fn layout(rows: &FlameRows, stacking: &Stacking, port: &Port) -> Layout {
    let mut out =
        Layout { strips: stacking.visible(port.scroll, port.height).collect(), ..Layout::default() };
    out.texels.columns = (port.width * port.ppp).ceil().max(1.0) as usize;
    let height = stacking.metrics.map_or(1.0, |m| m.row);
    let mut painter = RowLayout::new(rows, port, out.texels.columns, height);
    for &(strip, y) in &out.strips {
        if let Strip::Row(row) = strip {
            out.narrow += painter.row(row, y, &mut out.quads, &mut out.texels);
        }
    }
    out
}

/// A row at a time, with what is the same for all rows.
pub struct RowLayout<'a> {
    /// Height of a row in points.
    height: f32,
    rows: &'a FlameRows,
    /// Pixels per unit.
    scale: f64,
    /// The viewport's left edge in pixels since the chart's start, rounded.
    left: f64,
    /// First and last unit that can be seen.
    seen: (i64, i64),
    /// The viewport's ends, in units of the axis.
    within: (f64, f64),
    columns: i64,
    ppp: f32,
    /// For each column the longest box so far.
    longest: Vec<i64>,
    window: Window,
}

impl<'a> RowLayout<'a> {
    /// For rows of `height` points on a chart of `columns` pixels.
    #[must_use]
    pub fn new(rows: &'a FlameRows, port: &Port, columns: usize, height: f32) -> Self {
        let scale = port.scale();
        let from = rows.start.saturating_add(port.t0.floor() as i64);
        let to = rows.start.saturating_add(port.t1.ceil() as i64);
        // Rounding may bring in what ends less than a pixel outside.
        let pixel = (1.0 / scale).ceil() as i64 + 1;
        let seen = (from.saturating_sub(pixel), to.saturating_add(pixel));
        Self {
            height,
            rows,
            scale,
            left: (port.t0 * scale).round(),
            seen,
            within: (rows.start as f64 + port.t0, rows.start as f64 + port.t1),
            columns: columns as i64,
            ppp: port.ppp,
            longest: vec![-1; columns],
            window: Window::new(rows, seen, 1.0 / scale),
        }
    }

    /// Pixel column of `t`.
    fn column(&self, t: i64) -> i64 {
        // Truncation is one instruction where rounding is a call; the shift keeps what is near the left
        // edge above zero.
        const SHIFT: i64 = 1 << 20;
        let x = t.saturating_sub(self.rows.start) as f64 * self.scale - self.left;
        ((x + 0.5 + SHIFT as f64) as i64).saturating_sub(SHIFT)
    }

    /// The first unit of the column after `column`.
    fn after(&self, column: i64) -> i64 {
        let units = (self.left + column as f64 + 0.5) / self.scale;
        self.rows.start.saturating_add(units.ceil() as i64)
    }

    /// The next box worth a look when `column` holds many: the last one that starts in it, which may be
    /// long, or the first of the next column.
    fn skip(&self, level: &Level<'_>, from: usize, column: i64) -> usize {
        if from >= level.len() || level.start(from) >= self.after(column) {
            return from;
        }
        let next = gallop(level, from, self.after(column));
        if self.column(level.get(next - 1).end) > column { next - 1 } else { next }
    }

    /// Adds the boxes of a row whose upper edge is at `y`; the number of its narrow boxes.
    pub fn row(&mut self, row: u32, y: f32, quads: &mut Vec<Quad>, texels: &mut Texels) -> u64 {
        let (rows, mut window) = (self.rows, std::mem::take(&mut self.window));
        let narrow = self.place(row, y, rows.seen(row, &mut window), quads, texels);
        self.window = window;
        narrow
    }

    fn place(
        &mut self,
        row: u32,
        y: f32,
        level: Level<'_>,
        quads: &mut Vec<Quad>,
        texels: &mut Texels,
    ) -> u64 {
        texels.height = self.height;
        let (from, to) = self.seen;
        let cells_at = texels.cells.len();
        let mut i = level.partition(0, |b| b.end < from);
        let wide = quads.len();
        // The last column and how many boxes lay within it alone.
        let mut crowd = (i64::MIN, 0);
        while i < level.len() {
            let b = level.get(i);
            if b.start > to {
                break;
            }
            let (x0, mut x1) = (self.column(b.start), self.column(b.end));
            i += 1;
            crowd = if x1 == x0 && crowd.0 == x0 { (x0, crowd.1 + 1) } else { (x0, 0) };
            if crowd.1 == CROWD {
                i = self.skip(&level, i, x0);
            }
            if x1 - x0 >= NARROW {
                let (x0, x1) = (x0.max(-NARROW), x1.min(self.columns + NARROW));
                let at = BoxAt { row, index: b.first };
                let point = |x: i64| x as f32 / self.ppp;
                quads.push(Quad { x0: point(x0), x1: point(x1), y, height: self.height, who: b.who, at });
                continue;
            }
            x1 = x1.max(x0 + 1).min(self.columns);
            if texels.cells.len() == cells_at {
                texels.cells.resize(cells_at + self.columns as usize, None);
                texels.rows.push(y);
                self.longest.fill(-1);
            }
            for column in x0.max(0)..x1 {
                let longest = &mut self.longest[column as usize];
                let cell = &mut texels.cells[cells_at + column as usize];
                if b.length() > *longest {
                    *longest = b.length();
                    *cell = Some(cell.map_or(b.who, |old| b.who.with_error_of(old)));
                } else if b.who.is_error() {
                    *cell = cell.map(|old| old.with_error_of(b.who));
                }
            }
        }
        if texels.cells.len() == cells_at {
            return 0;
        }
        // A wide box is one box: what is folded is no longer than two pixels.
        let (left, right) = self.within;
        let seen = self.rows.count_touching(row, left, right);
        let edge = self.columns as f32 / self.ppp;
        let wide = quads[wide..].iter().filter(|q| q.x1 > 0.0 && q.x0 < edge).count();
        seen.saturating_sub(wide) as u64
    }
}

/// First box from `from` on that starts at `limit` or later: near ones are found fast.
fn gallop(level: &Level<'_>, from: usize, limit: i64) -> usize {
    let mut step = 1;
    let mut low = from;
    while low + step < level.len() && level.start(low + step) < limit {
        low += step;
        step *= 2;
    }
    let mut high = (low + step).min(level.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if level.start(middle) < limit {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

impl Layout {
    /// The strip at `y` points, and its upper edge.
    #[must_use]
    pub fn strip_at(&self, y: f32) -> Option<(Strip, f32)> {
        let after = self.strips.partition_point(|(_, top)| *top <= y);
        after.checked_sub(1).map(|i| self.strips[i])
    }

    /// Upper edge of a row that is seen.
    #[must_use]
    pub fn y_of(&self, row: u32) -> Option<f32> {
        self.strips.iter().find(|(strip, _)| *strip == Strip::Row(row)).map(|(_, y)| *y)
    }

    /// The box at a position, in points.
    #[must_use]
    pub fn hit(&self, rows: &FlameRows, port: &Port, metrics: Metrics, x: f32, y: f32) -> Option<Hit> {
        let (Strip::Row(row), top) = self.strip_at(y)? else { return None };
        if y >= top + metrics.row {
            return None;
        }
        let unit = |x: f32| rows.start as f64 + port.t_at(x);
        let pixel = 1.0 / port.ppp;
        if let Some(index) = rows.at(row, unit(x)) {
            let at = BoxAt { row, index };
            let wide = rows.get(at).is_some_and(|b| b.length() as f64 * port.scale() >= NARROW as f64);
            if wide {
                return Some(Hit { at, folded: 1 });
            }
        }
        let near = (unit(x - pixel), unit(x + pixel));
        // Among very many the longest of the first ones will do.
        let at = rows.longest_touching(row, near.0, near.1, 4096)?;
        Some(Hit { at, folded: rows.count_touching(row, near.0, near.1) as u32 })
    }

    /// The quad of a box, if it is one.
    #[must_use]
    pub fn quad(&self, at: BoxAt) -> Option<&Quad> {
        self.quads.iter().find(|quad| quad.at == at)
    }

    /// Quads with room for a label, with the part of them that is seen.
    pub fn labelled(&self, width: f32) -> impl Iterator<Item = (&Quad, f32, f32)> {
        self.quads
            .iter()
            .map(move |quad| (quad, quad.x0.max(0.0), quad.x1.min(width)))
            .filter(|(_, x0, x1)| x1 - x0 >= LABEL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::flame_rows::tests::time;
    use crate::analysis::testing::profile;
    use crate::views::boxes::METRICS;

    fn port(t0: f64, t1: f64, width: f32) -> Port {
        Port { t0, t1, scroll: 0.0, width, height: 200.0, ppp: 1.0 }
    }

    fn stack(rows: &FlameRows, headers: bool) -> Stacking {
        Stacking::new(rows, METRICS, headers, &HashSet::new())
    }

    fn show(rows: &FlameRows, layout: &Layout) -> Vec<String> {
        let name = |who: Who| who.label(rows.profile()).to_owned();
        let quads =
            layout.quads.iter().map(|q| format!("{} {}..{} @{}", name(q.who), q.x0, q.x1, q.y)).collect();
        let mut out: Vec<String> = quads;
        for (row, y) in layout.texels.rows.iter().enumerate() {
            let cells = &layout.texels.cells[row * layout.texels.columns..][..layout.texels.columns];
            let text: String = cells.iter().map(|c| c.map_or(".".to_owned(), name)).collect();
            out.push(format!("{text} @{y}"));
        }
        out
    }

    #[test]
    fn boxes_stand_where_their_times_are() {
        let rows = time(&profile("a 0 100; b 10 40; c 50 51; d 60 62"));
        let layout = layout(&rows, &stack(&rows, false), &port(0.0, 100.0, 50.0));
        let texels = format!("{}c....d{} @18", ".".repeat(25), ".".repeat(19));
        assert_eq!(show(&rows, &layout), ["a 0..50 @0", "b 5..20 @18", &texels]);
    }

    #[test]
    fn a_zoomed_chart_is_cut_at_its_edges() {
        let rows = time(&profile("a 0 1000000; b 10 400000; c 400000 999999"));
        let layout = layout(&rows, &stack(&rows, false), &port(399_990.0, 400_010.0, 40.0));
        assert_eq!(show(&rows, &layout), ["a -3..43 @0", "b -3..20 @18", "c 20..43 @18"]);
    }

    #[test]
    fn the_longest_box_of_a_pixel_shows_and_errors_stay_visible() {
        let rows = time(&profile("a 0 10;b 10 40;c! 40 41;d 1000 2000"));
        let layout = layout(&rows, &stack(&rows, false), &port(0.0, 2000.0, 20.0));
        assert_eq!(show(&rows, &layout), ["d 10..20 @0", "b................... @0"]);
        assert!(layout.texels.cells[0].unwrap().is_error());
        let p = port(0.0, 2000.0, 20.0);
        let hit = layout.hit(&rows, &p, METRICS, 0.2, 3.0).unwrap();
        assert_eq!((hit.at.index, hit.folded), (1, 3));
        let wide = layout.hit(&rows, &p, METRICS, 12.0, 3.0).unwrap();
        assert_eq!((wide.at.index, wide.folded), (3, 1));
        assert_eq!(layout.hit(&rows, &p, METRICS, 5.0, 3.0), None);
        assert_eq!(layout.hit(&rows, &p, METRICS, 12.0, 60.0), None);
    }

    #[test]
    fn groups_fold_and_scroll() {
        let rows = time(&profile("[x];a 0 10; b 1 4;[y];c 2 6;d 4 8"));
        let open = stack(&rows, true);
        let (h, r, g) = (METRICS.header, METRICS.row, METRICS.gap);
        let strips: Vec<_> = open.visible(0.0, 500.0).collect();
        let second = h + 2.0 * r + g;
        assert_eq!(
            strips,
            [
                (Strip::Header(0), 0.0),
                (Strip::Row(0), h),
                (Strip::Row(1), h + r),
                (Strip::Header(1), second),
                (Strip::Row(2), second + h),
                (Strip::Row(3), second + h + r),
            ]
        );
        assert_eq!(open.y_of(3), Some(f64::from(second + h + r)));
        let folded = HashSet::from([GroupName::of(rows.groups[0].of, rows.profile())]);
        let folded = Stacking::new(&rows, METRICS, true, &folded);
        assert_eq!(folded.visible(0.0, 500.0).nth(1), Some((Strip::Header(1), h + g)));
        assert_eq!(folded.y_of(1), None);
        let scrolled: Vec<_> = open.visible(f64::from(h + r + 1.0), 4.0).collect();
        assert_eq!(scrolled, [(Strip::Row(1), -1.0)]);
    }

    #[test]
    fn work_and_output_are_bounded_by_pixels_and_moving_does_not_shimmer() {
        let mut text = String::new();
        for i in 0..20_000 {
            text += &format!("f{} {} {}\n", i % 7, i * 10, i * 10 + 3 + i % 5);
        }
        let rows = time(&profile(&text));
        let stacking = stack(&rows, false);
        let (a, b) = (port(50_000.0, 150_000.0, 400.0), port(50_000.0 + 250.0 * 3.0, 150_750.0, 400.0));
        let [a, b] = [layout(&rows, &stacking, &a), layout(&rows, &stacking, &b)];
        assert!(a.quads.is_empty() && a.texels.cells.len() == 400);
        assert!(a.narrow == 10_000, "{}", a.narrow);
        assert_eq!(a.texels.cells[3..], b.texels.cells[..397], "three pixels to the left");
    }
}
