//! Which rank a file is: as it says itself, else by its name.

use std::sync::LazyLock;

use regex::Regex;

use crate::model::{FactValue, Profile};

/// A rank, and where it is known from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rank {
    /// The rank.
    pub number: i64,
    /// «distributedInfo», or the pattern that the file's name fits.
    pub from: String,
}

/// How the names of files say a rank.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

/// Where a pattern has the number.
const HOLE: &str = "{rank}";

static USUAL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)(?:^|[^a-z])(rank[-_=.]?)(\d{1,9})(?:[^\d]|$)").ok());

impl Pattern {
    /// A pattern of a person: the file's name has a number where it says `{rank}`.
    ///
    /// # Errors
    /// When it does not say where the number is.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("the pattern «{text}» says nowhere {HOLE}, as in worker-{HOLE}.json");
        let (before, after) = text.split_once(HOLE).ok_or_else(wrong)?;
        let regex = format!(r"(?i){}(\d{{1,9}})(?:\D|$)", regex::escape(before));
        let regex = if after.is_empty() {
            regex
        } else {
            format!(r"(?i){}(\d{{1,9}}){}", regex::escape(before), regex::escape(after))
        };
        Ok(Self { text: text.to_owned(), regex: Regex::new(&regex).map_err(|e| e.to_string())? })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The rank of a profile that was read from a file called `name`.
#[must_use]
pub fn rank(profile: &Profile, name: &str, pattern: Option<&Pattern>) -> Option<Rank> {
    if pattern.is_none()
        && let Some(number) = number(profile, "Rank")
    {
        return Some(Rank { number, from: "distributedInfo".into() });
    }
    of_name(name, pattern)
}

/// The rank that a file's name says.
fn of_name(name: &str, pattern: Option<&Pattern>) -> Option<Rank> {
    if let Some(pattern) = pattern {
        let found = pattern.regex.captures(name)?;
        return Some(Rank { number: found.get(1)?.as_str().parse().ok()?, from: pattern.text.clone() });
    }
    let found = USUAL.as_ref()?.captures(name)?;
    let number = found.get(2)?.as_str().parse().ok()?;
    Some(Rank { number, from: format!("{}{HOLE}", found.get(1)?.as_str()) })
}

/// How many ranks a profile says that its job has.
#[must_use]
pub fn world_size(profile: &Profile) -> Option<i64> {
    number(profile, "World size").filter(|&n| n > 0)
}

fn number(profile: &Profile, fact: &str) -> Option<i64> {
    match profile.meta.fact(fact)? {
        FactValue::Text(text) => text.parse().ok(),
        FactValue::Number(number, _) => Some(*number),
    }
    .filter(|&n| n >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_ranks_in_many_ways() {
        for (name, rank) in [
            ("rank0613.pt.trace.json", Some((613, "rank{rank}"))),
            ("node12_rank_7.json.gz", Some((7, "rank_{rank}"))),
            ("1719-vllm-rank-3.1724.pt.trace.json.gz", Some((3, "rank-{rank}"))),
            ("Rank=12.json", Some((12, "Rank={rank}"))),
            ("frank3.json", None),
            ("host_4711.1724000000.pt.trace.json", None),
            ("rank.json", None),
        ] {
            let found = of_name(name, None);
            assert_eq!(found.as_ref().map(|r| (r.number, &*r.from)), rank, "{name}");
        }
        let pattern = Pattern::parse("worker-{rank}.json").unwrap();
        let of = |name| of_name(name, Some(&pattern)).map(|r| r.number);
        assert_eq!((of("a-worker-12.json"), of("rank3.json"), of("worker-x.json")), (Some(12), None, None));
        assert!(Pattern::parse("worker.json").is_err());
    }
}
