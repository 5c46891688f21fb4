//! Matching names: substring without regard to case, `/regex/`, comma for «or».

use std::ops::Range;

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

    /// The places in `text` that it finds, in bytes, from left to right and apart from each other.
    #[must_use]
    pub fn places(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for term in &self.terms {
            match term {
                Term::Regex(regex) => found.extend(regex.find_iter(text).map(|m| m.range())),
                Term::Text(needle) => found.extend(occurrences(text, needle)),
            }
        }
        found.retain(|range| !range.is_empty());
        found.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        let mut reached = 0;
        found.retain(|range| {
            let apart = range.start >= reached;
            reached = reached.max(range.end);
            apart
        });
        found
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

/// Where a text in small letters occurs in another one, whatever the letters' case there.
fn occurrences(text: &str, needle: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut starts = text.char_indices().map(|(at, _)| at);
    let mut from = 0;
    while let Some(at) = starts.find(|&at| at >= from) {
        let mut wanted = needle.chars();
        let mut end = at;
        for c in text[at..].chars() {
            let mut rest = wanted.clone();
            if !c.to_lowercase().all(|lower| rest.next() == Some(lower)) {
                break;
            }
            wanted = rest;
            end += c.len_utf8();
            if wanted.as_str().is_empty() {
                found.push(at..end);
                from = end;
                break;
            }
        }
    }
    found
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

    #[test]
    fn what_matches_is_found_letter_by_letter() {
        let places = |p: &str, t: &str| {
            let found = Pattern::new(p).unwrap().places(t);
            found.into_iter().map(|range| t[range].to_owned()).collect::<Vec<_>>().join("|")
        };
        assert_eq!(places("max", "Softmax_max MAX"), "max|max|MAX");
        assert_eq!(places("soft, ftm", "softmax"), "soft", "what overlaps is marked once");
        assert_eq!(places("é", "CafÉ é"), "É|é");
        assert_eq!(places("/_\\w/", "a_b_c"), "_b|_c");
        assert_eq!(places("/x*/", "abc"), "");
        assert_eq!(places("aa", "aaaa"), "aa|aa");
    }
}
