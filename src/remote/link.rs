//! A link: a child process that gives a shell on the other side, and the helper that was started through it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bootstrap::{self, MARK, Parcel, Said};
use super::wire::{self, Answer, Ask, Hello, START, Tell};
use super::{Patience, Target, Trouble};
use crate::format;
use crate::jobs;

/// Frames that wait to be looked at: with the longest frame, what a hostile side can make us hold.
const MOST_WAITING: usize = 4;
/// Longest line that is looked at before the helper speaks.
const LONGEST_LINE: u64 = 64 << 10;
/// What the transport says on its standard error is kept up to this.
const MOST_SAID: usize = 4 << 10;
/// What it prints before the helper speaks, up to this, is said where it does not answer.
const MOST_OF_FIRST: usize = 200;
/// From here on one says that there is no answer yet.
const SLOW: Duration = Duration::from_secs(5);
/// Bytes of the program between two words about it.
const PARCEL_PIECE: usize = 256 << 10;
/// Time for a transport to end by itself.
const GOODBYE: Duration = Duration::from_millis(300);
/// Time for its last words.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What comes from the other side.
enum Heard {
    /// Before the helper speaks: a line that is marked as ours.
    Said(Said),
    Answer(Answer),
    /// Nothing more, and why.
    End(String),
}

#[derive(Default)]
struct Shared {
    /// When a byte came last.
    heard: Mutex<Option<Instant>>,
    /// The end of what the transport said on its standard error.
    said: Mutex<String>,
    /// What came first on its standard output.
    first: Mutex<Vec<u8>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A link with a helper at its other end.
pub(super) struct Link {
    target: String,
    child: Child,
    to: Option<ChildStdin>,
    inbox: Receiver<Heard>,
    shared: Arc<Shared>,
    patience: Patience,
    /// When one asked last whether anybody is there.
    pinged: Instant,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Link {
    /// Makes a link to `target`, and puts the program there when it is missing. `on_step` is told what happens, and says whether
    /// to go on.
    pub(super) fn connect(
        target: &Target,
        patience: Patience,
        on_step: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Self, Trouble> {
        let mut link = Self::start(target, patience)?;
        if !target.is_here() {
            link.write(bootstrap::probe(&Parcel::own()?.hash).as_bytes())?;
        }
        let begun = Instant::now();
        let mut until = begun + patience.login;
        let mut put = false;
        loop {
            let is_slow = begun.elapsed() >= SLOW && !put;
            let step = if target.is_here() { "Starting" } else { "Connecting" };
            if !on_step(&if is_slow { link.waiting() } else { step.to_owned() }) {
                return Err(Trouble::Refused("cancelled".into()));
            }
            if Instant::now() >= until {
                let heard = link.heard_so_far();
                return Err(link.broken(&format!("no answer within {} s{heard}", patience.login.as_secs())));
            }
            match link.inbox.recv_timeout(Duration::from_millis(50)) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(link.broken("it has ended")),
                Ok(Heard::End(why)) => return Err(link.broken(&why)),
                Ok(Heard::Answer(Answer::Tell(Tell::Hello(hello)))) => {
                    return link.greet(&hello).map(|()| link);
                }
                Ok(Heard::Answer(_)) => return Err(Trouble::Refused(link.strange())),
                Ok(Heard::Said(Said::Need { system, machine, place })) if !put => {
                    bootstrap::check(&link.target, &system, &machine)?;
                    place.map_err(|tried| bootstrap::no_place(&link.target, &tried))?;
                    on_step("Packing inferscope");
                    let packed = Parcel::own()?.packed()?;
                    put = true;
                    link.write(bootstrap::put(packed.len()).as_bytes())?;
                    link.await_go()?;
                    link.send_parcel(&packed, on_step)?;
                    until = Instant::now() + patience.login;
                }
                Ok(Heard::Said(Said::Put { code, said })) => {
                    return Err(bootstrap::does_not_run(&link.target, &code, &format::plain(&said)));
                }
                Ok(Heard::Said(_)) => return Err(Trouble::Refused(link.strange())),
            }
        }
    }

    /// What is said while nobody answers.
    fn waiting(&self) -> String {
        let (most, heard) = (self.patience.login.as_secs(), self.heard_so_far());
        format!("No answer of {} yet, the most is {most} s{heard}", self.target)
    }

    /// What the shell there printed instead of an answer, if anything.
    fn heard_so_far(&self) -> String {
        let text = format::plain(&String::from_utf8_lossy(&lock(&self.shared.first))).into_owned();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.is_empty() { String::new() } else { format!("; what came was «{words}»") }
    }

    fn start(target: &Target, patience: Patience) -> Result<Self, Trouble> {
        let words = target.words();
        let mut command = command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| {
            let program = words.first().map_or("", String::as_str);
            Trouble::Refused(format!("{target}: {program} cannot be started ({e})"))
        })?;
        let shared = Arc::new(Shared::default());
        let (heard, inbox) = mpsc::sync_channel(MOST_WAITING);
        if let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) {
            let own = shared.clone();
            jobs::spawn("link", move || {
                let mut from = BufReader::new(Stamped { inner: out, shared: own });
                let why = listen(&mut from, &mut |what| heard.send(what).is_ok());
                // Nobody may be left to hear it.
                let _ = heard.send(Heard::End(why));
            });
            let own = shared.clone();
            jobs::spawn("link errors", move || keep_last(err, &own.said));
        }
        let to = child.stdin.take();
        Ok(Self {
            target: target.text().to_owned(),
            child,
            to,
            inbox,
            shared,
            patience,
            pinged: Instant::now(),
        })
    }

    fn greet(&self, hello: &Hello) -> Result<(), Trouble> {
        if wire::fits(&hello.version) {
            return Ok(());
        }
        Err(Trouble::Refused(format!(
            "{} has inferscope {} (protocol {}), and this is {} (protocol {}): bring both to one version",
            self.target,
            format::plain(&hello.program),
            format::plain(&hello.version),
            env!("CARGO_PKG_VERSION"),
            wire::version()
        )))
    }

    /// Waits until the shell takes bytes.
    fn await_go(&self) -> Result<(), Trouble> {
        match self.inbox.recv_timeout(self.patience.login) {
            Ok(Heard::Said(Said::Go)) => Ok(()),
            Ok(Heard::End(why)) => Err(self.broken(&why)),
            Ok(_) => Err(Trouble::Refused(self.strange())),
            Err(_) => Err(self.broken("no answer")),
        }
    }

    fn send_parcel(&mut self, packed: &[u8], on_step: &mut dyn FnMut(&str) -> bool) -> Result<(), Trouble> {
        let size = format::bytes(packed.len() as i64);
        let mut sent = 0;
        for piece in packed.chunks(PARCEL_PIECE) {
            if !on_step(&format!("Sending inferscope, {size}: {} %", sent * 100 / packed.len().max(1))) {
                return Err(Trouble::Refused("cancelled".into()));
            }
            // When it does not take all of it, it says why.
            if self.write(piece).is_err() {
                break;
            }
            sent += piece.len();
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let sent = match &mut self.to {
            Some(to) => to.write_all(bytes).and_then(|()| to.flush()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        sent.map_err(|_| self.broken("it has ended"))
    }

    /// Asks something.
    pub(super) fn ask(&mut self, ask: &Ask) -> Result<(), Trouble> {
        let mut bytes = Vec::new();
        wire::ask(&mut bytes, ask).map_err(|e| Trouble::Refused(e.to_string()))?;
        self.write(&bytes)
    }

    /// The next part of an answer; `None` when there is none within `wait`.
    pub(super) fn next(&mut self, wait: Duration) -> Result<Option<Answer>, Trouble> {
        match self.inbox.recv_timeout(wait) {
            Ok(Heard::Answer(Answer::Tell(Tell::Pong))) => Ok(None),
            Ok(Heard::Answer(answer)) => Ok(Some(answer)),
            Ok(Heard::Said(_)) => Err(Trouble::Refused(self.strange())),
            Ok(Heard::End(why)) => Err(self.broken(&why)),
            Err(RecvTimeoutError::Disconnected) => Err(self.broken("it has ended")),
            Err(RecvTimeoutError::Timeout) => {
                let silent = lock(&self.shared.heard).map_or(Duration::ZERO, |at| at.elapsed());
                if silent >= self.patience.broken {
                    return Err(self.broken(&format!("nothing was heard for {} s", silent.as_secs())));
                }
                if silent >= self.patience.ping && self.pinged.elapsed() >= self.patience.ping {
                    self.pinged = Instant::now();
                    self.ask(&Ask::Ping)?;
                }
                Ok(None)
            }
        }
    }

    /// The next part of an answer, however long it takes while the other side is there.
    pub(super) fn wait(&mut self, go_on: &mut dyn FnMut() -> bool) -> Result<Answer, Trouble> {
        loop {
            if let Some(answer) = self.next(Duration::from_millis(50))? {
                return Ok(answer);
            }
            if !go_on() {
                return Err(Trouble::Refused("cancelled".into()));
            }
        }
    }

    /// The other side does not keep to what was agreed.
    pub(super) fn strange(&self) -> String {
        format!("{}: the other side says what was not asked", self.target)
    }

    /// Why the link is no more: what its transport said last, or what we saw.
    fn broken(&self, seen: &str) -> Trouble {
        // It may be about to say it.
        let until = Instant::now() + LAST_WORDS;
        while lock(&self.shared.said).is_empty() && Instant::now() < until && seen == ENDED {
            std::thread::sleep(Duration::from_millis(10));
        }
        let said = lock(&self.shared.said);
        let last = said
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .map(|l| format::plain(l.trim()).into_owned());
        let why = last.map_or_else(|| seen.to_owned(), |last| format!("{seen} ({last})"));
        Trouble::Broken(format!("{}: the link broke: {why}", self.target))
    }
}

/// What is seen when the transport ends.
const ENDED: &str = "it ended";

impl Drop for Link {
    fn drop(&mut self) {
        // The helper ends with its input, and the transport with the helper.
        self.to = None;
        let until = Instant::now() + GOODBYE;
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // It is gone already, or cannot be reached.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ctrl-C is for us: a transport that got it, too, would break the link by which «stop» is said.
#[cfg(unix)]
fn command(words: &[String]) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#"trap "" INT QUIT; exec "$@""#, "sh"]).args(words);
    command
}

#[cfg(not(unix))]
fn command(words: &[String]) -> Command {
    let mut command = Command::new(words.first().map_or("", String::as_str));
    command.args(words.iter().skip(1));
    command
}

/// Notes when bytes come: a slow link is none that is broken.
struct Stamped<R> {
    inner: R,
    shared: Arc<Shared>,
}

impl<R: Read> Read for Stamped<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        *lock(&self.shared.heard) = Some(Instant::now());
        let mut first = lock(&self.shared.first);
        let room = MOST_OF_FIRST - first.len();
        first.extend_from_slice(&buf[..n.min(room)]);
        Ok(n)
    }
}

/// Hears what comes, as long as `take` wants it; gives why it ended.
fn listen(from: &mut impl BufRead, take: &mut dyn FnMut(Heard) -> bool) -> String {
    loop {
        let mut line = Vec::new();
        match from.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) => return ENDED.into(),
            Ok(_) if line == START => break,
            Ok(_) if line.starts_with(MARK) => {
                if let Some(said) = Said::read(&line)
                    && !take(Heard::Said(said))
                {
                    return String::new();
                }
            }
            // What a login script prints.
            Ok(_) => {}
            Err(e) => return e.to_string(),
        }
    }
    loop {
        match wire::answer(from) {
            Ok(Some(answer)) => {
                if !take(Heard::Answer(answer)) {
                    return String::new();
                }
            }
            Ok(None) => return ENDED.into(),
            Err(e) => return e.to_string(),
        }
    }
}

fn keep_last(mut from: impl Read, to: &Mutex<String>) {
    let mut chunk = [0; 1024];
    while let Ok(n @ 1..) = from.read(&mut chunk) {
        let mut said = lock(to);
        said.push_str(&String::from_utf8_lossy(&chunk[..n]));
        if said.len() > MOST_SAID {
            let cut =
                (said.len() - MOST_SAID / 2..said.len()).find(|at| said.is_char_boundary(*at)).unwrap_or(0);
            said.drain(..cut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bytes: &[u8]) -> (usize, usize, String) {
        let (mut said, mut answers) = (0, 0);
        let why = listen(&mut &bytes[..], &mut |what| {
            match what {
                Heard::Said(_) => said += 1,
                Heard::Answer(_) => answers += 1,
                Heard::End(_) => {}
            }
            true
        });
        (said, answers, why)
    }

    #[test]
    fn banners_are_passed_over_and_noise_later_is_not() {
        let mut bytes = b"Welcome!\nneed\tx\n\x89inferscope\tgo\n".to_vec();
        bytes.extend(vec![b'x'; 200 << 10]);
        bytes.extend(b"\n");
        bytes.extend(START);
        wire::tell(&mut bytes, &Tell::Pong).unwrap();
        assert_eq!(heard(&bytes), (1, 1, ENDED.into()));
        assert_eq!(heard(&bytes[..bytes.len() - 3]).0, 1);
        assert!(heard(&bytes[..bytes.len() - 3]).2.contains("lost"), "a cut frame is no end");
        bytes.extend(b"Connection closed by somebody\n");
        let (_, answers, why) = heard(&bytes);
        assert!(answers == 1 && why != ENDED, "{why}");
    }

    #[test]
    fn a_transport_that_fails_says_why_in_its_own_words() {
        let connect = |text: &str| {
            Link::connect(&Target::parse(text).unwrap(), Patience::default(), &mut |_| true)
                .map(drop)
                .unwrap_err()
        };
        let missing = connect("cmd:no-such-transport");
        assert!(missing.to_string().contains("no-such-transport"), "{missing}");
        #[cfg(unix)]
        {
            let refused = connect("cmd:sh -c 'echo Permission denied >&2; exit 255'");
            assert!(
                matches!(&refused, Trouble::Broken(why) if why.contains("Permission denied")),
                "{refused}"
            );
            let patience = Patience { login: Duration::from_millis(300), ..Patience::default() };
            let silent = Link::connect(&Target::parse("cmd:sleep 100").unwrap(), patience, &mut |_| true);
            assert!(silent.unwrap_err().to_string().contains("no answer"));
        }
    }
}
