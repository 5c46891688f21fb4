//! Tables as text: CSV with exact numbers for other programs, Markdown and aligned text for people.

use super::grid::Column;
use crate::format::{csv_text, plain};
use crate::model::Unit;

/// A form of a copied table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Comma-separated values with exact numbers (RFC 4180).
    Csv,
    /// A Markdown table.
    Markdown,
    /// Columns aligned with spaces.
    Text,
}

impl Form {
    /// All forms with what a menu says.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::Csv, "Copy table as CSV"),
        (Self::Markdown, "Copy table as Markdown"),
        (Self::Text, "Copy table as text"),
    ];
}

/// A cell: what a person reads, and the same without loss for programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// Formatted.
    pub text: String,
    /// Exact; empty when unknown.
    pub exact: String,
}

impl Value {
    /// A text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { exact: text.clone(), text }
    }

    /// A number: formatted, and exact.
    #[must_use]
    pub fn number(text: impl Into<String>, exact: Option<impl ToString>) -> Self {
        Self { text: text.into(), exact: exact.map_or_else(String::new, |n| n.to_string()) }
    }
}

/// A column's heading: for people, and with its unit for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// What the table shows.
    pub title: String,
    /// With the unit of exact values.
    pub exact: String,
    /// True for numbers, which stand at the right.
    pub number: bool,
}

/// The headings of `columns`; those whose keys are `costs` hold costs, exactly in `unit`.
#[must_use]
pub fn headings(columns: &[Column], unit: Unit, costs: &[&str]) -> Vec<Heading> {
    headings_of(columns, |key| costs.contains(&key).then_some(unit))
}

/// The headings of `columns`; `unit` tells by its key what unit a column holds exact costs in.
#[must_use]
pub fn headings_of(columns: &[Column], unit: impl Fn(&str) -> Option<Unit>) -> Vec<Heading> {
    let heading = |c: &Column| {
        let title = c.title.clone();
        let exact = match unit(c.key) {
            Some(unit) => format!("{} ({})", title.split(" (").next().unwrap_or_default(), unit.key()),
            None => title.clone(),
        };
        Heading { title, exact, number: c.align == egui::Align::RIGHT }
    };
    columns.iter().map(heading).collect()
}

/// The table as text in a form.
#[must_use]
pub fn table(form: Form, headings: &[Heading], rows: &[Vec<Value>]) -> String {
    match form {
        Form::Csv => {
            let cell = |(heading, value): (&Heading, &Value)| match heading.number {
                true => value.exact.clone(),
                false => csv_text(&value.exact),
            };
            let mut lines = vec![headings.iter().map(|h| csv_text(&h.exact)).collect::<Vec<_>>().join(",")];
            let line = |row: &Vec<Value>| headings.iter().zip(row).map(cell).collect::<Vec<_>>().join(",");
            lines.extend(rows.iter().map(line));
            lines.join("\n") + "\n"
        }
        Form::Markdown => {
            let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            let escaped = |t: &str| plain(t).replace('\\', "\\\\").replace('|', "\\|");
            let mut out = line(headings.iter().map(|h| escaped(&h.title)).collect());
            out += &line(headings.iter().map(|h| if h.number { "---:" } else { "---" }.to_owned()).collect());
            out.extend(rows.iter().map(|row| line(row.iter().map(|v| escaped(&v.text)).collect())));
            out
        }
        Form::Text => aligned(headings, rows),
    }
}

fn aligned(headings: &[Heading], rows: &[Vec<Value>]) -> String {
    let width = |t: &str| plain(t).chars().count();
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(i, h)| {
            let cells = rows.iter().filter_map(|row| row.get(i)).map(|v| width(&v.text));
            cells.max().unwrap_or(0).max(width(&h.title))
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (i, text) in cells.enumerate() {
            let text = plain(text);
            let fill = " ".repeat(widths[i].saturating_sub(width(&text)));
            line += if i > 0 { "  " } else { "" };
            line += &if headings[i].number { fill + &text } else { text.into_owned() + &fill };
        }
        line.trim_end().to_owned() + "\n"
    };
    let mut out = line(&mut headings.iter().map(|h| h.title.as_str()));
    out.extend(rows.iter().map(|row| line(&mut row.iter().map(|v| v.text.as_str()))));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_copied_in_each_form() {
        let heading =
            |title: &str, exact: &str, number| Heading { title: title.into(), exact: exact.into(), number };
        let headings = [heading("Self", "Self (ns)", true), heading("Function", "Function", false)];
        let rows = [
            vec![Value::number("1.50 µs", Some(1500)), Value::text("a|b, \"c\"")],
            vec![Value::number("–", None::<i64>), Value::text("main")],
            vec![Value::number("−1 ns", Some(-1)), Value::text("=1\n")],
        ];
        let form = |form| table(form, &headings, &rows);
        assert_eq!(form(Form::Csv), "Self (ns),Function\n1500,\"a|b, \"\"c\"\"\"\n,main\n-1,'=1␊\n");
        assert_eq!(
            form(Form::Markdown),
            "| Self | Function |\n| ---: | --- |\n| 1.50 µs | a\\|b, \"c\" |\n| – | main |\n| −1 ns | =1␊ |\n"
        );
        assert_eq!(form(Form::Text), "   Self  Function\n1.50 µs  a|b, \"c\"\n      –  main\n  −1 ns  =1␊\n");
    }
}
