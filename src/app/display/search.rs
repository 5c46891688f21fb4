//! Which display of a Unix desktop can show a window.

use std::ffi::OsString;

use super::libraries::{self, Family, Needed};
use super::{Display, Session, servers};

/// What this process has.
pub(super) fn find() -> Display {
    let os_release = libraries::os_release();
    choose(&|name| std::env::var_os(name), &servers::answers, &libraries::opens, &Family::of(&os_release))
}

/// The first session that answers and has its libraries, Wayland before X11.
fn choose(
    variable: &dyn Fn(&str) -> Option<OsString>,
    answers: &dyn Fn(Session, &OsString) -> Result<(), String>,
    opens: &dyn Fn(&str) -> bool,
    family: &Family,
) -> Display {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let named = [
        ("WAYLAND_SOCKET", Session::Wayland),
        ("WAYLAND_DISPLAY", Session::Wayland),
        ("DISPLAY", Session::X11),
    ];
    let (mut dead, mut lacking) = (Vec::new(), Vec::new());
    for (name, session) in named {
        let Some(value) = set(name) else { continue };
        // One socket is enough, as in libwayland.
        if name == "WAYLAND_DISPLAY" && set("WAYLAND_SOCKET").is_some() {
            continue;
        }
        if let Err(why) = answers(session, &value) {
            dead.push(format!("{name} is {}, but {why}", value.to_string_lossy()));
            continue;
        }
        let missing = libraries::missing(session, opens);
        if missing.is_empty() {
            return Display::Ready(session);
        }
        lacking.push((session, missing));
    }
    if !lacking.is_empty() {
        return Display::Lacking(how_to_install(&lacking, family));
    }
    if dead.is_empty() {
        return Display::None("neither DISPLAY nor WAYLAND_DISPLAY is set".into());
    }
    Display::None(dead.join("; "))
}

/// What each session lacks and the command that brings it.
fn how_to_install(lacking: &[(Session, Vec<Needed>)], family: &Family) -> String {
    let parts: Vec<String> = lacking
        .iter()
        .map(|(session, missing)| {
            let names: Vec<_> = missing.iter().map(|needed| needed.soname).collect();
            format!("{} needs {}: {}", name(*session), names.join(", "), family.install(missing))
        })
        .collect();
    format!("system libraries are missing; {}", parts.join("; or "))
}

fn name(session: Session) -> &'static str {
    if session == Session::Wayland { "Wayland" } else { "X11" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "ID=debian\n";

    /// The display with these variables, of which the `dead` ones name nothing that answers, without these libraries.
    fn display(set: &[(&str, &str)], dead: &[&str], without: &[&str], os: &str) -> Display {
        let variable = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        let answers = |_, value: &OsString| match dead.iter().any(|d| *d == value) {
            true => Err("nothing answers there".to_owned()),
            false => Ok(()),
        };
        choose(&variable, &answers, &|name| !without.contains(&name), &Family::of(os))
    }

    const BOTH: &[(&str, &str)] = &[("WAYLAND_DISPLAY", "wayland-0"), ("DISPLAY", ":0")];
    const X11: &[(&str, &str)] = &[("DISPLAY", ":0")];
    const WAYLAND: &[(&str, &str)] = &[("WAYLAND_DISPLAY", "wayland-0")];

    fn none(why: &str) -> Display {
        Display::None(why.into())
    }

    #[test]
    fn the_first_session_that_answers_is_taken() {
        assert_eq!(display(BOTH, &[], &[], DEBIAN), Display::Ready(Session::Wayland));
        assert_eq!(display(BOTH, &["wayland-0"], &[], DEBIAN), Display::Ready(Session::X11));
        assert_eq!(display(BOTH, &[":0"], &[], DEBIAN), Display::Ready(Session::Wayland));
        assert_eq!(display(X11, &[], &[], DEBIAN), Display::Ready(Session::X11));
        let socket = &[("WAYLAND_SOCKET", "5"), ("WAYLAND_DISPLAY", "gone")];
        assert_eq!(display(socket, &["gone"], &[], DEBIAN), Display::Ready(Session::Wayland));
    }

    #[test]
    fn what_does_not_answer_is_no_display() {
        assert_eq!(display(&[], &[], &[], DEBIAN), none("neither DISPLAY nor WAYLAND_DISPLAY is set"));
        assert_eq!(
            display(&[("DISPLAY", ""), ("WAYLAND_DISPLAY", "")], &[], &[], DEBIAN),
            none("neither DISPLAY nor WAYLAND_DISPLAY is set")
        );
        assert_eq!(
            display(X11, &[":0"], &["libX11.so.6"], DEBIAN),
            none("DISPLAY is :0, but nothing answers there")
        );
        assert_eq!(
            display(BOTH, &[":0", "wayland-0"], &[], DEBIAN),
            none(
                "WAYLAND_DISPLAY is wayland-0, but nothing answers there; DISPLAY is :0, but nothing answers there"
            )
        );
    }

    #[test]
    fn a_session_without_its_libraries_gives_way_to_one_that_has_them() {
        assert_eq!(display(BOTH, &[], &["libwayland-client.so.0"], DEBIAN), Display::Ready(Session::X11));
        assert_eq!(display(BOTH, &[], &["libX11.so.6"], DEBIAN), Display::Ready(Session::Wayland));
        let Display::Lacking(text) = display(BOTH, &[], &["libwayland-client.so.0", "libXi.so.6"], DEBIAN)
        else {
            panic!("neither has its libraries")
        };
        assert_eq!(
            text,
            "system libraries are missing; Wayland needs libwayland-client.so.0: apt-get install libwayland-client0; \
             or X11 needs libXi.so.6: apt-get install libxi6"
        );
    }

    #[test]
    fn each_library_is_named_with_the_package_of_the_system() {
        let systems = [
            ("ID=debian", "apt-get install "),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"", "apt-get install "),
            ("ID=fedora", "dnf install "),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"", "dnf install "),
            ("ID=arch", "pacman -S "),
            ("ID=manjaro\nID_LIKE=arch", "pacman -S "),
            ("ID=alpine", "apk add "),
        ];
        for (os, command) in systems {
            for (session, set) in [(Session::X11, X11), (Session::Wayland, WAYLAND)] {
                for needed in libraries::of(session) {
                    let all: Vec<&str> = std::iter::once(needed.soname).chain(needed.or).collect();
                    let Display::Lacking(text) = display(set, &[], &all, os) else {
                        panic!("{os}: {session:?} needs {}", needed.soname)
                    };
                    let at = text.find(command).unwrap_or_else(|| panic!("{os}: {text}"));
                    let packages = &text[at + command.len()..];
                    assert!(text.contains(needed.soname) && !packages.trim().is_empty(), "{os}: {text}");
                    assert_eq!(text.lines().count(), 1);
                }
            }
        }
        let Display::Lacking(text) = display(X11, &[], &["libXi.so.6"], "ID=plan9") else {
            panic!("missing")
        };
        assert!(text.ends_with("X11 needs libXi.so.6: install the package that has it"), "{text}");
    }

    #[test]
    fn either_way_to_opengl_is_enough_on_x11() {
        assert_eq!(display(X11, &[], &["libGL.so.1"], DEBIAN), Display::Ready(Session::X11));
        assert!(
            matches!(display(X11, &[], &["libGL.so.1", "libEGL.so.1"], DEBIAN), Display::Lacking(t) if t.ends_with("install libgl1"))
        );
        assert!(
            matches!(display(WAYLAND, &[], &["libEGL.so.1"], DEBIAN), Display::Lacking(t) if t.ends_with("install libegl1"))
        );
    }
}
