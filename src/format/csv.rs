//! Comma-separated values (RFC 4180) for spreadsheets and programs.

use std::borrow::Cow;

use super::plain;

/// A cell that holds a text out of a profile. It stays one line, and no spreadsheet takes it for a formula: `'=1+1`.
#[must_use]
pub fn csv_text(text: &str) -> String {
    let text = plain(text);
    // Where `;` parts cells, what follows one begins a cell.
    let guarded: Vec<Cow<'_, str>> = text.split(';').map(guarded).collect();
    quoted(&guarded.join(";")).into_owned()
}

fn guarded(text: &str) -> Cow<'_, str> {
    // As they are, and in the full width of East Asian keyboards.
    let formula = |c| matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
    match text.trim_start().starts_with(formula) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

fn quoted(text: &str) -> Cow<'_, str> {
    match text.contains([',', ';', '"', '\n', '\r']) {
        true => Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_none_ends_its_row() {
        for (text, cell) in [
            ("main", "main"),
            ("a\"b,c\nd", "\"a\"\"b,c␊d\""),
            ("=cmd|\" /C calc\"!A0", "\"'=cmd|\"\" /C calc\"\"!A0\""),
            ("+1+1", "'+1+1"),
            ("-2+3", "'-2+3"),
            (" @SUM(1)", "' @SUM(1)"),
            ("\t=1+1", "␉=1+1"),
            ("\r=2", "␍=2"),
            ("＝1", "'＝1"),
            ("x;=1", "\"x;'=1\""),
            ("operator-", "operator-"),
            ("", ""),
        ] {
            assert_eq!(csv_text(text), cell, "{text:?}");
        }
    }
}
