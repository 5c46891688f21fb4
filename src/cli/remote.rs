//! `inferscope remote`: the other side of recordings and files on another machine. Programs call it, not people.

use clap::Args;

use super::Failure;
use crate::remote::{self, helper};

/// Arguments of `remote`.
#[derive(Debug, Args)]
pub(super) struct RemoteArgs {
    /// Only say, by the exit code, whether a client of this version can be served.
    #[arg(long, value_name = "VERSION")]
    fits: Option<String>,
}

pub(super) fn run(args: &RemoteArgs) -> Result<(), Failure> {
    if let Some(version) = &args.fits {
        return match remote::fits(version) {
            true => Ok(()),
            false => Err(Failure::new(format!("this is version {}", remote::version()))),
        };
    }
    super::out::serve(|out| {
        let places = helper::Places::usual().map_err(std::io::Error::other)?;
        helper::serve(&places, std::io::stdin(), out)
    })
}
