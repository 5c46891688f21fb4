//! Recording and opening on other machines: over ssh, in containers, in pods.
//!
//! A program of the person's own (`ssh`, `docker`, `kubectl`) carries the bytes: it gives a POSIX shell on its standard
//! streams ([`Target`]). Through that the same binary is found or put there (`bootstrap`) and started as `inferscope remote`
//! ([`helper`]), which speaks frames (`wire`) and listens to nothing but its standard input. No port, no daemon, no
//! cryptography of ours.
//!
//! The recorder there is a process of its own in a session of its own ([`post`]). It writes its journal to its own disk as
//! ever, so neither the end of a link, of the helper nor of this process stops or slows it. The helper sends that file
//! from an offset. Here a [`Recording`] keeps a copy, a journal like any other, and after a broken link goes on behind the
//! last whole frame of it.
//!
//! A file there is parsed there ([`RemoteFile`]): what comes over is a session, and details of a span when they are asked
//! for. Nothing that comes is trusted: frames are short and have checksums, and what they hold goes through the importers
//! like any file.

mod anywhere;
mod bootstrap;
mod file;
pub mod helper;
mod journals;
mod link;
mod mirror;
pub mod post;
mod recording;
mod target;
mod wire;

pub use anywhere::Anywhere;
pub use file::{RemoteFile, input};
pub use journals::Journals;
pub use recording::{Order, Recording, record};
pub use target::{Address, Target};
pub use wire::{Listed, State, Stream, fits, version};

use std::time::Duration;

/// How long one waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Time without a word after which one asks whether the other side is there.
    pub ping: Duration,
    /// Time without a word after which the link counts as broken.
    pub broken: Duration,
    /// Time for a first answer: somebody may have to type a password.
    pub login: Duration,
    /// Longest time between two tries to come back.
    pub retry: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            ping: Duration::from_secs(5),
            broken: Duration::from_secs(15),
            login: Duration::from_secs(120),
            retry: Duration::from_secs(30),
        }
    }
}

/// Why something was not done there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The other side says no, or is not what it should be. To try again changes nothing.
    Refused(String),
    /// The link broke, or could not be made.
    Broken(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Refused(why) | Self::Broken(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for Trouble {}
