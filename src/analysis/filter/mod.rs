//! A small language that picks spans, samples and requests: `name:decode dur>10ms`, `model=gpt-4o ttft>500ms | outcome=error`.
//!
//! Terms that stand beside each other must all hold, `|` parts alternatives, `-` in front of a term turns it round. A word
//! without a field is looked for in name, file and module, as the search does. A field that a row does not have holds for
//! none, negated or not: a span has no model, so nobody knows whether it is another one.

mod fields;
mod rows;

pub use fields::{FIELDS, FieldAbout};
pub use rows::{FilterRows, Found, Kind, Row};

use std::cmp::Ordering;
use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use self::fields::{Field, Form};
use crate::format::typed_time;
use crate::model::{FunctionId, NameKey, Profile, Request, StringId, TrackId};

/// Longest filter that is read, bytes.
const LONGEST: usize = 4096;

/// A filter that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// Alternatives, each of terms that must all hold.
    any: Vec<Vec<Term>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    not: bool,
    field: Field,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// The text is part of it; in small letters.
    Has(String),
    /// The text is all of it; in small letters.
    Is(String),
    /// A number beside this one.
    Number(Compare, f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Less,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    More,
}

impl Compare {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::AtLeast => order.is_ge(),
            Self::More => order.is_gt(),
        }
    }
}

impl Test {
    fn text(&self, text: &str) -> bool {
        match self {
            Self::Has(wanted) => text.to_lowercase().contains(wanted),
            Self::Is(wanted) => text.to_lowercase() == *wanted,
            Self::Number(..) => false,
        }
    }

    fn number(&self, number: f64) -> bool {
        match self {
            Self::Number(compare, wanted) => {
                number.partial_cmp(wanted).is_some_and(|order| compare.holds(order))
            }
            _ => false,
        }
    }
}

impl Filter {
    /// Reads a filter; `None` for an empty one, which leaves everything.
    ///
    /// # Errors
    /// One line that names the part that was not understood, and what would be.
    pub fn read(text: &str) -> Result<Option<Self>, String> {
        if text.len() > LONGEST {
            return Err(format!("a filter has at most {LONGEST} bytes"));
        }
        let mut any = vec![Vec::new()];
        for word in words(text)? {
            match &*word {
                "|" => any.push(Vec::new()),
                word => {
                    if let Some(last) = any.last_mut() {
                        last.push(term(word)?);
                    }
                }
            }
        }
        let given = any.len() > 1 || any.iter().any(|terms| !terms.is_empty());
        any.retain(|terms| !terms.is_empty());
        match (given, any.is_empty()) {
            (_, false) => Ok(Some(Self { any })),
            (true, true) => Err("| stands between two filters".into()),
            (false, true) => Ok(None),
        }
    }

    /// True when it asks for something that only requests have.
    #[must_use]
    pub fn is_about_requests(&self) -> bool {
        self.any.iter().flatten().any(|term| term.field.is_of_requests() && term.words().is_none())
    }

    /// What is wrong with it for a profile: a field that is none and no label of its requests either.
    #[must_use]
    pub fn unknown(&self, profile: &Profile) -> Option<String> {
        let of_labels = self.any.iter().flatten().filter(|term| term.words().is_none());
        let names = of_labels.filter_map(|term| match term.field {
            Field::Label(name) => Some(name),
            _ => None,
        });
        let labels = labels(profile);
        let unknown = names.into_iter().find(|name| !labels.contains(&**name.value()))?;
        let mut known = fields::list();
        for label in labels.iter().take(8) {
            known += &format!(", {label}");
        }
        Some(format!("no field is called «{}»; there are {known}", unknown.value()))
    }

    /// The filter for one profile, with what functions and tracks are looked up once.
    #[must_use]
    pub fn of<'p>(&self, profile: &'p Profile) -> Bound<'p> {
        let labels = labels(profile);
        let bind = |term: &Term| {
            let words = term.words();
            let functions = match &words {
                Some(words) => Field::Any.functions(profile, words),
                None => term.field.functions(profile, &term.test),
            };
            // `a:b` is the label of that name where requests have it, and else what stands there.
            let (field, test) = match (term.field, words) {
                (Field::Label(name), Some(words)) if !labels.contains(&**name.value()) => (Field::Any, words),
                (field, _) => (field, term.test.clone()),
            };
            BoundTerm { not: term.not, functions, tracks: field.tracks(profile, &test), field, test }
        };
        Bound { profile, any: self.any.iter().map(|terms| terms.iter().map(bind).collect()).collect() }
    }
}

/// Words, with quotes taken off; `|` is a word of its own.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let (mut word, mut quoted, mut any) = (String::new(), false, false);
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                any = true;
            }
            '|' if !quoted => {
                if any {
                    words.push(std::mem::take(&mut word));
                }
                words.push("|".to_owned());
                any = false;
            }
            c if c.is_whitespace() && !quoted => {
                if any {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            c => {
                word.push(c);
                any = true;
            }
        }
    }
    if quoted {
        return Err("a quotation mark is missing at the end".into());
    }
    if any {
        words.push(word);
    }
    words.retain(|word| !word.is_empty());
    Ok(words)
}

/// Operators, longer ones before those that they begin with.
const OPERATORS: [(&str, Option<Compare>); 7] = [
    ("<=", Some(Compare::AtMost)),
    (">=", Some(Compare::AtLeast)),
    ("!=", Some(Compare::Unequal)),
    ("<", Some(Compare::Less)),
    (">", Some(Compare::More)),
    ("=", Some(Compare::Equal)),
    (":", None),
];

fn term(word: &str) -> Result<Term, String> {
    let (not, word) = match word.strip_prefix('-') {
        Some(rest) if !rest.is_empty() => (true, rest),
        _ => (false, word),
    };
    let name_ends = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(word.len());
    let (name, rest) = word.split_at(name_ends);
    let operator = OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign));
    let plain = || Term { not, field: Field::Any, test: Test::Has(word.to_lowercase()) };
    let Some((sign, compare)) = operator else { return Ok(plain()) };
    let value = &rest[sign.len()..];
    let Some(field) = FIELDS.iter().find(|f| f.names.contains(&name)) else {
        // `std::vector` is a name; `session:a` may be a label of requests, and `lenght>3ms` is neither.
        let label = Field::Label(NameKey::from(name));
        let lower = value.to_lowercase();
        return match (*sign, name) {
            (_, "") => Ok(plain()),
            (":", _) if value.is_empty() || value.starts_with(':') => Ok(plain()),
            (":", _) => Ok(Term { not, field: label, test: Test::Has(lower) }),
            ("=", _) if !value.is_empty() => Ok(Term { not, field: label, test: Test::Is(lower) }),
            ("!=", _) if !value.is_empty() => Ok(Term { not: !not, field: label, test: Test::Is(lower) }),
            _ => Err(format!("no field is called «{name}»; there are {}", fields::list())),
        };
    };
    if value.is_empty() {
        return Err(format!("after {name}{sign} a value is missing, as in {}", field.example));
    }
    let lower = value.to_lowercase();
    let wrong = |what: &str| format!("{name}{sign}{value}: {what}, as in {}", field.example);
    let number = |read: Option<f64>, what: &str| {
        let compare = compare.unwrap_or(Compare::Equal);
        read.filter(|n| n.is_finite()).map(|n| Test::Number(compare, n)).ok_or_else(|| wrong(what))
    };
    let test = match field.form {
        Form::Text => match compare {
            None => Test::Has(lower),
            Some(Compare::Equal) => Test::Is(lower),
            Some(Compare::Unequal) => {
                return Ok(Term { not: !not, field: field.field, test: Test::Is(lower) });
            }
            Some(_) => return Err(wrong("texts are compared by : = or !=")),
        },
        Form::Time if value == "0" => number(Some(0.0), "")?,
        Form::Time => {
            number(typed_time(value).map(|ns| ns as f64), "a time has a unit (ns, us, ms, s, min)")?
        }
        Form::Count => number(value.replace(['_', ','], "").parse().ok(), "a number is wanted")?,
        Form::Money => number(value.trim_start_matches('$').parse().ok(), "an amount in dollars is wanted")?,
    };
    Ok(Term { not, field: field.field, test })
}

impl Term {
    /// The words of `a:b` where `a` is no field but may be a label.
    fn words(&self) -> Option<Test> {
        match (self.field, &self.test) {
            (Field::Label(name), Test::Has(value)) => {
                Some(Test::Has(format!("{}:{value}", name.value().to_lowercase())))
            }
            _ => None,
        }
    }
}

/// Names of what programs say of the requests of a profile.
fn labels(profile: &Profile) -> BTreeSet<&str> {
    let names: FxHashSet<StringId> =
        profile.requests.rows.iter().flat_map(|r| &r.attributes).map(|(name, _)| *name).collect();
    names.into_iter().map(|name| profile.text(name)).collect()
}

/// A filter for one profile.
pub struct Bound<'p> {
    profile: &'p Profile,
    any: Vec<Vec<BoundTerm>>,
}

struct BoundTerm {
    not: bool,
    field: Field,
    test: Test,
    /// For each function whether the term holds, where it is about functions.
    functions: Option<Vec<bool>>,
    /// The same of tracks.
    tracks: Option<Vec<bool>>,
}

impl Bound<'_> {
    /// `holds` tells of a term, and `None` where the row has nothing of what it is about.
    fn holds(&self, holds: impl Fn(&BoundTerm) -> Option<bool>) -> bool {
        self.any.iter().any(|terms| terms.iter().all(|term| holds(term).is_some_and(|is| is != term.not)))
    }

    /// True when it picks a span.
    #[must_use]
    pub fn span(&self, track: TrackId, row: u32) -> bool {
        let spans = &self.profile.track(track).spans;
        let Some(span) = spans.rows.get(row as usize) else { return false };
        self.holds(|term| match (term.field, &term.functions, &term.tracks) {
            (Field::Stack, Some(functions), _) => {
                let is = |row: u32| functions[spans.rows[row as usize].function.index()];
                Some(is(row) || spans.ancestors(row).any(is))
            }
            (_, Some(functions), _) => functions.get(span.function.index()).copied(),
            (_, _, Some(tracks)) => tracks.get(track.index()).copied(),
            (field, ..) => match field.status_of(span) {
                Some(status) => Some(term.test.text(status)),
                None => field.of_span(span).map(|n| term.test.number(n)),
            },
        })
    }

    /// True when it picks a sample: its innermost function, its time, its thread.
    #[must_use]
    pub fn sample(&self, track: TrackId, index: usize) -> bool {
        let samples = &self.profile.track(track).samples;
        let Some(stack) = samples.stacks.get(index).copied().flatten() else { return false };
        let stacks = self.profile.stacks.rows();
        let function = |at: usize| self.profile.frames.get(stacks[at].frame).function;
        self.holds(|term| match (term.field, &term.functions, &term.tracks) {
            (Field::Stack, Some(functions), _) => {
                let above = |at: &usize| stacks[*at].parent.map(|p| p.index());
                let mut frames = std::iter::successors(Some(stack.index()), above);
                Some(frames.any(|at| functions[function(at).index()]))
            }
            (_, Some(functions), _) => functions.get(function(stack.index()).index()).copied(),
            (_, _, Some(tracks)) => tracks.get(track.index()).copied(),
            (field, ..) => {
                let time = samples.times.get(index).copied()?;
                field.of_moment(time).map(|n| term.test.number(n))
            }
        })
    }

    /// True when it picks a request that costs so much, dollars.
    #[must_use]
    pub fn request(&self, request: &Request, cost: Option<f64>) -> bool {
        self.holds(|term| term.holds_of(request, cost, self.profile))
    }

    /// True when it picks what runs in a function, as far as its name tells; lengths and times are not asked.
    #[must_use]
    pub fn function(&self, function: FunctionId) -> bool {
        self.holds(|term| term.functions.as_ref().and_then(|f| f.get(function.index())).copied())
    }
}

impl BoundTerm {
    fn holds_of(&self, request: &Request, cost: Option<f64>, profile: &Profile) -> Option<bool> {
        if let Some(number) = self.field.of_request(request, cost) {
            return Some(self.test.number(number));
        }
        let texts = self.field.texts_of(request, profile);
        (!texts.is_empty()).then(|| texts.iter().any(|text| self.test.text(text)))
    }
}

#[cfg(test)]
mod tests;
