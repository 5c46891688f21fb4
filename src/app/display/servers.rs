//! Whether the server that a variable names answers. A name that is left from another login, a container or a cut ssh link
//! names nobody.

use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use super::Session;

/// How long a server may take to answer. One behind a slow link needs some hundred milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the server of `value`; the error says why that is no display.
pub(super) fn answers(session: Session, value: &OsString) -> Result<(), String> {
    let (sender, answer) = mpsc::channel();
    let value = value.clone();
    std::thread::spawn(move || {
        let asked = match session {
            Session::Wayland => wayland(&value),
            Session::X11 => x11(&value),
            Session::Native => Ok(()),
        };
        // Nobody waits for one that comes too late.
        let _ = sender.send(asked);
    });
    answer.recv_timeout(PATIENCE).unwrap_or_else(|_| Err("the server there does not answer".into()))
}

/// Shakes hands with the X server, as every program does that opens a window there.
fn x11(value: &OsString) -> Result<(), String> {
    use x11rb::errors::ConnectError;
    let name = value.to_str().ok_or("that is no name of a display")?;
    match x11rb::connect(Some(name)) {
        // It stays: a server without clients may start anew (Xvfb does), just when the window knocks.
        Ok(connection) => {
            std::mem::forget(connection);
            Ok(())
        }
        Err(ConnectError::SetupAuthenticate(_) | ConnectError::SetupFailed(_)) => {
            Err("the X server there does not let this user in".into())
        }
        Err(ConnectError::DisplayParsingError(_)) => Err("that is no name of a display".into()),
        Err(ConnectError::InvalidScreen) => Err("the X server there has no such screen".into()),
        Err(_) => Err("no X server answers there".into()),
    }
}

/// Looks for the compositor's socket: an inherited one by its number, else by its name.
fn wayland(value: &OsString) -> Result<(), String> {
    if std::env::var_os("WAYLAND_SOCKET").as_ref() == Some(value) {
        let open = Path::new("/dev/fd").join(value).symlink_metadata().is_ok();
        return if open { Ok(()) } else { Err("no such socket was inherited".into()) };
    }
    let socket = PathBuf::from(value);
    let socket = match std::env::var_os("XDG_RUNTIME_DIR") {
        _ if socket.is_absolute() => socket,
        Some(folder) => Path::new(&folder).join(socket),
        None => return Err("XDG_RUNTIME_DIR, the folder of its socket, is not set".into()),
    };
    UnixStream::connect(socket).map(drop).map_err(|_| "no compositor answers there".into())
}
