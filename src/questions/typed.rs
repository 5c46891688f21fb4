//! Questions as a person types them into one line: «callers decode --top 5».

use super::words::said;
use super::{Door, Kind, QUESTIONS, Question, Refusal, Values, question};

/// The question of a line, and its arguments as a command line has them. Words without a name in front are for the argument
/// that the question is mostly asked with; quotes keep spaces together.
///
/// # Errors
/// One line that says what is not understood, with what there is.
pub fn typed(line: &str) -> Result<(&'static Question, Values), Refusal> {
    let words = words(line)?;
    let Some((name, rest)) = words.split_first() else {
        return Err("a question is wanted, such as hot".into());
    };
    let Some(asked) = question(name) else {
        let known: Vec<_> = QUESTIONS.iter().map(|q| q.name).collect();
        return Err(format!("there is no question «{}»; there are {}", said(name), known.join(", ")).into());
    };
    let mut values = Values::default();
    let mut bare: Vec<&str> = Vec::new();
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        let Some(argument) = word.strip_prefix("--") else {
            bare.push(word);
            continue;
        };
        let (argument, value) = match argument.split_once('=') {
            Some((argument, value)) => (argument, Some(value.to_owned())),
            None => (argument, None),
        };
        let takes_none = asked.arguments.iter().any(|a| a.name == argument && a.kind == Kind::Flag);
        let value = match value {
            Some(value) => value,
            None if takes_none => "true".to_owned(),
            None => rest.next().cloned().ok_or_else(|| format!("--{} needs a value", said(argument)))?,
        };
        values.set(argument, value);
    }
    match (bare.join(" "), asked.bare) {
        (text, _) if text.is_empty() => {}
        (text, "") => {
            return Err(format!("{}: «{}» is for no argument of it", asked.name, said(&text)).into());
        }
        (text, argument) => values.set(argument, text),
    }
    values.check_names(asked)?;
    Ok((asked, values))
}

/// The words of a line.
fn words(line: &str) -> Result<Vec<String>, Refusal> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    if quoted {
        return Err("a quote is open: write \" at its end".into());
    }
    words.extend(word);
    Ok(words)
}

/// A word of such a line.
#[must_use]
pub fn quoted(word: &str) -> String {
    match word.chars().any(char::is_whitespace) || word.starts_with("--") || word.is_empty() {
        true => format!("\"{word}\""),
        false => word.to_owned(),
    }
}

/// An argument of such a line.
#[must_use]
pub fn argument(name: &str, value: &str) -> String {
    Door::Cli.argument(name, quoted(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_question_with_arguments_as_on_a_command_line() {
        let read = |line| typed(line).map(|(q, v)| (q.name, v)).map_err(|r| r.0);
        let of = |pairs: &[(&str, &str)]| {
            let mut values = Values::default();
            pairs.iter().for_each(|(name, value)| values.set(name, *value));
            values
        };
        assert_eq!(read("hot"), Ok(("hot", of(&[]))));
        assert_eq!(
            read("  callers  decode --top 5"),
            Ok(("callers", of(&[("function", "decode"), ("top", "5")])))
        );
        assert_eq!(
            read("tree \"a b\" --inverted --range=1s..2s"),
            Ok(("tree", of(&[("root", "a b"), ("inverted", "true"), ("range", "1s..2s")])))
        );
        assert_eq!(read("gaps my thread"), Ok(("gaps", of(&[("track", "my thread")]))));
        for (line, says) in [
            ("", "such as hot"),
            ("host", "there are summary, hot"),
            ("hot --top", "needs a value"),
            ("hot --colour red", "no argument «colour»"),
            ("hot --top many", "whole number"),
            ("findings x", "for no argument"),
            ("hot \"x", "quote"),
        ] {
            assert!(read(line).is_err_and(|why| why.contains(says)), "{line}");
        }
    }

    #[test]
    fn what_is_quoted_is_one_word_again() {
        for name in ["decode", "a b", "<built-in method time.sleep>", "--odd"] {
            assert_eq!(words(&quoted(name)).unwrap(), [name]);
        }
    }
}
