//! Counts of what an importer found odd, by kind.

use crate::model::ProfileBuilder;

/// Counts oddities of an import; texts are made only for the first of a kind.
#[derive(Default)]
pub(in crate::import) struct Oddities(Vec<(&'static str, u64, String)>);

impl Oddities {
    /// Counts one of `kind`, first seen at `place`.
    pub fn add(&mut self, kind: &'static str, place: impl FnOnce() -> String) {
        match self.0.iter_mut().find(|o| o.0 == kind) {
            Some(known) => known.1 += 1,
            None => self.0.push((kind, 1, place())),
        }
    }

    /// The first oddity as one line, for a file of which nothing else is left.
    pub fn first(&self) -> Option<String> {
        self.0.first().map(|(kind, _, place)| format!("{kind}: {place}"))
    }

    /// Adds those of another part of the same.
    #[cfg(feature = "workloads")]
    pub fn absorb(&mut self, other: Self) {
        for (kind, count, place) in other.0 {
            match self.0.iter_mut().find(|o| o.0 == kind) {
                Some(known) => known.1 = known.1.saturating_add(count),
                None => self.0.push((kind, count, place)),
            }
        }
    }

    /// Hands the counts to the profile.
    pub fn report(self, builder: &mut ProfileBuilder) {
        self.tell(builder);
    }

    /// Tells the profile the counts so far.
    pub fn tell(&self, builder: &mut ProfileBuilder) {
        for (kind, count, place) in &self.0 {
            builder.warn_many(kind, place, *count);
        }
    }
}
