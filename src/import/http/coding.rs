//! Bodies that come packed, unpacked piece by piece.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// A small body may unpack to a large one.
const MOST: usize = 16 << 20;

/// Takes what is unpacked, up to a limit.
#[derive(Default)]
pub(super) struct Bounded {
    new: Vec<u8>,
    all: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.all += bytes.len();
        if self.all > MOST {
            return Err(io::Error::other("too long"));
        }
        self.new.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A `content-encoding`.
pub(super) enum Coding {
    Plain,
    /// The first byte tells which: most servers call zlib's format so, some mean the bare one.
    Deflate,
    Gzip(Box<MultiGzDecoder<Bounded>>),
    Zlib(Box<ZlibDecoder<Bounded>>),
    Bare(Box<DeflateDecoder<Bounded>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Bounded>>),
    Unknown,
    Damaged,
}

impl Coding {
    pub(super) fn new(name: &str) -> Self {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" | "none" => Self::Plain,
            "gzip" | "x-gzip" => Self::Gzip(Box::new(MultiGzDecoder::new(Bounded::default()))),
            "deflate" => Self::Deflate,
            "zstd" => match zstd::stream::write::Decoder::new(Bounded::default()) {
                Ok(decoder) => Self::Zstd(Box::new(decoder)),
                Err(_) => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }

    /// What these bytes add to the body.
    pub(super) fn unpack(&mut self, bytes: &[u8]) -> Vec<u8> {
        if let (Self::Deflate, Some(first)) = (&*self, bytes.first()) {
            *self = match first & 0x0f {
                8 => Self::Zlib(Box::new(ZlibDecoder::new(Bounded::default()))),
                _ => Self::Bare(Box::new(DeflateDecoder::new(Bounded::default()))),
            };
        }
        let (written, to) = match self {
            Self::Plain => return bytes.to_vec(),
            Self::Gzip(d) => (d.write_all(bytes).and_then(|()| d.flush()), d.get_mut()),
            Self::Zlib(d) => (d.write_all(bytes).and_then(|()| d.flush()), d.get_mut()),
            Self::Bare(d) => (d.write_all(bytes).and_then(|()| d.flush()), d.get_mut()),
            Self::Zstd(d) => (d.write_all(bytes).and_then(|()| d.flush()), d.get_mut()),
            Self::Deflate | Self::Unknown | Self::Damaged => return Vec::new(),
        };
        let new = std::mem::take(&mut to.new);
        if written.is_err() {
            *self = Self::Damaged;
        }
        new
    }

    /// Why a body could not be read, if it could not.
    pub(super) fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Unknown => Some("the answer is packed in a way that is not read here (br): unknown, not 0"),
            Self::Damaged => Some("the packed answer is damaged or too long: unknown, not 0"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;

    #[test]
    fn every_coding_is_unpacked_in_pieces_of_any_size() {
        let text = "data: one\n\n".repeat(500);
        let made = |coding: &str| -> Vec<u8> {
            let text = text.as_bytes();
            match coding {
                "gzip" => {
                    let mut e = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
                    e.write_all(text).unwrap();
                    e.finish().unwrap()
                }
                "zlib" => {
                    let mut e = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
                    e.write_all(text).unwrap();
                    e.finish().unwrap()
                }
                "bare" => {
                    let mut e = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
                    e.write_all(text).unwrap();
                    e.finish().unwrap()
                }
                "zstd" => zstd::encode_all(text, 1).unwrap(),
                _ => text.to_vec(),
            }
        };
        for (name, coding) in
            [("", "plain"), ("gzip", "gzip"), ("deflate", "zlib"), ("deflate", "bare"), ("zstd", "zstd")]
        {
            for size in [1, 17, 4096] {
                let mut d = Coding::new(name);
                let all: Vec<u8> = made(coding).chunks(size).flat_map(|piece| d.unpack(piece)).collect();
                assert_eq!((String::from_utf8(all).unwrap(), d.problem()), (text.clone(), None), "{coding}");
            }
        }
        let mut odd = Coding::new("gzip");
        odd.unpack(b"no gzip at all, really");
        assert!(odd.problem().is_some() && Coding::new("br").problem().is_some());
        let bomb = zstd::encode_all(&vec![0u8; 64 << 20][..], 1).unwrap();
        let mut d = Coding::new("zstd");
        assert!(d.unpack(&bomb).len() <= MOST && d.problem().is_some());
    }
}
