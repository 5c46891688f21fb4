//! A command line as words and back, by the quoting rules of a POSIX shell. Nothing is expanded.

/// Splits a command line.
///
/// # Errors
/// One line when a quote is not closed.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = line.chars();
    while let Some(c) = letters.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('"'), '\\') => match letters.next() {
                Some(c @ ('"' | '\\' | '$' | '`')) => word.get_or_insert_default().push(c),
                Some(c) => word.get_or_insert_default().extend(['\\', c]),
                None => break,
            },
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            // A backslash is part of a Windows path.
            (None, '\\') if cfg!(unix) => word.get_or_insert_default().extend(letters.next()),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(quote) = quote {
        return Err(format!("the command line lacks a closing {quote}"));
    }
    words.extend(word);
    Ok(words)
}

/// One line that [`split`] turns into these words again.
pub(super) fn join<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+^".contains(c);
    let quoted = words.into_iter().map(|word| {
        if !word.is_empty() && word.chars().all(plain) {
            word.to_owned()
        } else {
            format!("'{}'", word.replace('\'', r#"'"'"'"#))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_and_quotes_are_understood() {
        let words = ["python", "-c", "print('a b', \"c\")", "", "it's", "--x=1", "a\\b", "*"];
        assert_eq!(split(&join(words)).unwrap(), words);
        assert_eq!(split("  a 'b c' \"d \\\" e\" f\"g\"'h' ").unwrap(), ["a", "b c", "d \" e", "fgh"]);
        assert!(split("a 'b").unwrap_err().contains('\''));
        assert_eq!(split("").unwrap(), [""; 0]);
    }
}
