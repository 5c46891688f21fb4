//! Functions as comma-separated values (RFC 4180): exact numbers in the unit that the heading names, empty when
//! unknown.

use super::{Counted, Row};
use crate::model::Profile;

fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

pub(super) fn render(profile: &Profile, metrics: &[Counted], rows: &[Row]) -> String {
    let mut head: Vec<String> =
        ["function", "file", "line", "module", "category", "calls", "primitive calls", "samples"]
            .map(str::to_owned)
            .into();
    for Counted { key, measure } in metrics {
        head.extend(["self", "total"].map(|what| format!("{what} {} ({})", key.key, measure.unit.key())));
    }
    let mut lines = vec![head.iter().map(|h| field(h)).collect::<Vec<_>>().join(",")];
    let number = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
    for row in rows {
        let f = profile.functions.get(row.function);
        let mut cells = vec![
            field(profile.text(f.name)),
            field(profile.text(f.file)),
            number((f.line > 0).then_some(u64::from(f.line))),
            field(profile.text(f.module)),
            field(profile.text(f.category)),
            number(row.calls.map(|c| c.all)),
            number(row.calls.map(|c| c.primitive)),
            number(row.samples),
        ];
        cells.extend(row.costs.iter().flat_map(|(own, total)| [own.to_string(), total.to_string()]));
        lines.push(cells.join(","));
    }
    lines.join("\n") + "\n"
}
