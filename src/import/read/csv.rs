//! Fields of a line of comma-separated values.

use std::borrow::Cow;

/// The fields of a line. Quotes may stand around a field; two of them in it are one.
pub(in crate::import) fn fields(line: &str, delimiter: char) -> Vec<Cow<'_, str>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (field, after) = unquoted(quoted);
                let end = after.find(delimiter).unwrap_or(after.len());
                (field, &after[end..])
            }
            None => {
                let end = rest.find(delimiter).unwrap_or(rest.len());
                (Cow::Borrowed(&rest[..end]), &rest[end..])
            }
        };
        fields.push(field);
        match after.strip_prefix(delimiter) {
            Some(next) => rest = next,
            None => return fields,
        }
    }
}

/// The text up to the closing quote, and what follows that.
fn unquoted(text: &str) -> (Cow<'_, str>, &str) {
    let mut field = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let Some((part, after)) = rest.split_once('"') else { return (field + rest, "") };
        field += part;
        match after.strip_prefix('"') {
            Some(next) => {
                field += "\"";
                rest = next;
            }
            None => return (field, after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn quotes_hold_delimiters() {
        for (line, want) in [
            ("a,b,c", vec!["a", "b", "c"]),
            ("", vec![""]),
            ("a,,", vec!["a", "", ""]),
            (r#""a,b",c"#, vec!["a,b", "c"]),
            (r#""say ""x""",2"#, vec![r#"say "x""#, "2"]),
            (r#""open,2"#, vec!["open,2"]),
            (r#""a" ,b"#, vec!["a", "b"]),
        ] {
            assert_eq!(fields(line, ','), want, "{line}");
        }
        assert_eq!(fields("a;b", ';'), ["a", "b"]);
    }
}
