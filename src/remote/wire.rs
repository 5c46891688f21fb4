//! What goes over a link: frames as in a journal, in both directions.
//!
//! The helper begins with [`START`] and a [`Tell::Hello`]. Then the client asks and the helper tells; [`Tell::Done`] or
//! [`Tell::Failed`] ends an answer. Bytes of files come as pieces, each with its place, so that after a broken link one goes
//! on where one was.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::import::ErrorKind;
use crate::model::wire::journal::{self, Next, frame, next_within};
use crate::model::wire::tag::Tag;

/// Version of what is said. Both sides must have the same, and the same version of journals.
const PROTOCOL: u32 = 1;
/// What the helper writes first: unlike anything that a shell prints.
pub(super) const START: &[u8] = b"\x89inferscope-rmt\n";
/// Longest frame.
pub(super) const MOST: u32 = 4 << 20;
/// Bytes of a file in one piece.
pub(super) const PIECE: usize = 256 << 10;
/// Longest list of journals, and texts of a span, that are sent.
pub(super) const MOST_LISTED: usize = 1000;
/// Pieces that are shorter are sent as they are.
const PACKED_FROM: usize = 4 << 10;
/// Fast; halves a journal.
const LEVEL: i32 = 3;

const ASK: Tag = *b"ASK ";
const TELL: Tag = *b"TELL";
const DATA: Tag = *b"DATA";

/// The versions that must fit, as one word.
#[must_use]
pub fn version() -> String {
    format!("{PROTOCOL}.{}", journal::VERSION)
}

/// True when a helper of this program can serve a client of that version.
#[must_use]
pub fn fits(other: &str) -> bool {
    other == version()
}

/// What the client wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    /// Is anybody there?
    Ping,
    /// Which journals are there?
    List,
    /// Record, under a name that the client chose: asked twice, it happens once.
    Record {
        /// The name.
        id: String,
        /// Words behind `inferscope record`.
        words: Vec<String>,
    },
    /// Send what a recording writes, from these bytes on, to its end.
    Follow {
        /// Its name.
        id: String,
        /// Bytes of the journal that the client has.
        journal: u64,
        /// Bytes of standard output.
        out: u64,
        /// Bytes of standard error.
        err: u64,
    },
    /// End a recording and keep it.
    Stop {
        /// Its name.
        id: String,
    },
    /// End a recording and throw it away.
    Cancel {
        /// Its name.
        id: String,
    },
    /// Parse a file and send the session.
    Open {
        /// Its path.
        path: String,
    },
    /// Parse a journal and send the session.
    Bring {
        /// Its name.
        journal: String,
    },
    /// Details of an event of an opened file.
    Details {
        /// Its path.
        path: String,
        /// The importer.
        format: String,
        /// Bytes that the file had.
        bytes: u64,
        /// Where the event is.
        offset: u64,
    },
    /// Send a file as it is.
    Fetch {
        /// Its path.
        path: String,
        /// Bytes that the client has.
        from: u64,
    },
    /// Remove a journal.
    Remove {
        /// Its name.
        journal: String,
    },
    /// Stop what is being answered.
    Enough,
}

/// Who the helper is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    /// As [`version`] gives it.
    pub version: String,
    /// Version of the program.
    pub program: String,
    pub os: String,
    pub arch: String,
    /// Name of the machine.
    pub host: String,
}

/// A journal on the other side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// File name without folder.
    pub journal: String,
    /// What was recorded.
    pub title: String,
    /// When it began, Unix time in ns.
    pub began_unix_ns: Option<i64>,
    /// Its size.
    pub bytes: u64,
    /// The recording ended in order.
    pub ended: bool,
    /// It goes on.
    pub living: bool,
}

/// How a recording gets on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// What it is doing, in words.
    pub stage: String,
    /// Finished share from 0 to 1.
    pub progress: Option<f32>,
    /// Time since its start, ms.
    pub elapsed_ms: u64,
    /// Spans so far.
    pub spans: u64,
    /// Events that did not fit.
    pub dropped: u64,
    /// Where its journal is.
    pub journal: Option<PathBuf>,
    /// The exit code of the recorded command.
    pub exit_code: Option<u8>,
    /// The recording is over, and nothing more is written.
    pub ended: bool,
    /// It was thrown away.
    pub cancelled: bool,
    /// What was to be recorded did not start: there is no recording.
    pub failed: bool,
}

/// What the helper says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tell {
    Hello(Hello),
    Pong,
    Journals(Vec<Listed>),
    /// The recording is on its way.
    Begun,
    Progress(State),
    /// The recording is over and everything was sent.
    Ended {
        state: State,
        /// Name of its journal, when there is one.
        name: Option<String>,
        /// Bytes of it.
        journal: u64,
        /// The journal ends in order.
        whole: bool,
        /// The last line that the recorder said, for when there is no journal.
        said: String,
    },
    /// How far a file is parsed, from 0 to 1.
    Reading(f32),
    /// So many bytes come as pieces.
    Size(u64),
    Details(Vec<(String, String)>),
    Done,
    Failed {
        why: String,
        kind: Kind,
    },
}

/// Class of a failure, as [`ErrorKind`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Io,
    Unrecognised,
    Malformed,
    Several,
    Cancelled,
}

impl From<ErrorKind> for Kind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Io => Self::Io,
            ErrorKind::Unrecognised => Self::Unrecognised,
            ErrorKind::Malformed => Self::Malformed,
            ErrorKind::Several => Self::Several,
            ErrorKind::Cancelled => Self::Cancelled,
        }
    }
}

impl From<Kind> for ErrorKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Io => Self::Io,
            Kind::Unrecognised => Self::Unrecognised,
            // Its members are not here to choose from; the text names them.
            Kind::Malformed | Kind::Several => Self::Malformed,
            Kind::Cancelled => Self::Cancelled,
        }
    }
}

/// What bytes belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The journal of a recording.
    Journal,
    /// What the recorded program writes to standard output.
    Out,
    /// What it writes to standard error.
    Err,
    /// A file, or a session.
    File,
}

const STREAMS: [Stream; 4] = [Stream::Journal, Stream::Out, Stream::Err, Stream::File];

/// Bytes of a file at their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub stream: Stream,
    /// Where the first byte stands.
    pub at: u64,
    /// The last byte ends something whole: one may go on behind it later.
    pub whole: bool,
    pub bytes: Vec<u8>,
}

const PACKED: u8 = 1;
const WHOLE: u8 = 2;
/// Stream, flags, place.
const PIECE_HEADER: usize = 10;

/// One frame of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Tell(Tell),
    Piece(Piece),
}

fn strange(why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}

fn send(out: &mut dyn Write, tag: Tag, bytes: &[u8]) -> io::Result<()> {
    if bytes.len() > MOST as usize {
        return Err(strange("that is too long for a frame"));
    }
    let mut framed = Vec::with_capacity(bytes.len() + 12);
    frame(&mut framed, tag, bytes);
    out.write_all(&framed)?;
    out.flush()
}

pub(super) fn ask(out: &mut dyn Write, ask: &Ask) -> io::Result<()> {
    send(out, ASK, &serde_json::to_vec(ask)?)
}

pub(super) fn tell(out: &mut dyn Write, tell: &Tell) -> io::Result<()> {
    send(out, TELL, &serde_json::to_vec(tell)?)
}

/// Sends bytes that begin at `at`, in pieces; `whole`: the last one ends something whole.
pub(super) fn pieces(
    out: &mut dyn Write,
    stream: Stream,
    at: u64,
    bytes: &[u8],
    whole: bool,
) -> io::Result<()> {
    let last = bytes.len().div_ceil(PIECE).saturating_sub(1);
    for (n, chunk) in bytes.chunks(PIECE).enumerate() {
        let packed = if chunk.len() >= PACKED_FROM { zstd::bulk::compress(chunk, LEVEL).ok() } else { None };
        let packed = packed.filter(|packed| packed.len() < chunk.len());
        let mut body = Vec::with_capacity(PIECE_HEADER + chunk.len());
        body.push(STREAMS.iter().position(|s| *s == stream).unwrap_or(0) as u8);
        let whole = if whole && n == last { WHOLE } else { 0 };
        body.push(whole | if packed.is_some() { PACKED } else { 0 });
        body.extend_from_slice(&(at + (n * PIECE) as u64).to_le_bytes());
        body.extend_from_slice(packed.as_deref().unwrap_or(chunk));
        send(out, DATA, &body)?;
    }
    Ok(())
}

fn piece(body: &[u8]) -> io::Result<Piece> {
    let Some((header, bytes)) = body.split_first_chunk::<PIECE_HEADER>() else {
        return Err(strange("a piece is cut short"));
    };
    let [stream, flags, at @ ..] = *header;
    let stream =
        STREAMS.get(usize::from(stream)).copied().ok_or_else(|| strange("a piece of nothing known"))?;
    let bytes = match flags & PACKED {
        0 if bytes.len() <= PIECE => bytes.to_vec(),
        0 => return Err(strange("a piece is too long")),
        // Never more than what a piece may have.
        _ => zstd::bulk::decompress(bytes, PIECE)?,
    };
    Ok(Piece { stream, at: u64::from_le_bytes(at), whole: flags & WHOLE != 0, bytes })
}

/// A frame, or `None` at the end; what is not whole or not known is an error.
fn receive(from: &mut impl Read) -> io::Result<Option<(Tag, Vec<u8>)>> {
    match next_within(from, MOST)? {
        Next::Frame(tag, bytes) => Ok(Some((tag, bytes))),
        Next::End => Ok(None),
        Next::Torn => Err(strange("bytes were lost or changed on the way")),
    }
}

/// The next frame of an answer; `None` when the link ends behind a whole one.
pub(super) fn answer(from: &mut impl Read) -> io::Result<Option<Answer>> {
    let Some((tag, bytes)) = receive(from)? else { return Ok(None) };
    match tag {
        TELL => Ok(Some(Answer::Tell(
            serde_json::from_slice(&bytes).map_err(|_| strange("it says what nobody knows"))?,
        ))),
        DATA => piece(&bytes).map(|piece| Some(Answer::Piece(piece))),
        _ => Err(strange("it says what nobody knows")),
    }
}

/// What the client asks next; `None` when it has gone.
pub(super) fn asked(from: &mut impl Read) -> io::Result<Option<Ask>> {
    match receive(from)? {
        None => Ok(None),
        Some((ASK, bytes)) => {
            serde_json::from_slice(&bytes).map(Some).map_err(|e| strange(format!("that is no question: {e}")))
        }
        Some(_) => Err(strange("that is no question")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_comes_back() {
        let mut bytes = Vec::new();
        tell(&mut bytes, &Tell::Failed { why: "no".into(), kind: Kind::Io }).unwrap();
        let long: Vec<u8> = (0..PIECE + 5000).map(|i| (i % 7) as u8).collect();
        pieces(&mut bytes, Stream::Journal, 18, &long, true).unwrap();
        pieces(&mut bytes, Stream::Err, 3, b"abc", false).unwrap();
        assert!(bytes.len() < 4000, "long pieces are packed: {}", bytes.len());
        let mut from = &bytes[..];
        assert_eq!(
            answer(&mut from).unwrap(),
            Some(Answer::Tell(Tell::Failed { why: "no".into(), kind: Kind::Io }))
        );
        let mut got = Vec::new();
        for whole in [false, true] {
            let Some(Answer::Piece(p)) = answer(&mut from).unwrap() else { panic!("a piece") };
            assert_eq!((p.stream, p.at, p.whole), (Stream::Journal, 18 + got.len() as u64, whole));
            got.extend(p.bytes);
        }
        assert_eq!(got, long);
        let Some(Answer::Piece(p)) = answer(&mut from).unwrap() else { panic!("a piece") };
        assert_eq!((p.stream, p.at, &p.bytes[..]), (Stream::Err, 3, &b"abc"[..]));
        assert!(answer(&mut from).unwrap().is_none());
        let mut bytes = Vec::new();
        let question = Ask::Follow { id: "a".into(), journal: 1, out: 2, err: 3 };
        ask(&mut bytes, &question).unwrap();
        assert_eq!(asked(&mut &bytes[..]).unwrap(), Some(question));
        assert!(fits(&version()) && !fits("0.0"));
    }

    #[test]
    fn a_hostile_side_gets_an_error_and_no_memory() {
        let mut long = Vec::new();
        frame(&mut long, TELL, &vec![b' '; MOST as usize + 1]);
        assert!(answer(&mut &long[..]).unwrap_err().to_string().contains("4194304"), "no more is read");
        // A bomb.
        let bomb = zstd::bulk::compress(&vec![0; PIECE * 64], 3).unwrap();
        let mut body = vec![0, PACKED];
        body.extend_from_slice(&0u64.to_le_bytes());
        body.extend_from_slice(&bomb);
        let mut framed = Vec::new();
        frame(&mut framed, DATA, &body);
        assert!(answer(&mut &framed[..]).is_err());
        for (tag, body) in [
            (DATA, &b"short"[..]),
            (DATA, &[9, 0, 0, 0, 0, 0, 0, 0, 0, 0][..]),
            (DATA, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3][..]),
            (TELL, &b"{\"made_up\": 1}"[..]),
            (TELL, &b"\xff"[..]),
            (*b"WHAT", &b""[..]),
        ] {
            let mut framed = Vec::new();
            frame(&mut framed, tag, body);
            assert!(answer(&mut &framed[..]).is_err(), "{body:?}");
            assert!(asked(&mut &framed[..]).is_err(), "{body:?}");
        }
        // Any changed or missing byte.
        let mut good = Vec::new();
        pieces(&mut good, Stream::File, 0, b"some bytes", true).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x55;
            assert!(answer(&mut &bad[..]).is_err(), "byte {at}");
            assert_eq!(answer(&mut &good[..at]).is_err(), at > 0, "cut at {at}");
        }
    }
}
