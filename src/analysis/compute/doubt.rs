//! Shares of a device's peak that are above 1. No device does more than it can, so something that the share rests on is wrong: what
//! that may be is said in the place of the figure's meaning.

use super::{Given, Known, Work};
use crate::format;

/// What a share is a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peak {
    /// Bytes per second that the device can read: MBU.
    Bytes,
    /// Operations per second that it can do: MFU.
    Operations,
}

/// Weights of up to so many bytes may stay in the caches of a processor.
const IN_CACHE: u64 = 96 << 20;
/// Bytes of a parameter above which its number or the bytes of the weights are wrong: 32-bit numbers have 4.
const WIDEST: f64 = 4.3;

impl Peak {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Bytes, Self::Operations];

    /// What a share of it is called.
    #[must_use]
    pub fn share_name(self) -> &'static str {
        match self {
            Self::Bytes => "MBU",
            Self::Operations => "MFU",
        }
    }
}

impl Work {
    /// Its share of a peak.
    pub fn share(&self, peak: Peak, given: &Given) -> Known<f64> {
        match peak {
            Peak::Bytes => self.mbu(given),
            Peak::Operations => self.mfu(given),
        }
    }

    /// Why its share of a peak cannot be, with what may be wrong; `None` up to 1, and where it is not known.
    #[must_use]
    pub fn doubt(&self, peak: Peak, given: &Given) -> Option<String> {
        self.share(peak, given).ok().filter(|share| *share > 1.0)?;
        let reasons = match peak {
            Peak::Bytes => self.of_bytes(given),
            Peak::Operations => of_operations(given),
        };
        Some(format!("cannot be above 100 %. Check: {}", reasons.join("; ")))
    }

    fn of_bytes(&self, given: &Given) -> Vec<String> {
        let mut reasons = Vec::new();
        let each = given.weight_bytes.zip(given.parameters.filter(|p| *p > 0));
        if let Some(each) = each.map(|(bytes, n)| bytes as f64 / n as f64).filter(|each| *each > WIDEST) {
            let each = format::number(each);
            reasons.push(format!("{each} bytes per parameter are too many, so the bytes of the weights or the parameters are wrong"));
        }
        if let Some(bytes) = given.weight_bytes.filter(|b| *b <= IN_CACHE) {
            let bytes = format::bytes(i64::try_from(bytes).unwrap_or(i64::MAX));
            reasons.push(format!(
                "weights of {bytes} may stay in a cache and are not read from memory each time"
            ));
        }
        let peak = given
            .peak_bytes
            .map_or_else(String::new, |b| format!(" ({} GB/s)", format::number(b as f64 / 1e9)));
        reasons.push(format!("the peak bandwidth{peak} is of another device, or bits instead of bytes"));
        reasons.push(
            "each token is counted as one pass over all weights, which several tokens a pass (a batch, speculative decoding) or a \
             mixture of experts are not"
                .to_owned(),
        );
        reasons
    }
}

fn of_operations(given: &Given) -> Vec<String> {
    let peak = given
        .peak_flops
        .map_or_else(String::new, |f| format!(" ({} TFLOP/s)", format::number(f as f64 / 1e12)));
    vec![
        format!(
            "the peak of operations{peak} is of another device or of wider numbers than it computed with (matrix units do 16-bit and 8-bit numbers many times faster)"
        ),
        "all parameters count for each token, which they do not in a mixture of experts".to_owned(),
        "prompt tokens that a cache held count as computed where nobody says so".to_owned(),
    ]
}
