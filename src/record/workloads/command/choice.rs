//! Which profilers a command is run with.

use super::python::CALLS;

/// The word for what costs little: stacks in time.
pub(super) const AUTO: &str = "auto";
const NONE: &str = "none";
const STACKS: &str = "stacks";
const TORCH: &str = "torch";

/// Values of the workload's parameter.
pub(super) const PROFILERS: &[&str] =
    &[AUTO, STACKS, TORCH, "cprofile", "pyinstrument", "yappi-wall", "yappi-cpu", NONE];

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// Stacks, sampled while the program runs.
    pub(super) stacks: bool,
    /// `torch.profiler`.
    pub(super) torch: bool,
    /// Profilers that listen to the program's calls, in the order in which they were named.
    pub(super) calls: Vec<String>,
    /// Nothing at all: the command line stays as it is.
    pub(super) nothing: bool,
}

impl Choice {
    pub(super) fn of(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        match words[..] {
            [NONE] => return Ok(Self { nothing: true, ..Self::default() }),
            [AUTO] => return Ok(Self { stacks: true, ..Self::default() }),
            _ => {}
        }
        if words.iter().any(|w| [NONE, AUTO].contains(w)) {
            return Err("profilers: none and auto go with no other".into());
        }
        let calls = words.iter().filter(|w| CALLS.contains(w)).map(|w| (*w).to_owned()).collect();
        Ok(Self { stacks: words.contains(&STACKS), torch: words.contains(&TORCH), calls, nothing: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_say_what_runs() {
        let of = |text: &str| Choice::of(text).unwrap();
        assert_eq!(of("auto"), Choice { stacks: true, ..Choice::default() });
        assert_eq!(of("none"), Choice { nothing: true, ..Choice::default() });
        let both = of("cprofile, stacks,yappi-cpu");
        assert!(both.stacks && both.calls == ["cprofile", "yappi-cpu"]);
        assert!(!of("cprofile").stacks && of("torch,stacks").torch);
        assert!(Choice::of("none,stacks").is_err() && Choice::of("auto,cprofile").is_err());
        for word in PROFILERS {
            assert!(Choice::of(word).is_ok(), "{word}");
        }
    }
}
