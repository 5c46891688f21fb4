//! What functions and tracks are called in answers, and which one a text means.
//!
//! A name loses what tells nothing: template arguments, parameters, folders of packages. Where that, or the file, leaves two
//! functions with one name, a handle stands beside it (`f12`), which every question takes.

use std::cmp::Reverse;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::words;
use super::{Asked, Refusal};
use crate::analysis::formula::Measure;
use crate::analysis::libraries;
use crate::analysis::named::Named;
use crate::analysis::path::Symbol;
use crate::analysis::{Functions, Slice};
use crate::format::{bare, distance, plain, short};
use crate::jobs::Cancelled;
use crate::model::keys::names;
use crate::model::{FunctionId, Profile, TrackId, row_hash};
use crate::query::{Context, Query, Run};

/// Longest name, characters.
const LONGEST: usize = 120;
/// Candidates of a name that are listed.
const CANDIDATES: usize = 10;
/// Names that differ so much in length are not near, unless they have a file in front.
const FAR_APART: usize = 40;

/// The number of a handle.
pub(super) fn handle(text: &str, letter: char) -> Option<u32> {
    let digits = text.strip_prefix(letter)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// The folder that holds all source files of a program, as far as they are no libraries; empty where they have none in
/// common that is worth leaving out.
fn root(profile: &Profile) -> String {
    let library = libraries::of(profile);
    let mut seen = FxHashSet::default();
    let mut root: Option<String> = None;
    for f in profile.functions.ids() {
        if library.get(f.index()).copied().unwrap_or(false) {
            continue;
        }
        // Thousands of functions share a file.
        let file = profile.functions.get(f).file;
        if !seen.insert(file) {
            continue;
        }
        let file = names::file(profile.text(file));
        let absolute = file.starts_with('/') || file.as_bytes().get(1) == Some(&b':');
        let Some((folder, _)) = file.rsplit_once('/').filter(|_| absolute) else { continue };
        root = Some(match root {
            None => folder.to_owned(),
            Some(known) => {
                let alike = known.split('/').zip(folder.split('/')).take_while(|(a, b)| a == b);
                alike.map(|(part, _)| part).collect::<Vec<_>>().join("/")
            }
        });
    }
    let root = root.unwrap_or_default();
    if root.split('/').count() > 2 { root + "/" } else { String::new() }
}

/// `file:line` without folders of packages; the module where there is no file; empty when neither is known.
pub(super) fn place(profile: &Profile, function: FunctionId) -> String {
    let row = profile.functions.get(function);
    let file = plain(&names::file(profile.text(row.file))).into_owned();
    match (&*file, row.line) {
        ("" | "~", _) => {
            let module = plain(&names::module(profile.text(row.module))).into_owned();
            if profile.text(row.name).contains(&module) { String::new() } else { module }
        }
        (file, 0) => file.to_owned(),
        (file, line) => format!("{file}:{line}"),
    }
}

/// What a track is called, with its process.
pub(super) fn track(profile: &Profile, id: TrackId) -> String {
    let label = profile.track_label(id);
    let label = short(&label, 60).into_owned();
    if label.is_empty() { profile.track(id).kind.key().to_owned() } else { label }
}

/// What is common to the names of a profile.
#[derive(Debug, Default)]
pub(super) struct Common {
    /// How many functions have a shown name, by its hash: a program has up to millions.
    shared: FxHashMap<u64, u32>,
    /// What all source files have in front.
    pub root: String,
}

/// Asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct CommonOf;

impl Query for CommonOf {
    type Output = Common;

    fn run(&self, cx: &Context<'_>) -> Result<Common, Cancelled> {
        let profile = cx.profile();
        let mut shared: FxHashMap<u64, u32> = FxHashMap::default();
        for f in profile.functions.ids() {
            *shared.entry(row_hash(&bare(profile.function_name(f)))).or_default() += 1;
        }
        Ok(Common { shared, root: root(profile) })
    }

    fn weight(common: &Common) -> usize {
        common.shared.len() * 16
    }
}

/// Names of the functions of a profile.
pub(super) struct Names<'a> {
    profile: &'a Profile,
    common: Arc<Common>,
}

impl<'a> Names<'a> {
    /// Those of the first file.
    pub fn of(asked: &'a Asked<'_>) -> Result<Self, Refusal> {
        Self::of_run(asked, &asked.files[0].run)
    }

    /// Those of a run.
    pub fn of_run(asked: &Asked<'_>, run: &'a Run) -> Result<Self, Refusal> {
        Ok(Self { profile: &run.profile, common: asked.engine.now(run, &CommonOf, asked.job)? })
    }

    /// What all source files have in front; may be empty.
    pub fn root(&self) -> &str {
        &self.common.root
    }

    /// The name alone.
    pub fn name(&self, f: FunctionId) -> String {
        let name = bare(self.profile.function_name(f));
        let name = short(&name, LONGEST);
        if name.trim().is_empty() { format!("(no name) f{}", f.0) } else { name.into_owned() }
    }

    /// Name, place, and a handle where several have that name.
    pub fn full(&self, f: FunctionId) -> String {
        let mut text = self.name(f);
        let place = place(self.profile, f);
        let place = place.strip_prefix(self.root()).unwrap_or(&place);
        if !place.is_empty() {
            text.push(' ');
            text += place;
        }
        let bare = bare(self.profile.function_name(f));
        if self.common.shared.get(&row_hash(&bare)).is_some_and(|n| *n > 1) || bare.chars().count() > LONGEST
        {
            text += &format!(" f{}", f.0);
        }
        text
    }

    /// The same of what a row of a tree stands for.
    pub fn symbol(&self, symbol: Symbol) -> String {
        match symbol {
            Symbol::Function(f) => self.full(f),
            other => short(&other.label(self.profile), LONGEST).into_owned(),
        }
    }
}

impl Asked<'_> {
    /// The function that a text means: a name, a part of one, `file:line` or a handle such as «f12».
    ///
    /// # Errors
    /// Lines with candidates, or with near names.
    pub fn function(&self, text: &str) -> Result<FunctionId, Refusal> {
        let p = self.profile();
        let metric = self.metric()?;
        let found = self.get(&Named { text: text.to_owned(), metric })?;
        match &found[..] {
            [(one, _)] => return Ok(*one),
            [] => {}
            several => {
                let several: Vec<_> = several.iter().map(|f| f.0).collect();
                return self.candidates(&several, &format!("functions are called «{}»", words::said(text)));
            }
        }
        if let Some(f) = handle(text, 'f').map(FunctionId).filter(|f| f.index() < p.functions.len()) {
            return Ok(f);
        }
        let all = || p.functions.ids();
        let names = Names::of(self)?;
        if let Some(f) = labelled(text, &names, p) {
            return Ok(f);
        }
        let root = names.root();
        let shown: Vec<FunctionId> = all()
            .filter(|&f| {
                let name = bare(p.function_name(f));
                let is_place = |rest: &str| {
                    let place = place(p, f);
                    !rest.is_empty() && (rest == place || Some(rest) == place.strip_prefix(root))
                };
                name == text || text.strip_prefix(&*name).is_some_and(|rest| is_place(rest.trim_start()))
            })
            .collect();
        let lower = text.to_lowercase();
        let last = |text: &str| text.rsplit(['.', ':', '/']).next().unwrap_or(text).to_lowercase();
        let qualifier = text.rsplit_once(['.', ':']).map(|q| last(q.0.trim_end_matches([':', '.'])));
        let by_last: Vec<FunctionId> = match &qualifier {
            Some(owner) => all()
                .filter(|&f| last(p.function_name(f)) == last(text))
                .filter(|&f| {
                    let row = p.functions.get(f);
                    [row.file, row.module, row.name]
                        .iter()
                        .any(|t| p.text(*t).to_lowercase().contains(&**owner))
                })
                .collect(),
            None => all().filter(|&f| last(p.function_name(f)) == lower).collect(),
        };
        let within =
            || all().filter(|&f| p.function_name(f).to_lowercase().contains(&lower)).collect::<Vec<_>>();
        for (found, how) in [
            (shown, "functions are shown as"),
            (by_last, "functions end in"),
            (within(), "functions have in their name"),
        ] {
            match &found[..] {
                [] => {}
                [one] => return Ok(*one),
                several => return self.candidates(several, &format!("{how} «{}»", words::said(text))),
            }
        }
        // A place may stand behind the name.
        let wanted = [last(text), last(text.split_whitespace().next().unwrap_or_default())];
        let far = |name: &str| {
            let alike = wanted.iter().filter(|wanted| name.len().abs_diff(wanted.len()) <= FAR_APART);
            alike.map(|wanted| distance(&last(name), wanted)).min()
        };
        let mut near: Vec<(usize, FunctionId)> =
            all().filter_map(|f| Some((far(p.function_name(f))?, f))).collect();
        near.sort_unstable_by_key(|n| (n.0, n.1));
        let near: Vec<FunctionId> = near.into_iter().take(CANDIDATES / 2).map(|n| n.1).collect();
        let names = Names::of(self)?;
        let list: Vec<String> = near.iter().map(|&f| names.full(f)).collect();
        let near =
            if list.is_empty() { String::new() } else { format!("; near names:\n{}", list.join("\n")) };
        if self.request_by_handle(text).is_some() {
            let (model, range) = (self.door.argument("model", text), self.door.argument("range", text));
            return Err(format!(
                "{text} is a request, no function: requests {model} tells of it, {range} of its time"
            )
            .into());
        }
        Err(format!("no function is called «{}»{near}", short(text, LONGEST)).into())
    }

    /// Refuses a name that means several functions, with the largest of them.
    fn candidates(&self, found: &[FunctionId], how: &str) -> Result<FunctionId, Refusal> {
        let p = self.profile();
        let metric = self.metric()?;
        let table = self.get(&Functions(Slice::whole(metric)))?;
        let rows: FxHashMap<FunctionId, usize> = table
            .rows
            .iter()
            .enumerate()
            .filter(|(_, r)| r.module.is_none())
            .map(|(i, r)| (r.function, i))
            .collect();
        let mut known: Vec<_> = found.iter().map(|&f| (f, rows.get(&f).map(|&i| &table.rows[i]))).collect();
        known.sort_by_key(|(f, row)| (Reverse(row.map_or(0, |r| r.total)), *f));
        let unit = Measure::of(metric, p).map_or(crate::model::Unit::None, |m| m.unit);
        let names = Names::of(self)?;
        let mut lines = vec![format!("{} {how}; name one by its handle:", found.len())];
        for (f, row) in known.iter().take(CANDIDATES) {
            let calls = row.and_then(|r| r.calls).map_or_else(String::new, |c| format!(", {} calls", c.all));
            let total = row.map_or_else(String::new, |r| format!(" {}", words::known(unit, r.known_total())));
            lines.push(format!("f{} {} {}{total}{calls}", f.0, names.name(*f), place(p, *f)));
        }
        if known.len() > CANDIDATES {
            lines.push(format!("… {} more", known.len() - CANDIDATES));
        }
        Err(Refusal(lines.join("\n")))
    }
}

/// The function whose label in an answer a text is: with a handle behind it, or in front as in lists of candidates. The
/// handle counts only where the name agrees: it may be of another file.
fn labelled(text: &str, names: &Names<'_>, p: &Profile) -> Option<FunctionId> {
    let (first, after) = text.split_once(' ')?;
    let (before, last) = text.rsplit_once(' ')?;
    let of = |word: &str| handle(word, 'f').map(FunctionId).filter(|f| f.index() < p.functions.len());
    let agrees = |f: FunctionId, rest: &str| {
        let name = names.name(f);
        let rest = rest.trim().strip_prefix(&*name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    of(last).filter(|&f| agrees(f, before)).or_else(|| of(first).filter(|&f| agrees(f, after)))
}
