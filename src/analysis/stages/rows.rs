//! Stages row by row, in the order in which they stand there: a picture looks only at what it shows, however many there are.

use std::sync::Arc;

use crate::jobs::Cancelled;
use crate::query::{Context, Query};

use super::net::grouped;
use super::{StageEdge, StageGraph, StageId, Stages};

/// Stages of which one number is kept, so that a search for wide or critical ones passes over them.
const BLOCK: usize = 64;

/// Computes the [`StageRows`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rows {
    /// Of which graph.
    pub graph: Stages,
    /// True for stages that stand by what they waited for, instead of by time.
    pub by_order: bool,
}

/// A graph with what its picture is drawn from.
#[derive(Clone, Debug, Default)]
pub struct StageRows {
    /// The graph.
    pub graph: Arc<StageGraph>,
    /// Column of each stage where they stand by what they waited for, and the number of columns.
    columns: Option<(Vec<u32>, u32)>,
    /// Stages by track, row and place.
    placed: Vec<u32>,
    /// Where each row begins in [`Self::placed`], and where the last one ends.
    rows: Vec<u32>,
    /// Rows with stages that lie over each other, because there were too many at a time.
    crowded: Vec<u32>,
    /// The first row of each track of the graph.
    first_row: Vec<u32>,
    /// The widest of each block of [`Self::placed`], and whether one of it is on the critical path.
    blocks: Vec<(i64, bool)>,
    /// Where the edges to each stage begin in those of the graph.
    to: Vec<u32>,
    /// Where the edges from each stage begin, and the edges in that order.
    by_from: (Vec<u32>, Vec<u32>),
    /// Edges of the critical path, by the waiting stage.
    critical: Vec<u32>,
    /// Stages by their id.
    by_id: Vec<u32>,
}

impl Query for Rows {
    type Output = StageRows;

    fn run(&self, cx: &Context<'_>) -> Result<StageRows, Cancelled> {
        let graph = cx.get(&self.graph)?;
        cx.job().checkpoint(0, 0)?;
        Ok(StageRows::new(graph, self.by_order))
    }

    fn weight(rows: &StageRows) -> usize {
        let columns = rows.columns.as_ref().map_or(0, |columns| columns.0.len());
        let words = [&rows.placed, &rows.rows, &rows.first_row, &rows.to, &rows.by_from.0, &rows.by_from.1];
        let words: usize = words.iter().map(|v| v.len()).sum();
        (words + columns + rows.critical.len() + rows.by_id.len()) * 4 + rows.blocks.len() * 16
    }
}

/// The column of each stage when they stand by order, and the number of columns.
fn columns(graph: &StageGraph) -> (Vec<u32>, u32) {
    let mut rank = vec![0u32; graph.stages.len()];
    for edge in &graph.edges {
        // Edges stand by the waiting stage, and stages by start: what is waited for has its column already.
        let after = rank[edge.from as usize] + 1;
        let to = &mut rank[edge.to as usize];
        *to = (*to).max(after);
    }
    let columns = rank.iter().max().map_or(0, |r| r + 1);
    (rank, columns)
}

impl StageRows {
    fn new(graph: Arc<StageGraph>, by_order: bool) -> Self {
        let columns = by_order.then(|| columns(&graph));
        let mut first_row = vec![0u32; graph.tracks.len()];
        let mut rows = 0;
        for (first, track) in first_row.iter_mut().zip(&graph.tracks) {
            *first = rows;
            rows += track.lanes;
        }
        let last = graph.tracks.iter().map(|t| t.track.index() + 1).max().unwrap_or(0);
        let mut at = vec![0u32; last];
        for (first, track) in first_row.iter().zip(&graph.tracks) {
            at[track.track.index()] = *first;
        }
        let row = |stage: &super::Stage| at[stage.id.track.index()] + stage.lane;
        let (rows, mut placed) = grouped(rows as usize, graph.stages.iter().map(row));
        let mut crowded = Vec::new();
        for (row, ends) in (0..).zip(rows.windows(2)) {
            let stages = &mut placed[ends[0] as usize..ends[1] as usize];
            match &columns {
                Some((rank, _)) => stages.sort_by_key(|&stage| rank[stage as usize]),
                None if !stages.is_sorted_by_key(|&stage| graph.stages[stage as usize].end) => {
                    crowded.push(row)
                }
                None => {}
            }
        }
        let block = |stages: &[u32]| {
            let of = stages.iter().map(|&stage| &graph.stages[stage as usize]);
            of.fold((0, false), |(widest, any), s| (s.duration().max(widest), any || s.critical))
        };
        let blocks = placed.chunks(BLOCK).map(block).collect();
        let by = |end: fn(&StageEdge) -> u32| grouped(graph.stages.len(), graph.edges.iter().map(end));
        // The edges of the graph stand by where they lead.
        let (to, by_from) = (by(|edge| edge.to).0, by(|edge| edge.from));
        let is_critical = |edge: &u32| graph.edges[*edge as usize].critical;
        let critical = (0..graph.edges.len() as u32).filter(is_critical).collect();
        let mut by_id: Vec<u32> = (0..graph.stages.len() as u32).collect();
        by_id.sort_unstable_by_key(|&stage| graph.stages[stage as usize].id);
        Self { graph, columns, placed, rows, crowded, first_row, blocks, to, by_from, critical, by_id }
    }

    /// The column of a stage where they stand by what they waited for.
    #[must_use]
    pub fn column(&self, stage: u32) -> Option<u32> {
        self.columns.as_ref().map(|columns| columns.0[stage as usize])
    }

    /// Number of columns where stages stand by what they waited for.
    #[must_use]
    pub fn columns(&self) -> Option<u32> {
        self.columns.as_ref().map(|columns| columns.1)
    }

    /// Stages of row `lane` of the `track`th track of the graph, from left to right.
    #[must_use]
    pub fn row(&self, track: usize, lane: u32) -> Row<'_> {
        let row = (self.first_row[track] + lane) as usize;
        let (begin, end) = (self.rows[row] as usize, self.rows[row + 1] as usize);
        let crowded = self.crowded.binary_search(&(row as u32)).is_ok();
        Row { rows: self, begin, end, crowded }
    }

    /// Edges to a stage, by number.
    pub fn edges_to(&self, stage: u32) -> impl Iterator<Item = u32> + use<> {
        self.to[stage as usize]..self.to[stage as usize + 1]
    }

    /// Edges from a stage, by number.
    pub fn edges_from(&self, stage: u32) -> impl Iterator<Item = u32> + '_ {
        let (begin, edges) = &self.by_from;
        edges[begin[stage as usize] as usize..begin[stage as usize + 1] as usize].iter().copied()
    }

    /// Edges of the critical path, by the waiting stage.
    #[must_use]
    pub fn critical(&self) -> &[u32] {
        &self.critical
    }

    /// An edge by number.
    #[must_use]
    pub fn edge(&self, edge: u32) -> &StageEdge {
        &self.graph.edges[edge as usize]
    }

    /// The stage with an id.
    #[must_use]
    pub fn find(&self, id: StageId) -> Option<u32> {
        self.by_id.get(self.after(id)).copied().filter(|&stage| self.id(stage) == id)
    }

    /// The first stage of a span: it can have several.
    #[must_use]
    pub fn of_span(&self, track: crate::model::TrackId, row: u32) -> Option<u32> {
        let first = self.by_id.get(self.after(StageId { track, row, part: 0 })).copied()?;
        let id = self.id(first);
        ((id.track, id.row) == (track, row)).then_some(first)
    }

    fn after(&self, id: StageId) -> usize {
        self.by_id.partition_point(|&stage| self.id(stage) < id)
    }

    fn id(&self, stage: u32) -> StageId {
        self.graph.stages[stage as usize].id
    }
}

/// Stages of a row, or a stretch of them.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    rows: &'a StageRows,
    begin: usize,
    end: usize,
    /// True when ends are not in order.
    crowded: bool,
}

impl<'a> Row<'a> {
    /// Its stages from left to right.
    #[must_use]
    pub fn stages(&self) -> &'a [u32] {
        &self.rows.placed[self.begin..self.end]
    }

    /// Without those at its beginning for which `before` is true. Starts and ends are in order, but ends of a crowded row.
    #[must_use]
    pub fn after(mut self, before: impl Fn(u32) -> bool) -> Self {
        let stages = self.stages();
        // What is looked for is mostly near.
        let mut step = 1;
        while !self.crowded && stages.get(step - 1).is_some_and(|&stage| before(stage)) {
            step *= 2;
        }
        let (from, to) = (step / 2, step.min(stages.len()));
        self.begin += match self.crowded {
            true => stages.iter().position(|&stage| !before(stage)).unwrap_or(stages.len()),
            false => from + stages[from..to].partition_point(|&stage| before(stage)),
        };
        self
    }

    /// Up to the first for which `within`, which asks for starts, is false.
    #[must_use]
    pub fn until(mut self, within: impl Fn(u32) -> bool) -> Self {
        self.end = self.begin + self.stages().partition_point(|&stage| within(stage));
        self
    }

    /// Stages that last at least so long, ns, and those of the critical path where these are asked for.
    pub fn telling(&self, least: i64, critical: bool) -> impl Iterator<Item = u32> + use<'a> {
        let (rows, begin, end) = (self.rows, self.begin, self.end);
        let tells = move |of: (i64, bool)| of.0 >= least || critical && of.1;
        (begin / BLOCK..end.div_ceil(BLOCK))
            .filter(move |&block| begin < end && tells(rows.blocks[block]))
            .flat_map(move |block| (block * BLOCK).max(begin)..((block + 1) * BLOCK).min(end))
            .map(move |at| rows.placed[at])
            .filter(move |&stage| {
                let stage = &rows.graph.stages[stage as usize];
                tells((stage.duration(), stage.critical))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::stages::tests::pipeline;
    use crate::analysis::testing::ask;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackKind, TrackSpec};
    use crate::query::Run;

    #[test]
    fn rows_hold_every_stage_once_and_edges_are_found_from_both_ends() {
        let run = pipeline();
        for by_order in [false, true] {
            let rows = ask(&run, &Rows { graph: Stages::default(), by_order });
            let graph = &rows.graph;
            let mut seen = Vec::new();
            for (at, track) in graph.tracks.iter().enumerate() {
                for lane in 0..track.lanes {
                    let stages = rows.row(at, lane).stages();
                    let of = |stage: u32| graph.stages[stage as usize];
                    assert!(stages.iter().all(|&s| (of(s).id.track, of(s).lane) == (track.track, lane)));
                    let place = |stage: u32| rows.column(stage).map_or(of(stage).start, i64::from);
                    assert!(stages.windows(2).all(|two| place(two[0]) <= place(two[1])));
                    seen.extend_from_slice(stages);
                }
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..graph.stages.len() as u32).collect::<Vec<_>>());
            for (number, edge) in (0..).zip(&graph.edges) {
                assert!(rows.edges_from(edge.from).any(|e| e == number));
                assert!(rows.edges_to(edge.to).any(|e| e == number));
                assert_eq!(rows.critical().contains(&number), edge.critical);
                assert!(!by_order || rows.column(edge.from) < rows.column(edge.to));
            }
            for (number, stage) in (0..).zip(&graph.stages) {
                assert_eq!(rows.find(stage.id), Some(number));
                let first = rows.of_span(stage.id.track, stage.id.row).unwrap();
                assert!(first <= number && graph.stages[first as usize].id.row == stage.id.row);
            }
        }
    }

    #[test]
    fn long_and_critical_stages_are_found_among_thousands_of_short_ones() {
        let mut b = ProfileBuilder::new("test");
        let track = b.track(TrackSpec { name: "t", process: "", kind: TrackKind::Thread, sort: 0 });
        let f = b.function(FunctionSpec::named("f"));
        for i in 0..5000i64 {
            b.span(track, i * 100, i * 100 + if i % 1000 == 7 { 90 } else { 10 }, f, ArgsRef::NONE);
        }
        let run = Run::of(Arc::new(b.finish()));
        let rows = ask(&run, &Rows { graph: Stages::default(), by_order: false });
        let start = |stage: u32| rows.graph.stages[stage as usize].start;
        let all = rows.row(0, 0);
        let long = |row: Row<'_>| row.telling(50, false).map(start).collect::<Vec<_>>();
        assert_eq!(long(all), [700, 100_700, 200_700, 300_700, 400_700]);
        let part = all.after(|s| start(s) < 100_700).until(|s| start(s) < 300_700);
        assert_eq!((long(part), part.stages().len()), (vec![100_700, 200_700], 2000));
        assert_eq!(long(part.until(|_| false)), [0i64; 0]);
        assert_eq!(all.telling(i64::MAX, true).count(), 5000, "all of them are on the path");
    }
}
