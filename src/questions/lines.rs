//! `lines`: what each source line costs, with its text where the source is at hand.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::arguments::{Argument, BUDGET_OF, Kind, METRIC, RANGE, THREAD, TOP};
use super::instructions;
use super::names::Names;
use super::sheet::{Part, Row};
use super::{Asked, Question, Refusal, Sheet, SourcesFrom, notes, words};
use crate::analysis::formula::Measure;
use crate::analysis::source_file::{SourceAnswer, SourceFile, SourceRule, SourceText};
use crate::analysis::source_lines::{FileLines, Grain, LineRow, LineTable, Lines};
use crate::analysis::waiting::Waiting;
use crate::analysis::{Functions, Slice};
use crate::format::{self, plain, short};
use crate::import::may_be_shown;
use crate::model::{FunctionId, NameKey, Profile, StringId};

pub(super) const QUESTION: Question = Question {
    name: "lines",
    about: "Cost of source lines of a function or a file, with their text where it is at hand",
    files: &["file"],
    arguments: &[
        Argument::new("function", Kind::Text, "a name, file:line, or a handle (f12) [default: the largest]"),
        Argument::new(
            "instructions",
            Kind::Flag,
            "its machine instructions and jumps instead of its lines (callgrind --dump-instr=yes)",
        ),
        Argument::new("source", Kind::Text, "all functions of this source file instead"),
        Argument::new(
            "sources",
            Kind::Text,
            "where source and object files are: a folder, or FROM=TO for paths that moved",
        ),
        TOP,
        THREAD,
        RANGE,
        METRIC,
        BUDGET_OF,
    ],
    bare: "function",
    example: "inferscope lines run.callgrind.out --function main",
    answer,
};

/// Longest text of a line, characters.
const LONGEST: usize = 100;
/// Share of the largest line below which a line is not worth one.
const TINY: f64 = 0.005;

fn answer(asked: &Asked<'_>) -> Result<Sheet, Refusal> {
    let p = asked.profile();
    let slice = asked.slice()?;
    let Some(metric) = Measure::of(slice.metric, p) else { return Err(notes::no_costs(p).into()) };
    if asked.values.flag("instructions") {
        return instructions::answer(asked, &slice, &metric);
    }
    let is_default = asked.values.text("function").is_none() && asked.values.text("source").is_none();
    let (function, whole_file) = match (asked.values.text("function"), asked.values.text("source")) {
        (Some(text), _) => (asked.function(text)?, None),
        (None, Some(source)) => {
            let (file, function) = of_file(p, source)?;
            (function, Some(file))
        }
        (None, None) => (largest(asked, &slice)?, None),
    };
    let query = Lines {
        slice,
        function: p.keys().symbol(function),
        whole_file: whole_file.map(|f| NameKey::from(p.text(f))),
    };
    let table = asked.get(&query)?;
    let names = Names::of(asked)?;
    let grain = match table.grain {
        Grain::Lines => "per line",
        Grain::Definition => "no lines in this file: costs stand where functions are defined",
    };
    let what = whole_file.map_or_else(|| names.full(function), |f| plain(p.text(f)).into_owned());
    let own = if whole_file.is_some() { table.files.first().map_or(0, |f| f.own) } else { table.own };
    let head = format!(
        "{what}: self {} ({} of {} {}{}); {grain}; {}",
        words::cost(metric.unit, own),
        words::share(own, table.whole.own),
        words::cost(metric.unit, table.whole.own),
        metric.label,
        asked.part()?,
        words::basis(p, &p.meta.basis),
    );
    let mut sheet = Sheet::new(head, asked.budget());
    sheet.function = Some(function);
    sheet.value("own", own);
    sheet.value("sum", table.whole.own);
    sheet.value("unit", metric.unit.key());
    for (i, file) in table.files.iter().enumerate() {
        let text = text_of(asked, file.file)?;
        if let (0, Err(why)) = (i, &text) {
            sheet.notes.push(format!("no source text: {why}; {}", asked.door.argument("sources", "FOLDER")));
        }
        sheet.part(part(asked, &table, file, i, text.ok().as_deref(), metric.unit));
    }
    if is_default {
        let other = asked.door.argument("function", "NAME");
        sheet.notes.push(format!("it is the largest function with a source file; {other} for another one"));
    }
    if table.unplaced != 0 {
        sheet.notes.push(format!("{} have no known line", words::cost(metric.unit, table.unplaced)));
    }
    Ok(sheet)
}

/// The function with the largest own cost that is no wait.
pub(super) fn largest(asked: &Asked<'_>, slice: &Slice) -> Result<FunctionId, Refusal> {
    let (table, waits) = (asked.get(&Functions(slice.clone()))?, asked.get(&Waiting)?);
    let named = |f: FunctionId| {
        let row = asked.profile().functions.get(f);
        row.line > 0 || !asked.profile().text(row.file).is_empty()
    };
    let found =
        table.rows.iter().find(|r| r.module.is_none() && !waits[r.function.index()] && named(r.function));
    found.map(|r| r.function).ok_or_else(|| "no function of this file has a source file".into())
}

/// A source file by a part of its path, and a function in it.
pub(super) fn of_file(p: &Profile, wanted: &str) -> Result<(StringId, FunctionId), Refusal> {
    let wanted = &*wanted.replace('\\', "/");
    let ends = |file: &str| {
        let rest = file.replace('\\', "/");
        rest.strip_suffix(wanted).is_some_and(|before| before.is_empty() || before.ends_with('/'))
    };
    let mut found: Vec<(StringId, FunctionId)> = Vec::new();
    for f in p.functions.ids() {
        let file = p.functions.get(f).file;
        if ends(p.text(file)) && !found.iter().any(|known| known.0 == file) {
            found.push((file, f));
        }
    }
    match &found[..] {
        [one] => Ok(*one),
        [] => {
            let mut known: Vec<&str> = p.functions.rows().iter().map(|f| p.text(f.file)).collect();
            known.sort_unstable();
            known.dedup();
            let name = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
            let near = known.iter().filter(|f| !f.is_empty() && name(f).contains(&name(wanted)));
            let near: Vec<_> = near.take(8).map(|f| plain(f)).collect();
            let near =
                if near.is_empty() { String::new() } else { format!("; there are {}", near.join(", ")) };
            Err(format!("source: no function is in a file «{}»{near}", words::said(wanted)).into())
        }
        several => {
            let list: Vec<_> = several.iter().take(8).map(|f| plain(p.text(f.0))).collect();
            Err(format!("source: «{}» may be {}; say more of the path", words::said(wanted), list.join(", "))
                .into())
        }
    }
}

/// A file that the profile names, and where it may be.
pub(super) fn whereabouts(asked: &Asked<'_>, name: &str) -> SourceFile {
    let rule = asked.values.text("sources").map(|text| match text.split_once('=') {
        Some((from, to)) => SourceRule { from: from.into(), to: to.into() },
        // The file itself is in that folder, whatever folder the profile names.
        None => SourceRule {
            from: name.rsplit_once(['/', '\\']).map_or("", |(folder, _)| folder).into(),
            to: text.into(),
        },
    });
    let beside = asked.files[0].folder.clone();
    SourceFile { file: name.to_owned(), beside, rules: rule.into_iter().collect(), attempt: 0 }
}

/// True when what lies there may be shown.
pub(super) fn may_read(asked: &Asked<'_>, path: &Path) -> bool {
    match asked.sources {
        SourcesFrom::Anywhere => true,
        SourcesFrom::Below(roots) => {
            path.canonicalize().is_ok_and(|real| roots.iter().any(|root| real.starts_with(root)))
        }
    }
}

/// The text of a source file, or why there is none.
fn text_of(asked: &Asked<'_>, file: StringId) -> Result<Result<Arc<SourceText>, String>, Refusal> {
    let name = asked.profile().text(file);
    let query = whereabouts(asked, name);
    // What was read is shown only when it is a source text and lies where it may.
    let may = |text: &SourceText| match () {
        () if text.carried => Ok(()),
        () if !may_read(asked, &text.path) => {
            Err("it lies outside of the folders that may be read".to_owned())
        }
        () => may_be_shown(&text.path, text.text())
            .map_err(|why| format!("{} {why}", plain(&text.path.display().to_string()))),
    };
    Ok(match &*asked.get(&query)? {
        SourceAnswer::Found(text) => may(text).map(|()| Arc::new(text.clone())),
        SourceAnswer::Missing { why: Some(why), .. } => Err((*why).to_owned()),
        SourceAnswer::Missing { tried, .. } => Err(match tried.first() {
            Some((path, why)) => format!("{path} {why}"),
            None => "the profile gives no path that could be looked for".to_owned(),
        }),
    })
}

fn part(
    asked: &Asked<'_>,
    table: &LineTable,
    file: &FileLines,
    place: usize,
    text: Option<&SourceText>,
    unit: crate::model::Unit,
) -> Part {
    let p = asked.profile();
    // The most expensive first: rows that do not fit are the smallest.
    let mut rows: Vec<&LineRow> =
        file.rows.iter().filter(|r| r.own != 0 || r.total.is_some_and(|t| t != 0)).collect();
    rows.sort_by_key(|r| (std::cmp::Reverse((r.own, r.total)), r.line));
    // Lines that cost next to nothing come last, and need no line of the answer.
    let size = |r: &LineRow| r.own.max(r.total.unwrap_or(0));
    let largest = rows.iter().map(|r| size(r)).max().unwrap_or(0);
    let tiny = |r: &LineRow| (size(r) as f64) < largest as f64 * TINY;
    rows.sort_by_key(|r| tiny(r));
    let most = rows.iter().filter(|r| !tiny(r)).count();
    // Rows of sums are no samples.
    let is_counted = !table.sampled || p.counts_samples();
    let line = |r: &&LineRow| {
        let said = text.and_then(|t| t.line(r.line)).map(|l| short(l.0.trim(), LONGEST).into_owned());
        let count = r.count.map_or_else(|| format::UNKNOWN.into(), words::count) + " ";
        let count = if is_counted { count } else { String::new() };
        let line = format!(
            "{} {} {} {} {count}{}",
            r.line,
            words::cost(unit, r.own),
            words::share(r.own, table.whole.own),
            words::known(unit, r.total),
            said.as_deref().unwrap_or_default()
        );
        let json = json!({
            "line": r.line, "own": r.own, "total": r.total, "count": r.count, "text": said,
        });
        Row::new(line, json)
    };
    let shown: Vec<Row> = rows.iter().take(asked.top()).map(line).collect();
    let own: Vec<i64> = rows.iter().map(|r| r.own).collect();
    let count = if table.sampled { "samples" } else { "calls" };
    let name = plain(p.text(file.file)).into_owned();
    let title = match place {
        0 if !is_counted => "line, self, %, total, text".to_owned(),
        0 => format!("line, self, %, total, {count}, text"),
        _ => format!("inlined from {name}:"),
    };
    let (given, door, budget, sum) = (shown.len(), asked.door, asked.more_budget(), table.whole.own);
    let key = if place == 0 { "lines" } else { "inlined" };
    Part::new(key, title, shown).least(8).most(most).rest(move |shown| {
        let left: i64 = own[shown..].iter().sum();
        let more = if shown < given.min(most) {
            budget.clone()
        } else if shown < given {
            format!("each below {} of the largest", format::percent(TINY))
        } else {
            door.argument("top", shown.max(1) * 2)
        };
        match own.len() - shown {
            0 => String::new(),
            n => format!("… {n} more lines with {}; {more}", words::share(left, sum)),
        }
    })
}
