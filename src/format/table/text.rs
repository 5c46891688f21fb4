//! Tables as text: CSV with exact numbers for other programs, Markdown and aligned text for people.

use super::super::{csv_text, plain};
use super::Column;

/// A form of a copied table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyAs {
    /// Comma-separated values with exact numbers (RFC 4180).
    Csv,
    /// A Markdown table.
    Markdown,
    /// Columns aligned with spaces.
    Text,
}

impl CopyAs {
    /// All forms with what a menu says.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::Csv, "Copy table as CSV"),
        (Self::Markdown, "Copy table as Markdown"),
        (Self::Text, "Copy table as text"),
    ];
}

/// The rows as text in a form.
pub fn copied<R, S>(form: CopyAs, columns: &[Column<'_, R, S>], rows: impl Iterator<Item = R>) -> String
where
    R: Copy,
{
    match form {
        CopyAs::Csv => {
            let mut out =
                columns.iter().map(|c| csv_text(&c.exact_heading())).collect::<Vec<_>>().join(",") + "\n";
            for row in rows {
                let cell = |c: &Column<'_, R, S>| {
                    let exact = c.exact(row);
                    if c.is_number() { exact } else { csv_text(&exact) }
                };
                out += &columns.iter().map(cell).collect::<Vec<_>>().join(",");
                out.push('\n');
            }
            out
        }
        CopyAs::Markdown => {
            let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            let escaped = |t: &str| plain(t).replace('\\', "\\\\").replace('|', "\\|");
            let mut out = line(columns.iter().map(|c| escaped(&c.heading())).collect());
            out += &line(
                columns.iter().map(|c| if c.is_number() { "---:" } else { "---" }.to_owned()).collect(),
            );
            out.extend(rows.map(|row| line(columns.iter().map(|c| escaped(&c.cell(row))).collect())));
            out
        }
        CopyAs::Text => aligned(columns, rows).join("\n") + "\n",
    }
}

/// Widest column of texts: one long name must not push away what stands beside the others.
const WIDEST: usize = 60;

/// Lines of a table for a terminal, the headings first: columns are as wide as their widest cell, numbers stand at the right.
pub fn aligned<R, S>(columns: &[Column<'_, R, S>], rows: impl Iterator<Item = R>) -> Vec<String>
where
    R: Copy,
{
    let written = |text: String| plain(&text).into_owned();
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|c| written(c.heading())).collect()];
    lines.extend(rows.map(|row| columns.iter().map(|c| written(c.cell(row))).collect()));
    let width = |text: &String| text.chars().count();
    let widest = |i: usize| {
        let cells = lines.iter().map(|line| width(&line[i]));
        let fit = |&n: &usize| n <= WIDEST || columns[i].is_number();
        cells.filter(fit).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(widest).collect();
    let line = |cells: &Vec<String>| {
        let cells = cells.iter().zip(columns).zip(&widths).map(|((cell, column), most)| {
            let fill = " ".repeat(most.saturating_sub(width(cell)));
            if column.is_number() { fill + cell } else { format!("{cell}{fill}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect()
}
