//! The texts of the source files that a profile names, to be kept in a session.

use std::cmp::Reverse;
use std::path::PathBuf;

use rustc_hash::FxHashMap;

use super::functions::{Functions, graph_of};
use super::libraries::Libraries;
use super::scope::Slice;
use super::source_file::{SourceAnswer, SourceFile, SourceRule, no_file};
use crate::import::{SourceFolders, may_be_given};
use crate::jobs::Cancelled;
use crate::model::{Sources, StringId};
use crate::query::{Context, Query};

/// Most files that are looked for.
const MAX_FILES: usize = 1000;

/// Reads the files that may be given away ([`may_be_given`]): own code before libraries, the most expensive first, until
/// [`Sources`] is full. Texts that the profile carries already stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceTexts {
    /// Where to look first.
    pub rules: Vec<SourceRule>,
    /// Where files may be taken from, beside what the rules lead to. What is named without a folder is looked for beside
    /// the profile.
    pub folders: SourceFolders,
}

/// Texts of source files, and what became of the files that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundTexts {
    /// The texts.
    pub sources: Sources,
    /// Files that were read.
    pub taken: Vec<PathBuf>,
    /// Files that were left alone, with the reason.
    pub refused: Vec<(PathBuf, &'static str)>,
}

impl Query for SourceTexts {
    type Output = FoundTexts;

    fn run(&self, cx: &Context<'_>) -> Result<FoundTexts, Cancelled> {
        let mut found = FoundTexts { sources: cx.profile().sources.clone(), ..FoundTexts::default() };
        let mut folders = self.folders.clone();
        folders.chosen.extend(self.rules.iter().map(|r| r.to.clone()));
        for file in files(cx)? {
            cx.job().checkpoint(0, 0)?;
            if found.sources.get(file).is_some() {
                continue;
            }
            let name = cx.profile().text(file).to_owned();
            let beside = folders.beside.clone();
            let query = SourceFile { file: name, beside, rules: self.rules.clone(), attempt: 0 };
            let SourceAnswer::Found(text) = &*cx.get(&query)? else { continue };
            match may_be_given(&text.path, text.text(), &folders) {
                Ok(()) if found.sources.insert(file, text.text()) => found.taken.push(text.path.clone()),
                Ok(()) => found.refused.push((text.path.clone(), "is more text than a session keeps")),
                Err(why) => found.refused.push((text.path.clone(), why)),
            }
        }
        Ok(found)
    }

    fn weight(found: &FoundTexts) -> usize {
        found.sources.bytes()
    }
}

/// Files in the order in which they shall be kept.
fn files(cx: &Context<'_>) -> Result<Vec<StringId>, Cancelled> {
    let profile = cx.profile();
    let functions = cx.get(&Functions(Slice::default()))?;
    let library = cx.get(&Libraries)?;
    let mut costs: FxHashMap<StringId, (bool, i64)> = FxHashMap::default();
    for row in functions.rows.iter().filter(|r| r.module.is_none()) {
        let of_library = library.get(row.function.index()).copied().unwrap_or(false);
        let sum = costs.entry(profile.functions.get(row.function).file).or_insert((of_library, 0));
        sum.1 = sum.1.saturating_add(row.own);
    }
    // Inlined code stands in files that no function names.
    if let Some(graph) = graph_of(profile).filter(|g| g.lines.metrics() > 0) {
        graph.lines.for_each(|row| {
            let function = graph.nodes[row.place.node.index()].function;
            if row.place.file != profile.functions.get(function).file {
                let of_library = library.get(function.index()).copied().unwrap_or(false);
                let sum = costs.entry(row.place.file).or_insert((of_library, 0));
                sum.1 = sum.1.saturating_add(row.costs.first().copied().unwrap_or(0));
            }
        });
    }
    let mut files: Vec<_> = costs.into_iter().collect();
    files.retain(|(file, _)| no_file(profile.text(*file)).is_none());
    files.sort_by_key(|&(file, (of_library, cost))| (of_library, Reverse(cost), file));
    files.truncate(MAX_FILES);
    Ok(files.into_iter().map(|f| f.0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::ask;
    use crate::model::{FunctionSpec, Metric, NodeCosts, ProfileBuilder};
    use crate::query::Run;
    use std::sync::Arc;

    #[test]
    fn own_code_is_kept_first_and_a_kept_text_is_preferred() {
        let folder = std::env::temp_dir().join(format!("inferscope-texts-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("site-packages")).unwrap();
        let mut b = ProfileBuilder::new("test");
        let time = b.metric(Metric::time());
        let files = ["site-packages/lib.py", "app.py", "kept.py", "gone.py", "~"];
        for (i, file) in files.into_iter().enumerate() {
            if i < 3 {
                std::fs::write(folder.join(file), format!("disk {file}\n")).unwrap();
            }
            let f = b.function(FunctionSpec { name: file, file, line: 1, ..FunctionSpec::default() });
            let node = b.node(f);
            let cost = 100 - i as i64;
            b.node_cost(node, time, NodeCosts { own: cost, total: cost });
        }
        let kept = b.string("kept.py");
        b.source(kept, "kept");
        let s = Run::of(Arc::new(b.finish()));
        let beside = Some(folder.clone());
        let folders = SourceFolders { beside: beside.clone(), ..SourceFolders::default() };
        let found = ask(&s, &SourceTexts { rules: Vec::new(), folders });
        assert_eq!(found.taken, ["app.py", "site-packages/lib.py"].map(|name| folder.join(name)));
        let texts: Vec<_> = found.sources.iter().map(|(file, text)| (s.profile.text(file), text)).collect();
        assert_eq!(
            texts,
            [
                ("kept.py", "kept"),
                ("app.py", "disk app.py\n"),
                ("site-packages/lib.py", "disk site-packages/lib.py\n")
            ]
        );
        let query = SourceFile { file: "kept.py".into(), beside, rules: Vec::new(), attempt: 0 };
        let SourceAnswer::Found(text) = &*ask(&s, &query) else { panic!("not found") };
        assert_eq!((text.line(1).unwrap().0, text.carried), ("kept", true));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
