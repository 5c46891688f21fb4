//! The console that Windows opens for a program of the command line, also when it is started by a double click.

/// Gives up a console that was opened for this process alone: nobody reads it, and it would stand behind the window.
#[cfg(windows)]
#[expect(unsafe_code, reason = "calls of the system")]
pub(super) fn leave() {
    use windows_sys::Win32::System::Console::{FreeConsole, GetConsoleProcessList};
    let mut ids = [0; 2];
    // SAFETY: the list is as long as said; without a console nothing happens.
    unsafe {
        if GetConsoleProcessList(ids.as_mut_ptr(), 2) == 1 {
            FreeConsole();
        }
    }
}
