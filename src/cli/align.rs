//! `--align`: the moment on which two runs are laid over each other in time.

use super::Failure;
use crate::analysis::align::AlignAt;
use crate::format;
use crate::model::Profile;

/// What a person may say.
pub(super) const FORMS: &str = "start, first-token, phase:NAME, event:NAME, fn:NAME, or a time such as 12ms or -3s that moves the new run";

/// An alignment whose function is not looked up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AlignArg {
    At(AlignAt),
    Function(String),
}

impl AlignArg {
    /// Reads it.
    ///
    /// # Errors
    /// One line with what is expected.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let named = |prefix| text.strip_prefix(prefix).filter(|name| !name.is_empty());
        Ok(match text {
            "start" => Self::At(AlignAt::Start),
            "first-token" => Self::At(AlignAt::FirstToken),
            _ => {
                if let Some(name) = named("phase:") {
                    Self::At(AlignAt::Phase(name.into()))
                } else if let Some(name) = named("event:") {
                    Self::At(AlignAt::Marker(name.into()))
                } else if let Some(name) = named("fn:") {
                    Self::Function(name.into())
                } else {
                    // No run is longer than three years.
                    let moved = format::typed_time(text).filter(|ns| ns.abs() < 100_000_000_000_000_000);
                    let ns = moved.ok_or_else(|| format!("expected {FORMS}"))?;
                    Self::At(AlignAt::By(ns))
                }
            }
        })
    }

    /// With the function looked up in the new run, else in the baseline.
    pub(super) fn of(&self, base: &Profile, head: &Profile) -> Result<AlignAt, Failure> {
        let name = match self {
            Self::At(at) => return Ok(at.clone()),
            Self::Function(name) => name,
        };
        let find = |profile: &Profile| {
            let function = profile.functions.ids().find(|&f| profile.function_name(f) == name)?;
            Some(profile.keys().symbol(function))
        };
        let symbol = find(head).or_else(|| find(base));
        let symbol =
            symbol.ok_or_else(|| Failure::new(format!("--align: neither run has a function «{name}»")))?;
        Ok(AlignAt::Function(symbol))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alignments_are_read() {
        let at = |text| AlignArg::parse(text).unwrap();
        assert_eq!(at("start"), AlignArg::At(AlignAt::Start));
        assert_eq!(at("phase:decode"), AlignArg::At(AlignAt::Phase("decode".into())));
        assert_eq!(at("fn:main"), AlignArg::Function("main".into()));
        assert_eq!(at("-1.5ms"), AlignArg::At(AlignAt::By(-1_500_000)));
        assert_eq!(at("2s"), AlignArg::At(AlignAt::By(2_000_000_000)));
        for wrong in ["", "12", "phase:", "ms", "1e99s", "nans", "end"] {
            assert!(AlignArg::parse(wrong).unwrap_err().contains("first-token"), "{wrong}");
        }
    }
}
