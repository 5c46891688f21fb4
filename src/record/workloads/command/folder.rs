//! The folder in which the command's processes leave files for the recorder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use crate::model::wire::journal::TRACE;

/// A folder that only the user may enter; removed with what is in it.
pub(in super::super) struct Folder(PathBuf);

impl Folder {
    /// At `place`, where somebody may find the files when this process is killed; without one, or where it cannot be made,
    /// a temporary folder.
    pub(in super::super) fn beside(place: Option<PathBuf>) -> Result<Self, String> {
        let own = place.and_then(|place| Self::make(place).ok());
        own.map_or_else(Self::temporary, Ok)
            .map_err(|e| format!("no temporary folder for what the command leaves: {e}"))
    }

    /// Where processes that are recorded from inside leave what they record, made when it is missing.
    pub(in super::super) fn trace(&self) -> Result<PathBuf, String> {
        // Whoever records may work elsewhere.
        let trace = std::path::absolute(self.0.join(TRACE)).map_err(|e| e.to_string())?;
        match fs::create_dir(&trace) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(format!("{}: {e}", trace.display()))
            }
            _ => Ok(trace),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn temporary() -> std::io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
        let (n, pid) = (NEXT.fetch_add(1, Ordering::Relaxed), std::process::id());
        Self::make(std::env::temp_dir().join(format!("inferscope-{pid}-{n}-{now:x}")))
    }

    fn make(path: PathBuf) -> std::io::Result<Self> {
        #[cfg_attr(not(unix), expect(unused_mut, reason = "folders of users are private there"))]
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // Fails when it is there already, whoever made it.
        builder.create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own clearing of temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
