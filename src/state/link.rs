//! What somebody looks at as one word, for a command line: `inferscope run.prof --at 1.eNqr…`.
//!
//! The word says nothing about the file: it fits every profile that has the same names. It is the [`Look`] with search,
//! selected function and the view in front, as compressed JSON in letters that no shell takes for its own. It may come
//! from a stranger: it is bounded, and whatever is in it only shows a part of a file.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};
use serde::{Deserialize, Serialize};

use super::{Interaction, Item, Look};
use crate::model::{Profile, SymbolKey};

/// What words begin with: the number of their form.
const FORM: &str = "1.";
/// Most bytes that a word stands for.
const MOST: u64 = 1 << 20;

/// What somebody looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Link {
    look: Look,
    search: String,
    /// The selected function, or the one that the selected call is of.
    function: Option<SymbolKey>,
    /// The view in front.
    view: Option<String>,
}

impl Link {
    /// What is looked at, in a view.
    #[must_use]
    pub fn of(now: &Interaction, profile: &Profile, view: Option<String>) -> Self {
        let function = now.selection.as_ref().and_then(Item::symbol);
        Self { look: Look::of(now, profile), search: now.search.clone(), function, view }
    }

    /// The word.
    #[must_use]
    pub fn text(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut packed = Vec::new();
        // Reading from memory does not fail.
        let _ = ZlibEncoder::new(&json[..], Compression::best()).read_to_end(&mut packed);
        format!("{FORM}{}", URL_SAFE_NO_PAD.encode(packed))
    }

    /// What a word stands for.
    ///
    /// # Errors
    /// One line: it is no such word, or not all of one.
    pub fn read(text: &str) -> Result<Self, String> {
        let Some(body) = text.trim().strip_prefix(FORM) else {
            return Err("is no link to a view; «Copy link to this view» in the Edit menu makes one".into());
        };
        let broken = "is not the whole of a link to a view; copy it again";
        let packed = URL_SAFE_NO_PAD.decode(body).map_err(|_| broken)?;
        let mut json = Vec::new();
        ZlibDecoder::new(&packed[..]).take(MOST + 1).read_to_end(&mut json).map_err(|_| broken)?;
        if json.len() as u64 > MOST {
            return Err("is larger than a link to a view can be".into());
        }
        serde_json::from_slice(&json).map_err(|_| broken.into())
    }

    /// `now` changed to look at the same; what the profile lacks is left out.
    #[must_use]
    pub fn applied_to(&self, now: &Interaction, profile: &Profile) -> Interaction {
        let known = self.function.filter(|&f| profile.keys().function(f).is_some());
        Interaction {
            search: self.search.clone(),
            selection: known.map(Item::Function),
            ..self.look.applied_to(now, profile)
        }
    }

    /// The view in front.
    #[must_use]
    pub fn view(&self) -> Option<&str> {
        self.view.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Transform;
    use crate::analysis::testing::{profile, symbol};
    use crate::state::Command;

    #[test]
    fn a_word_shows_the_same_in_another_window() {
        let p = profile("main 0 100 / f@lib 10 40; g 60 70");
        let mut now = Interaction::default();
        for command in [
            Command::Push(Transform::FocusFunction(symbol(&p, "f@lib"))),
            Command::SetRange(Some((5, 60))),
            Command::Search("two words".into()),
            Command::Select(Some(Item::Function(symbol(&p, "g")))),
        ] {
            command.apply(&mut now);
        }
        let word = Link::of(&now, &p, Some("flame".into())).text();
        assert!(word.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{word}");
        let link = Link::read(&word).expect("a link");
        assert_eq!((link.applied_to(&Interaction::default(), &p), link.view()), (now, Some("flame")));
        let other = profile("main 0 5");
        assert_eq!(link.applied_to(&Interaction::default(), &other).selection, None, "no g there");
    }

    #[test]
    fn what_is_no_word_is_refused_and_none_unpacks_without_end() {
        let word = Link::default().text();
        assert!(Link::read("run.prof").expect_err("a file").contains("no link"));
        assert!(Link::read(&word[..word.len() - 4]).is_err() && Link::read("1.").is_err());
        let mut packed = Vec::new();
        let zeros = vec![b' '; 64 << 20];
        ZlibEncoder::new(&zeros[..], Compression::best()).read_to_end(&mut packed).expect("packed");
        let bomb = format!("{FORM}{}", URL_SAFE_NO_PAD.encode(packed));
        assert!(Link::read(&bomb).expect_err("a bomb").contains("larger"));
    }
}
