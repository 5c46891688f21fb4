//! The lines of a function in two runs beside each other: by their texts where both are known and differ, else by number.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use similar::{Algorithm, ChangeTag};

use super::functions::{DiffFunctions, RowKey};
use super::{State, Two};
use crate::analysis::scope::Slice;
use crate::analysis::source_file::{SourceAnswer, SourceFile, SourceRule, SourceText};
use crate::analysis::source_lines::{FileLines, Grain, Lines};
use crate::jobs::Cancelled;
use crate::model::{FunctionId, Profile, StringId, SymbolKey};
use crate::query::{Context, Pair, Query};

/// Time after which lines are compared more coarsely.
const PATIENCE: Duration = Duration::from_millis(500);
/// Lines above and below those with costs that are shown.
const AROUND: u32 = 3;
/// Lines of a change that go on beyond these, at most.
const MOST_OF_A_CHANGE: usize = 200;

/// A function in two runs, and where the files that it comes from are looked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionText {
    /// Which part of both.
    pub functions: DiffFunctions,
    /// The function, as either run calls it.
    pub function: SymbolKey,
    /// The folders of the profiles, base and head.
    pub beside: [Option<PathBuf>; 2],
    /// Where source and object files are.
    pub rules: Vec<SourceRule>,
    /// Counts up when files are to be looked for again.
    pub attempt: u32,
}

impl FunctionText {
    /// The function in each run that has it.
    pub(super) fn of_both(&self, cx: &Context<'_, Pair>) -> Result<Two<FunctionId>, Cancelled> {
        let all = cx.get(&self.functions)?;
        let key = RowKey::Function(self.function);
        let row = all.row_of(key, false).or_else(|| all.row_of(key, true));
        let keys = row.map(|row| all.rows[row as usize].keys).unwrap_or_default();
        let of = |key: Option<RowKey>, profile: &Profile| match key? {
            RowKey::Function(symbol) => profile.keys().function(symbol),
            _ => None,
        };
        Ok(Two { base: of(keys.base, cx.base().profile()), head: of(keys.head, cx.head().profile()) })
    }

    /// Asks for the text of a file that one of the runs names.
    pub(super) fn file(&self, file: String, base: bool) -> SourceFile {
        let beside = self.beside[usize::from(!base)].clone();
        SourceFile { file, beside, rules: self.rules.clone(), attempt: self.attempt }
    }
}

/// Asks for the [`SourceDiff`] of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiffSource(pub FunctionText);

/// A line of both versions, or of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinePair {
    /// Its number in each version.
    pub lines: Two<u32>,
    /// Its own cost in each run; a line without cost has none.
    pub own: Two<i64>,
}

/// The lines of a function.
#[derive(Clone, Debug, Default)]
pub struct SourceDiff {
    /// Lines, top to bottom.
    pub rows: Vec<LinePair>,
    /// The texts that were found.
    pub texts: Two<SourceText>,
    /// The paths that the profiles name.
    pub files: Two<String>,
    /// True when both texts are known and are not the same.
    pub changed: bool,
    /// Own cost of the lines in each run.
    pub sum: Two<i64>,
    /// True when some run knows costs per line.
    pub by_line: bool,
    /// The text that was looked for in vain, that of the new run first.
    pub missing: Option<MissingText>,
}

/// A text that was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingText {
    /// The path that the profile names.
    pub file: String,
    /// Why there is none, for what is no file.
    pub why: Option<&'static str>,
    /// Where it was looked for, and what was wrong there.
    pub tried: Vec<(String, String)>,
}

struct Side {
    lines: Option<FileLines>,
    text: Option<SourceText>,
    missing: Option<MissingText>,
    file: String,
    first: u32,
    by_line: bool,
}

impl DiffSource {
    fn side(
        &self,
        cx: &Context<'_>,
        slice: Slice,
        function: FunctionId,
        base: bool,
    ) -> Result<Side, Cancelled> {
        let profile = cx.profile().clone();
        let symbol = profile.keys().symbol(function);
        let table = cx.get(&Lines { slice, function: symbol, whole_file: None })?;
        let own: StringId = profile.functions.get(function).file;
        let heaviest = table.files.iter().max_by_key(|f| (f.own, f.file == own));
        let lines = table.files.iter().find(|f| f.file == own).or(heaviest).cloned();
        let file = lines.as_ref().map_or(own, |l| l.file);
        let file = profile.text(file).to_owned();
        let (text, missing) = match &*cx.get(&self.0.file(file.clone(), base))? {
            SourceAnswer::Found(text) => (Some(text.clone()), None),
            SourceAnswer::Missing { why, tried } => {
                (None, Some(MissingText { file: file.clone(), why: *why, tried: tried.clone() }))
            }
        };
        let by_line = table.grain == Grain::Lines;
        Ok(Side { lines, text, missing, file, first: profile.functions.get(function).line, by_line })
    }
}

impl Query<Pair> for DiffSource {
    type Output = SourceDiff;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<SourceDiff, Cancelled> {
        let (base, head) = (cx.base(), cx.head());
        let functions = self.0.of_both(cx)?;
        let ask = |side: &Context<'_>, function: Option<FunctionId>, is_base| match function {
            Some(function) => self.side(side, self.0.functions.of(is_base, cx)?, function, is_base).map(Some),
            None => Ok(None),
        };
        let sides = Two { base: ask(&base, functions.base, true)?, head: ask(&head, functions.head, false)? };
        cx.job().checkpoint(0, 0)?;
        Ok(beside(sides))
    }

    fn weight(diff: &SourceDiff) -> usize {
        let text = |t: &Option<SourceText>| t.as_ref().map_or(0, |t| t.text().len());
        diff.rows.len() * size_of::<LinePair>() + text(&diff.texts.base) + text(&diff.texts.head)
    }
}

/// Lines of both versions that are one, by their texts.
fn aligned(base: &SourceText, head: &SourceText) -> Vec<Two<u32>> {
    let lines = |t: &SourceText| -> Vec<String> {
        (1..=t.len() as u32).filter_map(|i| t.line(i)).map(|l| l.0.trim_end().to_owned()).collect()
    };
    let (b, h) = (lines(base), lines(head));
    let until = Instant::now() + PATIENCE;
    let ops = similar::capture_diff_slices_deadline(Algorithm::Myers, &b, &h, Some(until));
    let line = |i: Option<usize>| i.map(|i| i as u32 + 1);
    let changes = ops.iter().flat_map(|op| op.iter_changes(&b, &h));
    changes
        .map(|c| match c.tag() {
            ChangeTag::Equal => Two { base: line(c.old_index()), head: line(c.new_index()) },
            ChangeTag::Delete => Two { base: line(c.old_index()), head: None },
            ChangeTag::Insert => Two { base: None, head: line(c.new_index()) },
        })
        .collect()
}

fn beside(sides: Two<Side>) -> SourceDiff {
    let costs = |side: &Option<Side>| -> Vec<(u32, i64)> {
        let lines = side.as_ref().and_then(|s| s.lines.as_ref());
        lines.map_or_else(Vec::new, |l| l.rows.iter().map(|r| (r.line, r.own)).collect())
    };
    let (in_base, in_head) = (costs(&sides.base), costs(&sides.head));
    let texts = (
        sides.base.as_ref().and_then(|s| s.text.as_ref()),
        sides.head.as_ref().and_then(|s| s.text.as_ref()),
    );
    let changed = matches!(texts, (Some(b), Some(h)) if b.text() != h.text());
    let all = match texts {
        (Some(b), Some(h)) if changed => aligned(b, h),
        _ => {
            // Only one text is known, or it is the same: a function that begins further down is shifted as a whole.
            let first = |s: &Option<Side>| s.as_ref().map_or(0, |s| s.first);
            let (b, h) = (first(&sides.base), first(&sides.head));
            let shift = if b > 0 && h > 0 { i64::from(h) - i64::from(b) } else { 0 };
            let length = |t: Option<&SourceText>| t.map_or(0, |t| t.len() as u32);
            let last = |rows: &[(u32, i64)]| rows.iter().map(|r| r.0).max().unwrap_or(0);
            let end = length(texts.1)
                .max(last(&in_head))
                .max((i64::from(last(&in_base)) + shift).clamp(0, i64::from(u32::MAX)) as u32);
            let base = |head: u32| u32::try_from(i64::from(head) - shift).ok().filter(|&n| n > 0);
            (1..=end).map(|n| Two { base: base(n), head: Some(n) }).collect()
        }
    };
    let cost = |rows: &[(u32, i64)], line: Option<u32>| {
        let line = line?;
        rows.binary_search_by_key(&line, |r| r.0).ok().map(|i| rows[i].1)
    };
    let pairs: Vec<LinePair> = all
        .into_iter()
        .map(|lines| {
            let own = Two { base: cost(&in_base, lines.base), head: cost(&in_head, lines.head) };
            LinePair { lines, own }
        })
        .collect();
    let with: Vec<usize> = (0..pairs.len()).filter(|&i| pairs[i].own.state().is_some()).collect();
    let rows = match (with.first(), with.last()) {
        (Some(&first), Some(&last)) => {
            let known = texts.0.is_some() || texts.1.is_some();
            let around = if known { AROUND as usize } else { 0 };
            let (mut from, mut to) = (first.saturating_sub(around), (last + 1 + around).min(pairs.len()));
            // A change is shown whole: what is gone with what came in its place.
            let changes = |i: usize| changed && pairs[i].lines.state() != Some(State::Both);
            while from > 0 && changes(from - 1) && changes(from) && first - from < MOST_OF_A_CHANGE {
                from -= 1;
            }
            while to < pairs.len() && changes(to) && changes(to - 1) && to - last < MOST_OF_A_CHANGE {
                to += 1;
            }
            let shown = from..to;
            // Without a text a line without cost says nothing.
            pairs[shown].iter().filter(|p| known || p.own.state().is_some()).copied().collect()
        }
        _ => Vec::new(),
    };
    let sum = |rows: &[(u32, i64)]| rows.iter().map(|r| r.1).fold(0, i64::saturating_add);
    let missing = [&sides.head, &sides.base].into_iter().flatten().find_map(|s| s.missing.clone());
    SourceDiff {
        rows,
        changed,
        sum: Two {
            base: sides.base.as_ref().map(|_| sum(&in_base)),
            head: sides.head.as_ref().map(|_| sum(&in_head)),
        },
        by_line: [&sides.base, &sides.head].iter().any(|s| s.as_ref().is_some_and(|s| s.by_line)),
        files: Two {
            base: sides.base.as_ref().map(|s| s.file.clone()),
            head: sides.head.as_ref().map(|s| s.file.clone()),
        },
        missing,
        texts: Two { base: sides.base.and_then(|s| s.text), head: sides.head.and_then(|s| s.text) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::source_lines::LineRow;
    use crate::model::Strings;

    fn side(text: Option<&str>, rows: &[(u32, i64)], first: u32) -> Side {
        let row = |&(line, own): &(u32, i64)| LineRow { line, own, total: None, count: None };
        let lines = FileLines {
            file: Strings::EMPTY,
            rows: rows.iter().map(row).collect(),
            calls: Vec::new(),
            own: rows.iter().map(|r| r.1).sum(),
        };
        let text = text.map(|t| SourceText::new(PathBuf::from("a.py"), t.to_owned()));
        Side { lines: Some(lines), text, missing: None, file: "a.py".into(), first, by_line: true }
    }

    fn shown(d: &SourceDiff) -> Vec<String> {
        let n = |n: Option<u32>| n.map_or("–".into(), |n| n.to_string());
        let v = |n: Option<i64>| n.map_or("–".into(), |n| n.to_string());
        let row = |r: &LinePair| {
            format!("{}|{} {}>{}", n(r.lines.base), n(r.lines.head), v(r.own.base), v(r.own.head))
        };
        d.rows.iter().map(row).collect()
    }

    #[test]
    fn lines_of_two_versions_pair_by_their_texts() {
        let base = "def f():\n    a()\n    b()\n    c()\n";
        let head = "import x\ndef f():\n    a()\n    new()\n    c()\n";
        let sides = Two {
            base: Some(side(Some(base), &[(2, 10), (3, 20), (4, 5)], 1)),
            head: Some(side(Some(head), &[(3, 12), (4, 7), (5, 5)], 2)),
        };
        let d = beside(sides);
        assert!(d.changed);
        let rows = shown(&d);
        assert!(rows.contains(&"2|3 10>12".to_owned()) && rows.contains(&"4|5 5>5".to_owned()), "{rows:?}");
        assert!(rows.contains(&"3|– 20>–".to_owned()) && rows.contains(&"–|4 –>7".to_owned()), "{rows:?}");
        let sum: i64 = d.rows.iter().filter_map(|r| r.own.delta()).sum();
        assert_eq!(Some(sum), d.sum.delta(), "no line is lost or counted twice");
    }

    #[test]
    fn without_texts_a_function_is_shifted_as_a_whole() {
        let sides =
            Two { base: Some(side(None, &[(11, 3)], 10)), head: Some(side(None, &[(15, 4), (16, 1)], 14)) };
        let d = beside(sides);
        assert_eq!(shown(&d), ["11|15 3>4", "12|16 –>1"]);
        assert!(!d.changed);
    }
}
