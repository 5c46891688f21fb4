//! Metrics that a person defines: a name and a sum of the profile's metrics with whole factors, such as
//! `CEst = Ir + 10 * Bm + 10 * L1m`, as KCachegrind's derived event types.
//!
//! A formula may use derived metrics; it is flattened to measured ones, so no formula can lead back to itself.

use std::sync::Arc;

use crate::model::{Metric, MetricId, Profile, Unit};

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
fn terms(text: &str) -> Result<Vec<(i64, String)>, String> {
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
    for (factor, name) in terms(text)? {
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

/// The metric that a definition makes in a profile.
///
/// # Errors
/// One line: what is wrong with the name or the formula.
pub fn metric(definition: &Definition, metrics: &[Metric]) -> Result<Metric, String> {
    let name = definition.name.trim();
    if name.is_empty() {
        return Err("a metric needs a name".into());
    }
    if metrics.iter().any(|m| m.key == name || m.label == name) {
        return Err(format!("there is a metric «{name}» already"));
    }
    let formula = parse(&definition.formula, metrics)?;
    let units: Vec<Unit> = formula.iter().filter_map(|t| metrics.get(t.1.index())).map(|m| m.unit).collect();
    let unit = units.first().copied().filter(|u| units.iter().all(|o| o == u)).unwrap_or(Unit::None);
    Ok(Metric { formula, ..Metric::new(name, name, unit) })
}

/// Which of `definitions` the profile lacks and can have; those that do not fit it wait for another profile.
#[must_use]
pub fn missing(definitions: &[Definition], profile: &Profile) -> Vec<Metric> {
    let mut all = profile.metrics.clone();
    let before = all.len();
    for definition in definitions {
        if let Ok(metric) = metric(definition, &all) {
            all.push(metric);
        }
    }
    all.split_off(before)
}

/// The profile with the person's metrics. Copies it only when something is missing and others hold it too.
#[must_use]
pub fn derive(mut profile: Arc<Profile>, definitions: &[Definition]) -> Arc<Profile> {
    let missing = missing(definitions, &profile);
    if !missing.is_empty() {
        Arc::make_mut(&mut profile).metrics.extend(missing);
    }
    profile
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, dump, profile};
    use crate::analysis::{Costs, Functions, Scope};
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
        let define = |text: &str| metric(&Definition::of(text), &metrics()).map(|m| m.formula.len());
        assert_eq!(define("mine = Ir + L1m"), Ok(2));
        assert!(define("CEst = Ir").unwrap_err().contains("already"));
        assert!(define(" = Ir").unwrap_err().contains("name"));
    }

    #[test]
    fn a_defined_metric_counts_in_every_view() {
        let p = profile("main 0 100 alloc=7 / a 0 40 alloc=2");
        let definitions = [Definition::of("both = 2 time + 10 alloc"), Definition::of("other = Ir + Dw")];
        let derived = derive(p, &definitions);
        assert_eq!((derived.metrics.len(), derived.metrics[2].unit), (3, Unit::None));
        assert!(Arc::ptr_eq(&derived, &derive(derived.clone(), &definitions)), "nothing is missing any more");
        let subject = Run::of(derived);
        let costs = ask(&subject, &Costs { scope: Scope::default(), metric: MetricId(2), range: None });
        assert_eq!(dump(&subject.profile, &costs), "main 270/170 >a 100/100");
        let table = ask(&subject, &Functions { scope: Scope::default(), metric: MetricId(2), range: None });
        assert_eq!((table.rows[0].own, table.rows[0].total, table.sum), (170, 270, 270));
    }
}
