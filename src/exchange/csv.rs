//! Functions as comma-separated values (RFC 4180): exact numbers in the unit that the heading names, empty when
//! unknown.

use std::io::Write;

use super::Asked;
use crate::analysis::every_metric::EveryMetric;
use crate::analysis::formula::Measure;
use crate::analysis::path::Symbol;
use crate::export::ExportError;
use crate::format::csv_text;

/// Writes a row for each function.
///
/// # Errors
/// When `out` cannot be written.
pub(super) fn write(asked: &Asked, out: &mut dyn Write) -> Result<Vec<String>, ExportError> {
    let profile = &asked.profile;
    let defined: Vec<_> = asked.metric.into_iter().filter(|m| !m.formula.is_empty()).collect();
    writeln!(out, "{}", heading(&Measure::all(profile, &defined)))?;
    let rows = asked.ask(&EveryMetric { scope: asked.scope.clone(), range: asked.range, defined })?;
    let number = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
    for row in rows.iter() {
        let f = profile.functions.get(row.symbol.function());
        // Of several functions shown as one there is no single place.
        let one = matches!(row.symbol, Symbol::Function(_));
        let of_one = |id| if one { csv_text(profile.text(id)) } else { String::new() };
        let mut cells = vec![
            csv_text(&row.symbol.label(profile)),
            of_one(f.file),
            number((one && f.line > 0).then_some(u64::from(f.line))),
            csv_text(profile.text(f.module)),
            of_one(f.category),
            number(row.calls.map(|c| c.all)),
            number(row.calls.map(|c| c.primitive)),
            number(row.samples),
            row.unfinished.to_string(),
        ];
        let costs = row.costs.iter().flat_map(|&(own, total)| [own, total]);
        cells.extend(costs.map(|cost| if row.measured { cost.to_string() } else { String::new() }));
        writeln!(out, "{}", cells.join(","))?;
    }
    Ok(Vec::new())
}

fn heading(metrics: &[Measure]) -> String {
    let fixed = [
        "function",
        "file",
        "line",
        "module",
        "category",
        "calls",
        "primitive calls",
        "samples",
        "unfinished",
    ];
    let mut head: Vec<String> = fixed.map(str::to_owned).into();
    for m in metrics {
        head.extend(
            ["self", "total"].map(|what| csv_text(&format!("{what} {} ({})", m.key.key, m.unit.key()))),
        );
    }
    head.join(",")
}
