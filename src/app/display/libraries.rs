//! The libraries that are opened at run time when a window is, and the packages that have them. winit, glutin and
//! xkbcommon-dl name the same ones.

use super::Session;

/// A library that a session needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Needed {
    /// The name by which it is opened.
    pub(super) soname: &'static str,
    /// Another that does as well.
    pub(super) or: Option<&'static str>,
    debian: &'static str,
    fedora: &'static str,
    arch: &'static str,
    alpine: &'static str,
}

/// The packages of Debian and Ubuntu, Fedora and its kin, Arch, Alpine.
const fn needed(soname: &'static str, packages: [&'static str; 4]) -> Needed {
    let [debian, fedora, arch, alpine] = packages;
    Needed { soname, or: None, debian, fedora, arch, alpine }
}

const XKBCOMMON: Needed =
    needed("libxkbcommon.so.0", ["libxkbcommon0", "libxkbcommon", "libxkbcommon", "libxkbcommon"]);

const X11: &[Needed] = &[
    needed("libX11.so.6", ["libx11-6", "libX11", "libx11", "libx11"]),
    needed("libX11-xcb.so.1", ["libx11-xcb1", "libX11-xcb", "libx11", "libx11"]),
    needed("libXcursor.so.1", ["libxcursor1", "libXcursor", "libxcursor", "libxcursor"]),
    needed("libXi.so.6", ["libxi6", "libXi", "libxi", "libxi"]),
    XKBCOMMON,
    needed(
        "libxkbcommon-x11.so.0",
        ["libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11", "libxkbcommon-x11"],
    ),
    Needed {
        or: Some("libEGL.so.1"),
        ..needed("libGL.so.1", ["libgl1", "mesa-libGL", "mesa", "mesa-gl mesa-dri-gallium"])
    },
];

const WAYLAND: &[Needed] = &[
    needed(
        "libwayland-client.so.0",
        ["libwayland-client0", "libwayland-client", "wayland", "wayland-libs-client"],
    ),
    XKBCOMMON,
    needed("libwayland-egl.so.1", ["libwayland-egl1", "libwayland-egl", "wayland", "wayland-libs-egl"]),
    needed("libEGL.so.1", ["libegl1", "mesa-libEGL", "mesa", "mesa-egl mesa-dri-gallium"]),
];

/// What a session needs.
pub(super) fn of(session: Session) -> &'static [Needed] {
    match session {
        Session::Wayland => WAYLAND,
        Session::X11 => X11,
        Session::Native => &[],
    }
}

/// What of it cannot be opened.
pub(super) fn missing(session: Session, opens: &dyn Fn(&str) -> bool) -> Vec<Needed> {
    let there = |needed: &Needed| opens(needed.soname) || needed.or.is_some_and(opens);
    of(session).iter().filter(|needed| !there(needed)).copied().collect()
}

/// Whether the system's loader finds a library and all that it needs itself.
#[expect(
    unsafe_code,
    reason = "opening a library runs its initialisers; the window would open the same ones"
)]
pub(super) fn opens(soname: &str) -> bool {
    match unsafe { libloading::Library::new(soname) } {
        // It stays open: drivers do not take it well when they are unloaded, and the window needs it next.
        Ok(library) => {
            std::mem::forget(library);
            true
        }
        Err(_) => false,
    }
}

/// What the system says of itself; empty when it does not.
pub(super) fn os_release() -> String {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    read("/etc/os-release").or_else(|| read("/usr/lib/os-release")).unwrap_or_default()
}

/// Systems with one way of installing packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Debian,
    Fedora,
    Arch,
    Alpine,
    Other,
}

impl Family {
    /// The family that the text of `os-release` names: the system itself, else what it is like.
    pub(super) fn of(os_release: &str) -> Self {
        let value = |key: &str| {
            let line = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches(['"', '\'']).to_ascii_lowercase()
        };
        let (id, like) = (value("ID"), value("ID_LIKE"));
        let known = |name: &str| match name {
            "debian" | "ubuntu" => Some(Self::Debian),
            "fedora" | "rhel" | "centos" => Some(Self::Fedora),
            "arch" => Some(Self::Arch),
            "alpine" => Some(Self::Alpine),
            _ => None,
        };
        std::iter::once(id.as_str()).chain(like.split_whitespace()).find_map(known).unwrap_or(Self::Other)
    }

    /// The command that installs these libraries.
    pub(super) fn install(self, missing: &[Needed]) -> String {
        let (command, package): (_, fn(&Needed) -> &'static str) = match self {
            Self::Debian => ("apt-get install", |n| n.debian),
            Self::Fedora => ("dnf install", |n| n.fedora),
            Self::Arch => ("pacman -S", |n| n.arch),
            Self::Alpine => ("apk add", |n| n.alpine),
            Self::Other => {
                let one = missing.len() == 1;
                return if one {
                    "install the package that has it"
                } else {
                    "install the packages that have them"
                }
                .into();
            }
        };
        let mut packages: Vec<_> = missing.iter().flat_map(|n| package(n).split(' ')).collect();
        packages.sort_unstable();
        packages.dedup();
        format!("{command} {}", packages.join(" "))
    }
}
