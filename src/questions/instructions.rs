//! `lines --instructions`: what each machine instruction of a function costs, and how often its jumps are followed.

use std::cmp::Reverse;

use serde_json::json;

use super::lines::{largest, may_read, whereabouts};
use super::names::Names;
use super::sheet::{Part, Row};
use super::{Asked, Refusal, Sheet, words};
use crate::analysis::assembly::code::{CodeAnswer, MachineCode};
use crate::analysis::assembly::text::CodeText;
use crate::analysis::assembly::{Assembly, AssemblyTable, InstructionRow, JumpRow, has_instructions};
use crate::analysis::columns::instructions::{address, short as last_part};
use crate::analysis::formula::Measure;
use crate::analysis::scope::Slice;
use crate::format::{self, plain};
use crate::model::{FunctionId, Unit};

/// The answer: the most expensive instructions first, as lines are, because rows that do not fit are the last ones.
pub(super) fn answer(asked: &Asked<'_>, slice: &Slice, metric: &Measure) -> Result<Sheet, Refusal> {
    let p = asked.profile();
    if !has_instructions(p) {
        return Err("this file has no instructions; callgrind records them: valgrind --tool=callgrind \
                    --dump-instr=yes --collect-jumps=yes PROGRAM"
            .into());
    }
    if asked.values.text("source").is_some() {
        return Err("instructions are those of one function: name it instead of a source file".into());
    }
    let function = match asked.values.text("function") {
        Some(text) => asked.function(text)?,
        None => largest(asked, slice)?,
    };
    let symbol = p.keys().symbol(function);
    let table = asked.get(&Assembly { metric: slice.metric, function: symbol })?;
    let names = Names::of(asked)?;
    let object = p.text(table.object);
    let head = format!(
        "{}: self {} ({} of {} {}); {} of {}; {}",
        names.full(function),
        words::cost(metric.unit, table.own),
        words::share(table.own, table.whole.own),
        words::cost(metric.unit, table.whole.own),
        metric.label,
        words::counted(table.rows.len() as u64, "instruction", "instructions"),
        if object.is_empty() { "an unknown object file".into() } else { plain(object) },
        words::basis(p, &p.meta.basis),
    );
    let mut sheet = Sheet::new(head, asked.budget());
    sheet.function = Some(function);
    sheet.value("own", table.own);
    sheet.value("sum", table.whole.own);
    sheet.value("unit", metric.unit.key());
    sheet.value("object", object);
    let code = asked.get(&MachineCode { function: symbol, file: whereabouts(asked, object) })?;
    let text = match &*code {
        CodeAnswer::Found(text) if may_read(asked, &text.path) => Ok(text),
        CodeAnswer::Found(_) => Err("it lies outside of the folders that may be read".to_owned()),
        CodeAnswer::Missing { why: Some(why), .. } => Err((*why).to_owned()),
        CodeAnswer::Missing { tried, .. } => Err(match tried.first() {
            Some((path, why)) => format!("{path} {why}"),
            None => "the profile gives no path that could be looked for".to_owned(),
        }),
    };
    let file = p.functions.get(function).file;
    let place = |row: &InstructionRow| match row.line {
        0 => format::UNKNOWN.to_owned(),
        line if row.file == file => line.to_string(),
        line => format!("{}:{line}", plain(last_part(p.text(row.file)))),
    };
    sheet.part(instructions(asked, &table, text.as_ref().ok().copied(), metric.unit, &place, &names));
    if !table.jumps.is_empty() {
        sheet.part(jumps(asked, &table));
    }
    if let Err(why) = text {
        sheet.notes.push(format!("no instruction text: {why}; {}", asked.door.argument("sources", "FOLDER")));
    }
    if !table.has_jumps {
        sheet.notes.push("no jumps in this file; callgrind records them with --collect-jumps=yes".into());
    }
    if table.unplaced != 0 {
        sheet.notes.push(format!("{} have no known address", words::cost(metric.unit, table.unplaced)));
    }
    Ok(sheet)
}

fn instructions(
    asked: &Asked<'_>,
    table: &AssemblyTable,
    text: Option<&CodeText>,
    unit: Unit,
    place: &dyn Fn(&InstructionRow) -> String,
    names: &Names<'_>,
) -> Part {
    let p = asked.profile();
    let mut rows: Vec<&InstructionRow> = table.rows.iter().collect();
    rows.sort_by_key(|r| (Reverse((r.own, r.total)), r.address));
    let called = |f: FunctionId| names.name(f);
    let row = |r: &&InstructionRow| {
        let said = text.map(|t| t.at(r.address)).filter(|t| !t.is_empty());
        let calls = table.calls_of(r.address);
        let callees: Vec<String> = calls.iter().map(|c| called(c.callee)).collect();
        let arrow = if callees.is_empty() { String::new() } else { format!(" → {}", callees.join(", ")) };
        let line = format!(
            "{} {} {} {} {} {}{arrow}",
            address(r.address),
            place(r),
            words::cost(unit, r.own),
            words::share(r.own, table.whole.own),
            words::known(unit, r.total),
            said.unwrap_or_default(),
        );
        let calls: Vec<_> = calls
            .iter()
            .map(|c| json!({ "callee": called(c.callee), "calls": c.count, "cost": c.cost }))
            .collect();
        let json = json!({
            "address": address(r.address), "file": p.text(r.file), "line": r.line, "own": r.own, "total": r.total,
            "text": said, "calls": calls,
        });
        Row::new(line, json)
    };
    let shown: Vec<Row> = rows.iter().take(asked.top()).map(row).collect();
    let own: Vec<i64> = rows.iter().map(|r| r.own).collect();
    let (given, door, budget, sum) = (shown.len(), asked.door, asked.more_budget(), table.whole.own);
    Part::new("instructions", "address, line, self, %, total, instruction:", shown).least(8).rest(
        move |shown| {
            let left: i64 = own[shown..].iter().sum();
            let more = if shown < given { budget.clone() } else { door.argument("top", shown.max(1) * 2) };
            match own.len() - shown {
                0 => String::new(),
                n => format!("… {n} more instructions with {}; {more}", words::share(left, sum)),
            }
        },
    )
}

fn jumps(asked: &Asked<'_>, table: &AssemblyTable) -> Part {
    let mut rows: Vec<&JumpRow> = table.jumps.iter().collect();
    rows.sort_by_key(|j| (Reverse((j.followed, j.executed)), j.from, j.to));
    let row = |j: &&JumpRow| {
        let share = j.share().filter(|_| j.conditional).map_or_else(|| "always".into(), format::percent);
        let line = format!("{} → {} {} {share}", address(j.from), address(j.to), words::count(j.followed));
        let json = json!({
            "from": address(j.from), "to": address(j.to), "conditional": j.conditional, "executed": j.executed,
            "followed": j.followed,
        });
        Row::new(line, json)
    };
    Part::new(
        "jumps",
        "jumps, times followed, % of times executed:",
        rows.iter().take(asked.top()).map(row).collect(),
    )
}
