//! Tables as text: CSV with exact numbers for other programs, Markdown and aligned text for people.

use super::grid::Column;
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
    let heading = |c: &Column| {
        let title = c.title.clone();
        let exact = if costs.contains(&c.key) {
            format!("{} ({})", title.split(" (").next().unwrap_or_default(), unit.key())
        } else {
            title.clone()
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
            let line =
                |cells: &mut dyn Iterator<Item = &str>| cells.map(csv_field).collect::<Vec<_>>().join(",");
            let mut lines = vec![line(&mut headings.iter().map(|h| h.exact.as_str()))];
            lines.extend(rows.iter().map(|row| line(&mut row.iter().map(|v| v.exact.as_str()))));
            lines.join("\n") + "\n"
        }
        Form::Markdown => {
            let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            let escaped = |t: &str| t.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ");
            let mut out = line(headings.iter().map(|h| escaped(&h.title)).collect());
            out += &line(headings.iter().map(|h| if h.number { "---:" } else { "---" }.to_owned()).collect());
            out.extend(rows.iter().map(|row| line(row.iter().map(|v| escaped(&v.text)).collect())));
            out
        }
        Form::Text => aligned(headings, rows),
    }
}

fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn aligned(headings: &[Heading], rows: &[Vec<Value>]) -> String {
    let width = |t: &str| t.chars().count();
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
            let fill = " ".repeat(widths[i].saturating_sub(width(text)));
            line += if i > 0 { "  " } else { "" };
            line += &if headings[i].number { fill + text } else { text.to_owned() + &fill };
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
        ];
        let form = |form| table(form, &headings, &rows);
        assert_eq!(form(Form::Csv), "Self (ns),Function\n1500,\"a|b, \"\"c\"\"\"\n,main\n");
        assert_eq!(
            form(Form::Markdown),
            "| Self | Function |\n| ---: | --- |\n| 1.50 µs | a\\|b, \"c\" |\n| – | main |\n"
        );
        assert_eq!(form(Form::Text), "   Self  Function\n1.50 µs  a|b, \"c\"\n      –  main\n");
    }
}
