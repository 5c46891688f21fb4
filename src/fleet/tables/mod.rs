//! One profile as rows of the tables.

mod collectives;
mod functions;
mod paths;
mod rest;
mod spans;
mod steps;

use std::io;
use std::sync::Arc;

use super::frame::{Cell, Frame, known};
use super::rank::Rank;
use super::schema::RUNS;
use super::stable::Stable;
use crate::analysis::functions::Functions;
use crate::analysis::scope::Slice;
use crate::analysis::tree_costs::Costs;
use crate::analysis::{findings, formula};
use crate::format;
use crate::import::{ImportError, Input};
use crate::jobs::{Cancelled, Job};
use crate::model::Profile;
use crate::model::keys::SymbolParts;
use crate::query::{Engine, Run};

/// Which spans become rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SpansKept {
    /// All of them.
    #[default]
    All,
    /// Those on streams of GPUs.
    Gpu,
    /// None.
    None,
}

impl SpansKept {
    /// The word on the command line and in the table of runs.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Gpu => "gpu",
            Self::None => "none",
        }
    }
}

/// What is known of a run beside its profile.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// Its id.
    pub run_id: &'a str,
    /// What it belongs to.
    pub job: &'a str,
    /// Where the file is.
    pub uri: &'a str,
    /// The file's length.
    pub bytes: u64,
    /// When the file was changed last, ns since 1970.
    pub modified: Option<i64>,
    /// Version of what is read and how.
    pub ingest: &'a str,
    /// Its rank.
    pub rank: Option<Rank>,
    /// What a person calls it.
    pub labels: &'a [(String, String)],
    /// Which spans become rows.
    pub spans: SpansKept,
}

/// What each table's maker works with.
struct Making<'a> {
    profile: &'a Profile,
    run_id: &'a str,
    rank: Option<i64>,
    /// Id of each function, by its place.
    ids: Vec<u64>,
    steps: steps::Steps,
}

/// Why there are no rows.
#[derive(Debug)]
pub enum Stopped {
    /// The file, which is read once more for the details of collectives, cannot be read any more.
    Unreadable(ImportError),
    /// The rows cannot be written.
    Unwritten(io::Error),
}

impl From<ImportError> for Stopped {
    fn from(e: ImportError) -> Self {
        Self::Unreadable(e)
    }
}

impl From<io::Error> for Stopped {
    fn from(e: io::Error) -> Self {
        Self::Unwritten(e)
    }
}

impl From<Cancelled> for Stopped {
    fn from(cancelled: Cancelled) -> Self {
        Self::Unwritten(io::Error::other(cancelled))
    }
}

/// Makes the rows of a profile, table by table in the order of [`super::schema::TABLES`], the row of `runs` last. Each frame is
/// gone before the next one is made; those of one table may be several.
///
/// # Errors
/// When the file cannot be read any more, and as `out`.
pub fn tables(
    profile: &Arc<Profile>,
    input: &Input,
    about: &About<'_>,
    out: &mut dyn FnMut(&Frame) -> io::Result<()>,
) -> Result<(), Stopped> {
    let (engine, job, run) = (Engine::inline(), Job::new(), Run::of(profile.clone()));
    let slice = Slice::whole(formula::shown(crate::model::MetricKey::default(), profile));
    let making = Making {
        profile,
        run_id: about.run_id,
        rank: about.rank.as_ref().map(|r| r.number),
        ids: profile.keys().symbols().iter().map(|key| function_id(key.value())).collect(),
        steps: steps::Steps::of(&engine, &run)?,
    };
    out(&functions::frame(&making, &*engine.now(&run, &Functions(slice.clone()), &job)?, slice.metric))?;
    out(&paths::frame(&making, &*engine.now(&run, &Costs(slice), &job)?))?;
    let noted = engine.now(&run, &findings::Findings::default(), &job)?;
    // All answers that are kept: they take as much room as the profile.
    drop(engine);
    out(&making.steps.frame(&making))?;
    let collectives = collectives::frame(&making, input)?;
    let count = collectives.rows;
    out(&collectives)?;
    drop(collectives);
    out(&rest::requests(&making))?;
    out(&rest::counters(&making))?;
    out(&rest::findings(&making, &noted))?;
    spans::frames(&making, about.spans, out)?;
    out(&runs(&making, about, count))?;
    Ok(())
}

/// What is the same function in all runs has the same id.
#[must_use]
pub fn function_id(parts: &SymbolParts) -> u64 {
    let texts = [&parts.name, &parts.module, &parts.file, &parts.category];
    texts.iter().fold(Stable::default(), |h, text| h.text(text)).number(parts.twin.into()).value()
}

fn runs(making: &Making<'_>, about: &About<'_>, collectives: usize) -> Frame {
    let meta = &making.profile.meta;
    let mut frame = Frame::new(&RUNS);
    let host = meta.facts.iter().chain(&meta.machine).find(|fact| fact.name == "Host");
    let host = host.map(|fact| format::fact(&fact.value));
    let warnings: u64 = making.profile.warnings.iter().map(|w| w.count).sum();
    frame.row(&[
        about.run_id.into(),
        about.job.into(),
        about.uri.into(),
        about.bytes.into(),
        about.modified.into(),
        about.ingest.into(),
        Cell::from(&meta.format),
        known(&meta.tool).into(),
        known(&meta.title).into(),
        meta.basis.key().into(),
        meta.origin_unix_ns.into(),
        making.profile.elapsed().into(),
        host.as_deref().into(),
        making.rank.into(),
        about.rank.as_ref().map(|r| r.from.as_str()).into(),
        super::rank::world_size(making.profile).into(),
        making.profile.span_count().into(),
        making.profile.functions.ids().count().into(),
        collectives.into(),
        warnings.into(),
        about.spans.key().into(),
        about.labels.into(),
    ]);
    frame
}
