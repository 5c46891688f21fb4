//! The socket of a window: who may connect, and messages of a bounded length.
//!
//! It is a Unix socket in a folder of the user alone (mode 700), itself of mode 600, and where the system tells who connects,
//! another user is turned away. A message is one line of JSON, an answer another one.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::Request;
use crate::jobs::{self, Job};

/// Most bytes of a message, and of an answer.
const LONGEST: u64 = 64 << 10;
/// Clients at a time.
const MOST: usize = 4;
/// Time between two looks at whether somebody still waits.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A window that says nothing for so long does not answer.
const PATIENCE: Duration = Duration::from_secs(600);

/// The folder of sockets, made when it is not there.
fn folder() -> Result<PathBuf, String> {
    let own = rustix::process::geteuid().as_raw();
    let folder = match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| Path::new(dir).is_absolute()) {
        Some(runtime) => Path::new(&runtime).join("inferscope"),
        None => std::env::temp_dir().join(format!("inferscope-{own}")),
    };
    let failed = |e: std::io::Error| format!("{}: cannot be made ({e})", folder.display());
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(e)),
        _ => {}
    }
    // Somebody else may have made it before, or put a link there.
    let meta = std::fs::symlink_metadata(&folder).map_err(failed)?;
    if !meta.is_dir() || meta.uid() != own || meta.mode() & 0o077 != 0 {
        return Err(format!("{}: is not a folder of yours alone", folder.display()));
    }
    Ok(folder)
}

/// True for a client of the same user, as far as the system tells.
fn is_own(stream: &UnixStream) -> bool {
    #[cfg(target_os = "linux")]
    return rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| peer.uid == rustix::process::geteuid());
    #[cfg(not(target_os = "linux"))]
    {
        let _ = stream;
        true
    }
}

/// A window that listens, until this is dropped.
pub struct Listening {
    path: PathBuf,
    stopped: Arc<AtomicBool>,
    clients: Arc<AtomicUsize>,
}

impl Listening {
    /// Listens; `hear` is called for each message, from other threads.
    ///
    /// # Errors
    /// One line, why that is not possible.
    pub fn start(hear: impl Fn(Request) + Clone + Send + 'static) -> Result<Self, String> {
        Self::start_in(&folder()?, hear)
    }

    fn start_in(folder: &Path, hear: impl Fn(Request) + Clone + Send + 'static) -> Result<Self, String> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = match NUMBER.fetch_add(1, Ordering::Relaxed) {
            0 => String::new(),
            n => format!("-{n}"),
        };
        let path = folder.join(format!("window-{}{number}.sock", std::process::id()));
        let failed = |e: std::io::Error| format!("{}: cannot be made ({e})", path.display());
        // Of a process that had this number before.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).map_err(failed)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let listening = Self { path: path.clone(), stopped: Arc::default(), clients: Arc::default() };
        let (stopped, clients) = (listening.stopped.clone(), listening.clients.clone());
        jobs::spawn("agents", move || {
            crate::record::leave_out_this_thread();
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                if !is_own(&stream) {
                    continue;
                }
                if clients.fetch_add(1, Ordering::Relaxed) >= MOST {
                    clients.fetch_sub(1, Ordering::Relaxed);
                    let _ = say(&mut stream, &json!({ "error": "the window has too many clients" }));
                    continue;
                }
                let (hear, clients, stopped) = (hear.clone(), clients.clone(), stopped.clone());
                jobs::spawn("agent", move || {
                    crate::record::leave_out_this_thread();
                    serve(&stream, &hear, &stopped);
                    clients.fetch_sub(1, Ordering::Relaxed);
                    hear(Request::Left);
                });
            }
        });
        Ok(listening)
    }

    /// Clients that are connected.
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for clients.
        let _ = UnixStream::connect(&self.path);
        let _ = std::fs::remove_file(&self.path);
    }
}

fn say(stream: &mut UnixStream, message: &Value) -> std::io::Result<()> {
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("{message}\n").as_bytes())
}

/// Reads a line within a bound; `None` at the end, or when nobody wants it any more.
fn line(reader: &mut BufReader<&UnixStream>, wanted: impl Fn() -> bool) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let room = LONGEST + 1 - line.len() as u64;
        match reader.by_ref().take(room).read_until(b'\n', &mut line) {
            Ok(_) if line.last() == Some(&b'\n') => return Ok(Some(line)),
            Ok(0) => return Ok(None),
            Ok(_) if line.len() as u64 > LONGEST => {
                return Err(std::io::Error::other("a message is longer than 64 KiB"));
            }
            Ok(_) => return Ok(None),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                if !wanted() {
                    return Ok(None);
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Answers one client until it leaves.
fn serve(stream: &UnixStream, hear: &impl Fn(Request), stopped: &AtomicBool) {
    let Ok(mut out) = stream.try_clone() else { return };
    if stream.set_read_timeout(Some(LOOK_EVERY)).is_err() {
        return;
    }
    hear(Request::Came);
    let mut reader = BufReader::new(stream);
    let goes_on = || !stopped.load(Ordering::Relaxed);
    while goes_on() {
        let read = line(&mut reader, goes_on);
        // What comes after the switch was turned is not heard.
        if !goes_on() {
            return;
        }
        let message = match read {
            Ok(Some(message)) => serde_json::from_slice::<Value>(&message),
            Ok(None) => return,
            Err(e) => {
                let _ = say(&mut out, &json!({ "error": e.to_string() }));
                return;
            }
        };
        let answer = match message {
            Ok(message) => wait(message, hear, stopped),
            Err(_) => Err("that is no message of inferscope mcp".to_owned()),
        };
        let answer = match answer {
            Ok(said) => json!({ "ok": said }),
            Err(why) => json!({ "error": why }),
        };
        if say(&mut out, &answer).is_err() {
            return;
        }
    }
}

/// Has the window do what a message says.
fn wait(message: Value, hear: &impl Fn(Request), stopped: &AtomicBool) -> Result<Value, String> {
    let (reply, answer) = mpsc::channel();
    hear(Request::Do { message, reply });
    let begun = std::time::Instant::now();
    loop {
        match answer.recv_timeout(LOOK_EVERY) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Timeout) if stopped.load(Ordering::Relaxed) => {
                return Err("the window does not listen to agents any more".into());
            }
            Err(RecvTimeoutError::Timeout) if begun.elapsed() < PATIENCE => {}
            Err(_) => return Err("the window does not answer".into()),
        }
    }
}

/// A connection to a window.
pub struct Client(UnixStream);

impl Client {
    /// Connects to the window that began to listen last. Sockets that nobody listens at are left over and are removed.
    ///
    /// # Errors
    /// One line that says what to do.
    pub fn connect() -> Result<Self, String> {
        Self::connect_in(&folder()?)
    }

    fn connect_in(folder: &Path) -> Result<Self, String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let is_window = |name: &str| name.starts_with("window-") && name.ends_with(".sock");
        let mut sockets: Vec<(SystemTime, PathBuf)> = entries
            .filter(|e| is_window(&e.file_name().to_string_lossy()))
            .filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path())))
            .collect();
        sockets.sort_unstable();
        for (_, path) in sockets.into_iter().rev() {
            match UnixStream::connect(&path) {
                Ok(stream) if is_own(&stream) => return Ok(Self(stream)),
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
                    let _ = std::fs::remove_file(&path);
                }
                Err(_) => {}
            }
        }
        Err("no window listens: open inferscope and choose «Agents: may use this window»".into())
    }

    /// Has the window do something, and waits for it.
    ///
    /// # Errors
    /// What the window says, or that it has gone; cancelled.
    pub fn ask(&mut self, message: &Value, job: &Job) -> Result<Value, Lost> {
        let gone = |_: std::io::Error| Lost::Gone;
        let text = message.to_string();
        if text.len() as u64 >= LONGEST {
            return Err(Lost::Said("a message to the window may have 64 KiB".into()));
        }
        say(&mut self.0, message).map_err(gone)?;
        self.0.set_read_timeout(Some(LOOK_EVERY)).map_err(gone)?;
        let answer = line(&mut BufReader::new(&self.0), || !job.is_cancelled()).map_err(gone)?;
        let Some(answer) = answer else {
            return Err(if job.is_cancelled() { Lost::Said("cancelled".into()) } else { Lost::Gone });
        };
        let mut answer: Value = serde_json::from_slice(&answer).map_err(|_| Lost::Gone)?;
        match answer["error"].as_str() {
            Some(why) => Err(Lost::Said(why.to_owned())),
            None => Ok(answer["ok"].take()),
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Lost {
    /// The window is closed, or listens no more.
    Gone,
    /// It said why.
    Said(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("inferscope-socket-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
        folder
    }

    /// A window that says what it heard.
    fn echo(request: Request) {
        if let Request::Do { message, reply } = request {
            let _ = reply.send(if message["fail"] == true { Err("no".into()) } else { Ok(message) });
        }
    }

    #[test]
    fn messages_come_and_go_and_the_socket_is_of_the_user_alone() {
        let folder = place("echo");
        let left_over = folder.join("window-1.sock");
        drop(UnixListener::bind(&left_over).unwrap());
        let listening = Listening::start_in(&folder, echo).unwrap();
        assert_eq!(std::fs::metadata(&listening.path).unwrap().mode() & 0o777, 0o600);
        let mut client = Client::connect_in(&folder).unwrap();
        let job = Job::new();
        assert_eq!(client.ask(&json!({ "a": 1 }), &job).unwrap(), json!({ "a": 1 }));
        assert!(matches!(client.ask(&json!({ "fail": true }), &job), Err(Lost::Said(why)) if why == "no"));
        assert_eq!(listening.clients(), 1);
        assert!(!left_over.exists() || Client::connect_in(&folder).is_ok());
        let long = json!({ "a": "x".repeat(70_000) });
        assert!(matches!(client.ask(&long, &job), Err(Lost::Said(_))));
        drop(listening);
        assert!(matches!(client.ask(&json!({}), &job), Err(Lost::Gone)));
        assert!(Client::connect_in(&folder).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_no_message_or_too_long_or_too_many_does_no_harm() {
        let folder = place("hostile");
        let listening = Listening::start_in(&folder, echo).unwrap();
        let raw = || UnixStream::connect(&listening.path).unwrap();
        let said = |stream: &UnixStream| {
            let mut text = String::new();
            BufReader::new(stream).read_line(&mut text).unwrap();
            text
        };
        let mut one = raw();
        one.write_all(b"not json\n").unwrap();
        assert!(said(&one).contains("no message"));
        let mut long = raw();
        let sent = long.write_all(&vec![b'x'; 200_000]);
        // It is cut off while it still writes, or told.
        assert!(sent.is_err() || said(&long).contains("64 KiB"));
        drop(long);
        let many: Vec<UnixStream> = (0..MOST + 3).map(|_| raw()).collect();
        assert!(many.iter().any(|stream| said_soon(stream).contains("too many")));
        drop((one, many));
        let start = std::time::Instant::now();
        while listening.clients() > 0 {
            assert!(start.elapsed() < Duration::from_secs(10), "who left is gone");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// What a window says by itself, if it says anything.
    fn said_soon(stream: &UnixStream) -> String {
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut text = String::new();
        let _ = BufReader::new(stream).read_line(&mut text);
        text
    }
}
