//! Matching names: substring without regard to case, `/regex/`, comma for «or».

use crate::model::Profile;

/// A search text that was understood.
#[derive(Clone, Debug)]
pub struct Pattern {
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    Text(String),
    Regex(regex::Regex),
}

impl Pattern {
    /// `None` when nothing is searched for. A broken regex matches as plain text.
    #[must_use]
    pub fn new(search: &str) -> Option<Self> {
        let regex = search
            .strip_prefix('/')
            .map(|rest| rest.strip_suffix('/').unwrap_or(rest))
            .filter(|body| !body.is_empty())
            .and_then(|body| regex::RegexBuilder::new(body).case_insensitive(true).build().ok());
        let terms: Vec<_> = match regex {
            Some(regex) => vec![Term::Regex(regex)],
            None => search
                .split(',')
                .map(|t| t.trim().to_lowercase())
                .filter(|t| !t.is_empty())
                .map(Term::Text)
                .collect(),
        };
        (!terms.is_empty()).then_some(Self { terms })
    }

    /// True when a term is in `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.terms.iter().any(|term| match term {
            Term::Regex(regex) => regex.is_match(text),
            Term::Text(needle) if text.is_ascii() && needle.is_ascii() => contains_ignore_case(text, needle),
            Term::Text(needle) => text.to_lowercase().contains(needle),
        })
    }

    /// For each function of a profile whether its name, file or module matches.
    #[must_use]
    pub fn functions(&self, profile: &Profile) -> Vec<bool> {
        profile
            .functions
            .rows()
            .iter()
            .map(|f| [f.name, f.file, f.module].iter().any(|&id| self.matches(profile.text(id))))
            .collect()
    }
}

fn contains_ignore_case(text: &str, needle: &str) -> bool {
    text.as_bytes().windows(needle.len()).any(|w| w.eq_ignore_ascii_case(needle.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_lists_and_regexes_match() {
        let m = |p: &str, t: &str| Pattern::new(p).unwrap().matches(t);
        assert!(m("Soft", "softmax") && !m("soft", "sof"));
        assert!(m("rope, max", "softmax") && m("É", "é"));
        assert!(m("/^s.*x$/", "softmax") && !m("/^x/", "softmax"));
        assert!(m("/(/", "a/(/b"), "a broken regex is text");
        assert!(Pattern::new(" , ").is_none());
    }
}
