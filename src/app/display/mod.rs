//! Whether and how a window can be opened here, found out before one is tried: the toolkit below says only that something
//! failed, or panics.

#[cfg(all(unix, not(target_os = "macos")))]
mod libraries;
#[cfg(all(unix, not(target_os = "macos")))]
mod search;
#[cfg(all(unix, not(target_os = "macos")))]
mod servers;

/// A way to the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// A Wayland compositor.
    Wayland,
    /// An X server, or XWayland.
    X11,
    /// The only one of the system.
    Native,
}

/// What there is for a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Display {
    /// A window can be tried on this.
    Ready(Session),
    /// Nothing shows windows here, and why, in words for a person.
    None(String),
    /// Something shows windows, but libraries are missing: which, and how they are installed.
    Lacking(String),
}

/// Looks at the environment of this process, the servers that it names and the libraries that they need.
#[must_use]
pub fn find() -> Display {
    #[cfg(all(unix, not(target_os = "macos")))]
    return search::find();
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    Display::Ready(Session::Native)
}

impl Session {
    /// Makes the window's event loop use this way and no other.
    pub(super) fn choose<T>(self, builder: &mut winit::event_loop::EventLoopBuilder<T>) {
        #[cfg(all(unix, not(target_os = "macos")))]
        {
            use winit::platform::{wayland::EventLoopBuilderExtWayland, x11::EventLoopBuilderExtX11};
            match self {
                Self::Wayland => drop(builder.with_wayland()),
                Self::X11 => drop(builder.with_x11()),
                Self::Native => {}
            }
        }
        #[cfg(not(all(unix, not(target_os = "macos"))))]
        let _ = builder;
    }
}
