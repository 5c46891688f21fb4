//! Journals on another machine: what is there, brought, and removed when asked.

use super::file::parsed;
use super::link::Link;
use super::wire::{Answer, Ask, Listed, Tell};
use super::{Patience, Target, Trouble};
use crate::format;
use crate::jobs::Job;
use crate::model::Profile;

/// The journals on another machine.
pub struct Journals {
    target: Target,
    link: Link,
}

impl Journals {
    /// Connects.
    ///
    /// # Errors
    /// When there is no link.
    pub fn on(target: &Target) -> Result<Self, Trouble> {
        let link = Link::connect(target, Patience::default(), &mut |_| true)?;
        Ok(Self { target: target.clone(), link })
    }

    /// What is there, newest first.
    ///
    /// # Errors
    /// When the link breaks.
    pub fn list(&mut self) -> Result<Vec<Listed>, Trouble> {
        self.link.ask(&Ask::List)?;
        match self.link.wait(&mut || true)? {
            Answer::Tell(Tell::Journals(found)) => Ok(found),
            other => Err(self.not(other)),
        }
    }

    /// The recording of one, as far as it goes.
    ///
    /// # Errors
    /// When the link breaks, and when it cannot be read there.
    pub fn bring(&mut self, journal: &str) -> Result<Profile, Trouble> {
        self.link.ask(&Ask::Bring { journal: journal.to_owned() })?;
        parsed(&mut self.link, &Job::new())
            .map_err(|e| Trouble::Refused(format!("{}: {journal}: {e}", self.target)))
    }

    /// Removes one.
    ///
    /// # Errors
    /// When the link breaks, and when it is being written.
    pub fn remove(&mut self, journal: &str) -> Result<(), Trouble> {
        self.link.ask(&Ask::Remove { journal: journal.to_owned() })?;
        match self.link.wait(&mut || true)? {
            Answer::Tell(Tell::Done) => Ok(()),
            other => Err(self.not(other)),
        }
    }

    fn not(&self, answer: Answer) -> Trouble {
        match answer {
            Answer::Tell(Tell::Failed { why, .. }) => {
                Trouble::Refused(format!("{}: {}", self.target, format::plain(&why)))
            }
            _ => Trouble::Refused(self.link.strange()),
        }
    }
}
