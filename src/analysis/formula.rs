//! Metrics that a person defines: a name and a sum of the profile's metrics with whole factors, such as
//! `CEst = Ir + 10 * Bm + 10 * L1m`, as KCachegrind's derived event types.
//!
//! A formula may use derived metrics; it is flattened to measured ones, so no formula can lead back to itself. It is part
//! of the metric's key ([`MetricKey`]), so profiles know nothing of it and questions carry it along.

use crate::model::{Metric, MetricId, MetricKey, Profile, Unit};

/// A metric that a person defined.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// Its formula over keys or labels of metrics.
    pub formula: String,
}

impl Definition {
    /// Reads «name = formula»; a formula alone is its own name.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text.split_once('=') {
            Some((name, formula)) => Self { name: name.trim().into(), formula: formula.trim().into() },
            None => Self { name: text.trim().into(), formula: text.trim().into() },
        }
    }
}

/// Most terms of a formula, flattened.
const TERMS: usize = 100;

#[derive(Clone, Debug, PartialEq)]
enum Token<'a> {
    Number(&'a str),
    Name(&'a str),
    Sign(char),
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '+' | '*' | '-' | '\u{2212}' | '\u{d7}' => {
                let sign = match first {
                    '\u{2212}' => '-',
                    '\u{d7}' => '*',
                    sign => sign,
                };
                (Token::Sign(sign), first.len_utf8())
            }
            '"' => {
                let end = rest[1..].find('"').ok_or("a name in quotes is not closed")? + 1;
                (Token::Name(&rest[1..end]), end + 1)
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || "+*-\u{2212}\u{d7}\"/()^".contains(c);
                let end = rest.find(ends).unwrap_or(rest.len());
                if end == 0 {
                    return Err(format!(
                        "«{first}» has no meaning here: a formula is a sum such as Ir + 10 * Bm"
                    ));
                }
                let word = &rest[..end];
                let number =
                    first.is_ascii_digit() && word.chars().all(|c| c.is_ascii_digit() || ".,_e".contains(c));
                (if number { Token::Number(word) } else { Token::Name(word) }, end)
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// Factor and name of each term, left to right.
fn written_terms(text: &str) -> Result<Vec<(i64, String)>, String> {
    let mut found: Vec<(i64, String)> = Vec::new();
    let (mut sign, mut factor, mut name): (i64, Option<i64>, Option<String>) = (1, None, None);
    let mut times = false;
    let mut any = false;
    let close = |sign: i64, factor: Option<i64>, name: Option<String>| match name {
        Some(name) => Ok((sign.saturating_mul(factor.unwrap_or(1)), name)),
        None if factor.is_some() => {
            Err("a number alone is no cost: write what it is a multiple of".to_owned())
        }
        None => Err("a sign has nothing to add".to_owned()),
    };
    for token in tokens(text)? {
        match token {
            Token::Sign('*') => {
                if times || (factor.is_none() && name.is_none()) {
                    return Err("a × needs a number on one side and a metric on the other".into());
                }
                times = true;
            }
            Token::Sign(next) => {
                if times {
                    return Err("a × needs a number on one side and a metric on the other".into());
                }
                if any {
                    found.push(close(sign, factor.take(), name.take())?);
                }
                sign = if next == '-' { -1 } else { 1 };
                any = true;
            }
            Token::Number(text) => {
                let number: i64 =
                    text.parse().map_err(|_| format!("factors are whole numbers, «{text}» is none"))?;
                if factor.is_some() {
                    return Err(format!("there are two factors beside each other at «{text}»"));
                }
                (factor, times, any) = (Some(number), false, true);
            }
            Token::Name(text) => {
                if let Some(before) = &name {
                    return Err(format!(
                        "there is no + between «{before}» and «{text}»; put names with spaces in double quotes"
                    ));
                }
                (name, times, any) = (Some(text.to_owned()), false, true);
            }
        }
    }
    if times {
        return Err("a × needs a number on one side and a metric on the other".into());
    }
    if !any {
        return Err("a formula names at least one metric, such as Ir + 10 * Bm".into());
    }
    found.push(close(sign, factor, name)?);
    Ok(found)
}

fn find(metrics: &[Metric], name: &str) -> Option<usize> {
    let by = |same: &dyn Fn(&Metric) -> bool| metrics.iter().position(same);
    by(&|m| m.key == name)
        .or_else(|| by(&|m| m.label == name))
        .or_else(|| by(&|m| m.key.eq_ignore_ascii_case(name) || m.label.eq_ignore_ascii_case(name)))
}

/// A formula over the metrics of a profile, flattened to measured ones.
///
/// # Errors
/// One line that says what cannot be understood, or which metrics there are.
pub fn parse(text: &str, metrics: &[Metric]) -> Result<Vec<(i64, MetricId)>, String> {
    let mut sum: Vec<(i64, MetricId)> = Vec::new();
    for (factor, name) in written_terms(text)? {
        let Some(at) = find(metrics, &name) else {
            let known: Vec<_> = metrics.iter().map(|m| m.key.as_str()).take(30).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(format!("there is no metric «{name}» here; this profile has {known}"));
        };
        let measured = [(1, MetricId::from_index(at))];
        let parts = if metrics[at].formula.is_empty() { &measured[..] } else { &metrics[at].formula };
        for &(inner, metric) in parts {
            let too_large = || format!("the factor of «{name}» is too large");
            let product = factor.checked_mul(inner).ok_or_else(too_large)?;
            match sum.iter_mut().find(|t| t.1 == metric) {
                Some(term) => term.0 = term.0.checked_add(product).ok_or_else(too_large)?,
                None => sum.push((product, metric)),
            }
        }
    }
    sum.retain(|t| t.0 != 0);
    if sum.is_empty() {
        return Err("everything in this formula cancels out".into());
    }
    if sum.len() > TERMS {
        return Err(format!("a formula has at most {TERMS} terms"));
    }
    Ok(sum)
}

/// The metric that a person names: a key, a label, a formula, or «name = formula».
///
/// # Errors
/// One line that says what cannot be understood, or which metrics there are.
pub fn named(name: &str, profile: &Profile) -> Result<MetricKey, String> {
    match profile.metrics.iter().find(|m| m.key == name || m.label == name) {
        Some(known) => Ok(MetricKey::declared(&known.key)),
        None => key(&Definition::of(name), &[], profile),
    }
}

/// What costs in a metric are, in one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The metric; of the first one its own key.
    pub key: MetricKey,
    /// What a person reads.
    pub label: String,
    /// Unit of every cost.
    pub unit: Unit,
    /// Measured metrics that it is the sum of, each with its factor; empty when the profile has no costs of it.
    pub terms: Vec<(i64, MetricId)>,
}

impl Measure {
    /// What `key` is in a profile; `None` when the profile lacks it, or a part of its formula.
    #[must_use]
    pub fn of(key: MetricKey, profile: &Profile) -> Option<Self> {
        if !key.formula.is_empty() {
            let terms = parse(&key.formula, &profile.metrics).ok()?;
            let unit = unit(&terms, &profile.metrics);
            return Some(Self { key, label: key.key.to_string(), unit, terms });
        }
        let id = profile.find_metric(key)?;
        let metric = profile.metric(id);
        let measured = |id: MetricId| profile.metrics.get(id.index()).is_some_and(|m| m.formula.is_empty());
        // Formulas use only measured ones, so that none can lead back to itself.
        let terms = match metric.formula.is_empty() {
            true => vec![(1, id)],
            false => metric.formula.iter().copied().filter(|(_, part)| measured(*part)).collect(),
        };
        Some(Self { key: profile.metric_key(id), label: metric.label.clone(), unit: metric.unit, terms })
    }

    /// That of a profile that has no costs of functions.
    #[must_use]
    pub fn nothing(key: MetricKey) -> Self {
        Self { key, label: "costs of functions".into(), unit: Unit::None, terms: Vec::new() }
    }

    /// The metrics of a profile, then those that a person defined and that have a meaning in it.
    #[must_use]
    pub fn all(profile: &Profile, defined: &[MetricKey]) -> Vec<Self> {
        let declared = profile.metric_ids().map(|id| profile.metric_key(id));
        declared.chain(defined.iter().copied()).filter_map(|key| Self::of(key, profile)).collect()
    }
}

/// The metric that is shown when `wanted` is: the profile's first one when it does not have that.
#[must_use]
pub fn shown(wanted: MetricKey, profile: &Profile) -> MetricKey {
    let first = || profile.metrics.first().map_or_else(MetricKey::default, |m| MetricKey::declared(&m.key));
    if wanted.is_first() || Measure::of(wanted, profile).is_none() { first() } else { wanted }
}

/// Measured metrics that a metric is the sum of, each with its factor.
#[must_use]
pub fn terms(key: MetricKey, profile: &Profile) -> Vec<(i64, MetricId)> {
    Measure::of(key, profile).map_or_else(Vec::new, |measure| measure.terms)
}

/// The unit that all parts have.
fn unit(terms: &[(i64, MetricId)], metrics: &[Metric]) -> Unit {
    let mut units = terms.iter().filter_map(|t| metrics.get(t.1.index())).map(|m| m.unit);
    let first = units.next().unwrap_or(Unit::None);
    if units.all(|other| other == first) { first } else { Unit::None }
}

/// The key of a metric that a person defined, for a profile that can have it. What it is made of is written out, so that
/// the key alone says what to add up.
///
/// # Errors
/// One line: what is wrong with the name or the formula.
pub fn key(definition: &Definition, before: &[MetricKey], profile: &Profile) -> Result<MetricKey, String> {
    let name = definition.name.trim();
    if name.is_empty() {
        return Err("a metric needs a name".into());
    }
    let known = |m: &Metric| m.key == name || m.label == name;
    if profile.metrics.iter().any(known) || before.iter().any(|k| k.key == *name) {
        return Err(format!("there is a metric «{name}» already"));
    }
    // Those defined before may be used, as if the profile had them.
    let mut metrics = profile.metrics.clone();
    for key in before {
        let formula = parse(&key.formula, &profile.metrics)?;
        let unit = unit(&formula, &profile.metrics);
        metrics.push(Metric { formula, ..Metric::new(&key.key, &key.key, unit) });
    }
    let terms = parse(&definition.formula, &metrics)?;
    let written = |(i, &(factor, id)): (usize, &(i64, MetricId))| {
        let sign = match (factor < 0, i) {
            (true, _) => "- ",
            (false, 0) => "",
            (false, _) => "+ ",
        };
        format!("{sign}{} \"{}\"", factor.unsigned_abs(), profile.metric(id).key)
    };
    let formula: Vec<String> = terms.iter().enumerate().map(written).collect();
    Ok(MetricKey::defined(name, &formula.join(" ")))
}

/// The keys of those of `definitions` that a profile can have; the others wait for another profile.
#[must_use]
pub fn keys(definitions: &[Definition], profile: &Profile) -> Vec<MetricKey> {
    let mut keys = Vec::new();
    for definition in definitions {
        if let Ok(key) = key(definition, &keys, profile) {
            keys.push(key);
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, dump, profile};
    use crate::analysis::{Costs, Functions, Slice};
    use crate::query::Run;

    fn metrics() -> Vec<Metric> {
        let mut all: Vec<Metric> = ["Ir", "Bm", "L1m", "alloc space"]
            .iter()
            .map(|key| Metric::new(key, &format!("{key} events"), Unit::Count))
            .collect();
        let formula = vec![(1, MetricId(0)), (10, MetricId(1))];
        all.push(Metric { formula, ..Metric::new("CEst", "Estimated cycles", Unit::Count) });
        all
    }

    fn read(text: &str) -> Result<Vec<(i64, u32)>, String> {
        parse(text, &metrics()).map(|terms| terms.into_iter().map(|(f, m)| (f, m.0)).collect())
    }

    #[test]
    fn sums_are_understood_as_people_write_them() {
        assert_eq!(read("Ir + 10*Bm + 10 L1m").unwrap(), [(1, 0), (10, 1), (10, 2)]);
        assert_eq!(read(" Bm * 3 - Ir ").unwrap(), [(3, 1), (-1, 0)]);
        assert_eq!(read("-2 × ir − l1M").unwrap(), [(-2, 0), (-1, 2)]);
        assert_eq!(read("\"alloc space\" + \"Ir events\"").unwrap(), [(1, 3), (1, 0)]);
        assert_eq!(read("2 CEst + Bm").unwrap(), [(2, 0), (21, 1)], "derived ones are flattened");
        assert_eq!(read("CEst - 10 Bm").unwrap(), [(1, 0)]);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (text, why) in [
            ("", "at least one metric"),
            ("Ir +", "nothing to add"),
            ("Ir + + Bm", "nothing to add"),
            ("10", "a number alone"),
            ("1.5 Ir", "whole numbers"),
            ("Ir Bm", "no + between «Ir» and «Bm»"),
            ("2 3 Ir", "two factors"),
            ("* Ir", "a × needs"),
            ("10 *", "a × needs"),
            ("Ir / Bm", "«/» has no meaning"),
            ("(Ir)", "«(» has no meaning"),
            ("\"Ir", "not closed"),
            ("Ir - Ir", "cancels out"),
            ("9223372036854775807 CEst", "too large"),
            ("99999999999999999999 Ir", "whole numbers"),
            ("Dw", "there is no metric «Dw» here; this profile has Ir, Bm, L1m, alloc space, CEst"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        let p = profile("main 0 100 alloc=7");
        let define = |text: &str| key(&Definition::of(text), &[], &p).map(|k| k.formula.to_string());
        assert_eq!(define("mine = 2 time - 3 alloc").unwrap(), "2 \"time\" - 3 \"alloc\"");
        assert!(define("alloc = time").unwrap_err().contains("already"));
        assert!(define(" = time").unwrap_err().contains("name"));
    }

    #[test]
    fn a_defined_metric_counts_in_every_question_and_is_no_part_of_the_profile() {
        let p = profile("main 0 100 alloc=7 / a 0 40 alloc=2");
        let list = ["both = 2 time + 10 alloc", "other = Ir + Dw", "more = both - time", "neg = -alloc"];
        let keys = keys(&list.map(Definition::of), &p);
        let names: Vec<&str> = keys.iter().map(|k| &**k.key).collect();
        assert_eq!(names, ["both", "more", "neg"], "one waits for a profile that has its parts");
        let subject = Run::of(p);
        let sums = |key| {
            let costs = ask(&subject, &Costs(Slice::whole(key)));
            (dump(&subject.profile, &costs), costs.whole.total)
        };
        assert_eq!(sums(keys[0]), ("main 270/170 >a 100/100".into(), 270));
        assert_eq!(sums(keys[1]).1, 170);
        assert_eq!(sums(keys[2]).1, -7);
        let table = ask(&subject, &Functions(Slice::whole(keys[0])));
        assert_eq!((table.rows[0].own, table.rows[0].total, table.whole.own), (170, 270, 270));
        let measure = Measure::of(keys[0], &subject.profile).unwrap();
        assert_eq!((measure.label.as_str(), measure.unit), ("both", Unit::None));
        assert_eq!(Measure::of(keys[2], &subject.profile).unwrap().unit, Unit::Bytes);
        assert_eq!(Measure::of(keys[0], &profile("main 0 9")), None, "a part is missing");
        assert_eq!(Measure::of(MetricKey::default(), &subject.profile).unwrap().label, "Time");
        let kept = serde_json::to_string(&keys).unwrap();
        assert_eq!(serde_json::from_str::<Vec<MetricKey>>(&kept).unwrap(), keys);
        assert_eq!(serde_json::from_str::<MetricKey>("\"alloc\"").unwrap(), MetricKey::declared("alloc"));
    }
}
