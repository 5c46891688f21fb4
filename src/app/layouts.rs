//! The layouts of panes: one for each kind of profile, so that what a file is about is in front.

use egui_tiles::{Container, Linear, LinearDir, TileId, Tiles, Tree};

use super::panes::{Pane, Panes};
use crate::model::Profile;
use crate::query::RunId;
use crate::views::{self, ViewKind};

/// What a layout is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LayoutKind {
    /// Profiles with a time axis.
    Timed,
    /// Profiles without one.
    Untimed,
    /// Profiles with calls of a language model.
    Requests,
    /// Calls of a language model and nothing around them: logs, results of benchmarks.
    Log,
    /// Profiles without a time axis for calls, but with curves over time: snapshots of a heap.
    Curves,
    /// Files that hold no calls: results of a benchmark, metrics of a server, a log of a device.
    Figures,
}

impl LayoutKind {
    const ALL: [Self; 6] =
        [Self::Timed, Self::Untimed, Self::Requests, Self::Log, Self::Curves, Self::Figures];

    /// The one for a profile.
    pub fn of(profile: &Profile) -> Self {
        let holds_calls = profile.span_count() + profile.sample_count() > 0 || profile.call_graph.is_some();
        match (profile.requests.rows.is_empty(), profile.is_timed()) {
            (true, _) if !holds_calls => Self::Figures,
            (false, _) if !holds_calls => Self::Log,
            (false, _) => Self::Requests,
            (true, true) => Self::Timed,
            (true, false) if !profile.counters.is_empty() => Self::Curves,
            (true, false) => Self::Untimed,
        }
    }

    /// Its name in settings.
    fn key(self) -> &'static str {
        match self {
            Self::Timed => "timed",
            Self::Untimed => "untimed",
            Self::Requests => "requests",
            Self::Log => "log",
            Self::Curves => "curves",
            Self::Figures => "figures",
        }
    }
}

/// A layout for each kind of profile.
pub(super) struct Layouts([Panes; LayoutKind::ALL.len()]);

impl Default for Layouts {
    fn default() -> Self {
        Self(LayoutKind::ALL.map(standard))
    }
}

impl Layouts {
    /// The given views side by side, whatever the profile is.
    pub fn of(kinds: &[&ViewKind]) -> Self {
        Self(LayoutKind::ALL.map(|_| side_by_side(kinds)))
    }

    /// The panes for a kind of profile.
    pub fn panes(&mut self, kind: LayoutKind) -> &mut Panes {
        &mut self.0[kind as usize]
    }

    /// Drops the views of a run.
    pub fn forget(&mut self, run: RunId) {
        self.0.iter_mut().for_each(|panes| panes.forget(run));
    }

    /// All of them as saved text.
    pub fn save(&self) -> Option<serde_json::Value> {
        let one = |kind: LayoutKind| Some((kind.key().to_owned(), self.0[kind as usize].save()?));
        LayoutKind::ALL.into_iter().map(one).collect::<Option<serde_json::Map<_, _>>>().map(Into::into)
    }

    /// What [`Self::save`] gave; a kind that is not there has its standard layout. `None` when none can be read.
    pub fn load(saved: &serde_json::Value) -> Option<Self> {
        let read = LayoutKind::ALL.map(|kind| saved.get(kind.key()).and_then(Panes::load));
        let any = read.iter().any(Option::is_some);
        let mut kinds = LayoutKind::ALL.into_iter();
        let filled = read.map(|panes| {
            let kind = kinds.next().unwrap_or(LayoutKind::Timed);
            panes.unwrap_or_else(|| standard(kind))
        });
        any.then_some(Self(filled))
    }
}

/// The layout at first.
fn standard(kind: LayoutKind) -> Panes {
    use LinearDir::{Horizontal, Vertical};
    let mut make = LayoutMaker { tiles: Tiles::default(), next: 0 };
    let summary = make.tabs(&["summary"]);
    let details = make.tabs(&["details"]);
    if kind == LayoutKind::Figures {
        let curves = make.tabs(&["memory", "timeline", "gpu", "find"]);
        let side = make.linear(Vertical, &[(curves, 0.6), (details, 0.4)]);
        let root = make.linear(Horizontal, &[(summary, 0.45), (side, 0.55)]);
        return make.finish(root);
    }
    let side = make.linear(Vertical, &[(summary, 0.62), (details, 0.38)]);
    let main = match kind {
        LayoutKind::Timed => {
            let top = make.tabs(&["flame", "timeline", "stages"]);
            let tables = make.tabs(&["calltree", "functions", "callers", "graph"]);
            let right = make.tabs(&["memory", "gpu", "compute", "treemap", "source", "find"]);
            let below = make.linear(Horizontal, &[(tables, 0.58), (right, 0.42)]);
            make.linear(Vertical, &[(top, 0.5), (below, 0.5)])
        }
        LayoutKind::Untimed | LayoutKind::Curves => {
            let functions = make.tabs(&["functions", "source"]);
            let curves = (kind == LayoutKind::Curves).then(|| make.tabs(&["memory", "find"])).flatten();
            let top = match curves {
                Some(curves) => make.linear(Horizontal, &[(Some(curves), 0.5), (functions, 0.5)]),
                None => functions,
            };
            let graph = make.tabs(&["graph", "flame", "treemap"]);
            let tree = make.tabs(&["callers", "calltree"]);
            let below = make.linear(Horizontal, &[(graph, 0.55), (tree, 0.45)]);
            make.linear(Vertical, &[(top, 0.42), (below, 0.58)])
        }
        LayoutKind::Requests => {
            let top = make.tabs(&["timeline", "stages", "flame"]);
            let requests =
                make.tabs(&["requests", "trace", "flow", "latency", "cost", "tokens", "caches", "find"]);
            let tables = make.tabs(&[
                "calltree",
                "functions",
                "callers",
                "graph",
                "memory",
                "gpu",
                "compute",
                "treemap",
                "source",
            ]);
            let below = make.linear(Horizontal, &[(requests, 0.58), (tables, 0.42)]);
            make.linear(Vertical, &[(top, 0.46), (below, 0.54)])
        }
        LayoutKind::Log => {
            let top = make.tabs(&["requests", "trace", "flow", "find"]);
            let left = make.tabs(&["latency", "tokens", "caches"]);
            let right = make.tabs(&["cost", "timeline", "compute", "memory"]);
            let below = make.linear(Horizontal, &[(left, 0.5), (right, 0.5)]);
            make.linear(Vertical, &[(top, 0.5), (below, 0.5)])
        }
        LayoutKind::Figures => None,
    };
    let root = make.linear(Horizontal, &[(side, 0.22), (main, 0.78)]);
    make.finish(root)
}

fn side_by_side(kinds: &[&ViewKind]) -> Panes {
    let mut make = LayoutMaker { tiles: Tiles::default(), next: 0 };
    let parts: Vec<_> = kinds.iter().map(|kind| (make.tabs(&[kind.id]), 1.0)).collect();
    let dir = if kinds.len() > 2 { LinearDir::Vertical } else { LinearDir::Horizontal };
    let root = make.linear(dir, &parts);
    make.finish(root).fixed()
}

struct LayoutMaker {
    tiles: Tiles<Pane>,
    next: u64,
}

impl LayoutMaker {
    fn pane(&mut self, kind: &ViewKind) -> TileId {
        self.next += 1;
        self.tiles.insert_pane(Pane::new(kind, self.next))
    }

    /// Tabs of the views that exist among `ids`, the first one in front.
    fn tabs(&mut self, ids: &[&str]) -> Option<TileId> {
        let panes: Vec<_> = ids.iter().filter_map(|id| views::view(id)).map(|kind| self.pane(kind)).collect();
        let first = *panes.first()?;
        let mut tabs = egui_tiles::Tabs::new(panes);
        tabs.set_active(first);
        Some(self.tiles.insert_container(tabs))
    }

    fn linear(&mut self, dir: LinearDir, parts: &[(Option<TileId>, f32)]) -> Option<TileId> {
        let parts: Vec<_> = parts.iter().filter_map(|&(tile, share)| Some((tile?, share))).collect();
        let mut linear = Linear::new(dir, parts.iter().map(|p| p.0).collect());
        for &(tile, share) in &parts {
            linear.shares.set_share(tile, share);
        }
        (!parts.is_empty()).then(|| self.tiles.insert_container(Container::Linear(linear)))
    }

    fn finish(self, root: Option<TileId>) -> Panes {
        let id = egui::Id::unique("panes");
        let tree = match root {
            Some(root) => Tree::new(id, root, self.tiles),
            None => Tree::empty(id),
        };
        Panes::new(tree, self.next)
    }
}
