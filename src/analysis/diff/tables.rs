//! Tables of results that both runs hold, such as those of a model's weight formats, beside each other.

use super::Two;
use crate::format;
use crate::model::{Profile, ResultTable};

/// A table of both runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwoResults {
    /// What it compares.
    pub title: String,
    /// Headings, the first one that of the names of rows; those of the new run first.
    pub columns: Vec<String>,
    /// Rows: what they are called, and the other cells.
    pub rows: Vec<(String, Vec<Two<String>>)>,
}

/// The results that both runs have; of two tables of one title the first. Tables that are equal say nothing about a difference, and are
/// there all the same: that is an answer.
#[must_use]
pub fn results(base: &Profile, head: &Profile) -> Vec<TwoResults> {
    let of = |p: &Profile| p.meta.tables.iter().filter(|t| !t.minor).cloned().collect::<Vec<_>>();
    let in_base = of(base);
    let both = |h: ResultTable| Some(two(in_base.iter().find(|b| b.title == h.title)?, &h));
    of(head).into_iter().filter_map(both).collect()
}

fn two(base: &ResultTable, head: &ResultTable) -> TwoResults {
    let mut columns = head.columns.clone();
    columns.extend(base.columns.iter().filter(|c| !head.columns.contains(c)).cloned());
    let cell = |table: &ResultTable, row: Option<&Vec<String>>, column: &str| {
        let at = table.columns.iter().position(|c| c == column)?;
        row?.get(at).filter(|text| !text.is_empty() && *text != format::UNKNOWN).cloned()
    };
    let named = |table: &ResultTable| -> Vec<String> {
        table.rows.iter().filter_map(|row| row.first().cloned()).collect()
    };
    let (of_base, of_head) = (named(base), named(head));
    // Of one row each the two are what was compared, whatever they are called.
    if let ([b], [h]) = (&base.rows[..], &head.rows[..])
        && let (Some(before), Some(after)) = (b.first(), h.first())
    {
        let name = if before == after { after.clone() } else { format!("{before} → {after}") };
        let cells = columns
            .iter()
            .skip(1)
            .map(|column| Two { base: cell(base, Some(b), column), head: cell(head, Some(h), column) });
        let rows = vec![(name, cells.collect())];
        return TwoResults { title: head.title.clone(), columns, rows };
    }
    let mut names = of_head.clone();
    names.extend(of_base.iter().filter(|name| !of_head.contains(name)).cloned());
    let row = |name: String| {
        let find = |table: &ResultTable| table.rows.iter().find(|r| r.first() == Some(&name)).cloned();
        let (b, h) = (find(base), find(head));
        let cells = columns
            .iter()
            .skip(1)
            .map(|column| Two { base: cell(base, b.as_ref(), column), head: cell(head, h.as_ref(), column) });
        (name.clone(), cells.collect())
    };
    let rows = names.into_iter().map(row).collect();
    TwoResults { title: head.title.clone(), columns, rows }
}

/// The number that a cell begins with, and what stands behind it: «12.5 tok/s».
fn number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let digits =
        |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '−' | '+' | '\u{202f}' | '\u{2009}');
    let end = text.find(|c| !digits(c)).unwrap_or(text.len());
    let plain: String = text[..end]
        .chars()
        .filter_map(|c| match c {
            '−' => Some('-'),
            ',' | '\u{202f}' | '\u{2009}' => None,
            c => Some(c),
        })
        .collect();
    Some((plain.parse().ok()?, text[end..].trim()))
}

/// By how much a cell changed, as a share of the baseline; `None` unless both are numbers of one unit and base is positive.
#[must_use]
pub fn change(cell: &Two<String>) -> Option<f64> {
    let (base, head) = (number(cell.base.as_deref()?)?, number(cell.head.as_deref()?)?);
    (base.1 == head.1 && base.0 > 0.0).then(|| (head.0 - base.0) / base.0)
}

/// «12.5 tok/s → 30.1 tok/s (+141 %)»; one text where both runs have the same.
#[must_use]
pub fn words(cell: &Two<String>) -> String {
    let text = |side: &Option<String>| side.clone().unwrap_or_else(|| format::UNKNOWN.into());
    if cell.base == cell.head {
        return text(&cell.head);
    }
    let change = change(cell).map(|c| format!(" ({})", format::percent_change(c))).unwrap_or_default();
    format!("{} → {}{change}", text(&cell.base), text(&cell.head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProfileBuilder;

    fn run(rows: &[[&str; 3]]) -> Profile {
        let mut b = ProfileBuilder::new("test");
        let rows = rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
        let columns = ["Format", "Speed", "Size"].map(str::to_owned).to_vec();
        b.meta.tables.push(ResultTable { title: "Formats".into(), columns, rows, ..ResultTable::default() });
        b.finish()
    }

    #[test]
    fn rows_of_both_tables_stand_beside_each_other_by_their_names() {
        let base = run(&[["f32", "10.0 tok/s", "4.1 GB"], ["q8_0", "20.0 tok/s", "1.2 GB"]]);
        let head = run(&[["q8_0", "25.0 tok/s", "1.2 GB"], ["q4_0", "40.0 tok/s", "–"]]);
        let [table] = &results(&base, &head)[..] else { panic!("one table") };
        let line = |(name, cells): &(String, Vec<Two<String>>)| {
            format!("{name}: {}", cells.iter().map(words).collect::<Vec<_>>().join(", "))
        };
        let lines: Vec<_> = table.rows.iter().map(line).collect();
        let want = [
            "q8_0: 20.0 tok/s → 25.0 tok/s (+25.0 %), 1.2 GB",
            "q4_0: – → 40.0 tok/s, –",
            "f32: 10.0 tok/s → –, 4.1 GB → –",
        ];
        assert_eq!(lines, want);
        assert_eq!(change(&Two::both("1.2 GB".into(), "900 MB".into())), None, "other units");
        let [one, other] =
            [["f32", "10.0 tok/s", "4.1 GB"], ["q8_0", "20.0 tok/s", "1.2 GB"]].map(|row| run(&[row]));
        let [table] = &results(&one, &other)[..] else { panic!("one table") };
        assert_eq!(
            line(&table.rows[0]),
            "f32 → q8_0: 10.0 tok/s → 20.0 tok/s (+100 %), 4.1 GB → 1.2 GB (−70.7 %)"
        );
        assert!(results(&base, &ProfileBuilder::new("x").finish()).is_empty());
    }
}
