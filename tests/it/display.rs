//! Starting the window where it cannot be shown. Libraries are hidden by empty files of their names, which the loader finds
//! first; servers are played.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::support::{file, folder, program};

const X11: [&str; 6] = [
    "libX11.so.6",
    "libX11-xcb.so.1",
    "libXcursor.so.1",
    "libXi.so.6",
    "libxkbcommon.so.0",
    "libxkbcommon-x11.so.0",
];
const WAYLAND: [&str; 4] =
    ["libwayland-client.so.0", "libxkbcommon.so.0", "libwayland-egl.so.1", "libEGL.so.1"];

/// What the window says on standard error, one line, when it is started with these variables and without these libraries.
fn said(variables: &[(&str, &str)], hidden: &[&str]) -> String {
    let libraries = folder(&format!("hidden-{}", hidden.join("-")));
    for name in hidden {
        std::fs::write(libraries.join(name), "").unwrap();
    }
    let profile = file("sample_profiles/pstats/workload-py311.prof");
    let mut program = program(&[&profile.to_string_lossy()]);
    program.env("LD_LIBRARY_PATH", &libraries).envs(variables.iter().copied());
    let out = program.output().unwrap();
    std::fs::remove_dir_all(libraries).unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    for raw in ["winit", "glutin", "EventLoop", "ConfigTemplate", "panicked", "os error"] {
        assert!(!text.contains(raw), "{text}");
    }
    assert!(text.contains("inferscope report") && text.contains("inferscope render"), "{text}");
    text
}

/// An X server that lets everybody in and does nothing more; the value of DISPLAY.
fn x_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = listener.local_addr().unwrap().port() - 6000;
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let _ = client.read(&mut [0; 256]);
            let mut answer = vec![1, 0];
            for number in [11_u16, 0, 18] {
                answer.extend(number.to_ne_bytes());
            }
            // Release, base and mask of ids, motion buffer; no vendor, a screen without depths.
            for number in [1_u32, 0x20_0000, 0x1f_ffff, 0] {
                answer.extend(number.to_ne_bytes());
            }
            answer.extend([0, 0, 0xff, 0xff, 1, 0, 0, 0, 32, 32, 8, 255, 0, 0, 0, 0]);
            answer.extend([0; 40]);
            let _ = client.write_all(&answer);
        }
    });
    format!("127.0.0.1:{number}")
}

/// A compositor that only listens; its socket.
fn compositor(folder: &Path) -> String {
    let socket = folder.join("wayland-it");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || listener.incoming().count());
    socket.to_string_lossy().into_owned()
}

#[test]
fn a_missing_library_is_named_with_its_package() {
    let display = x_server();
    for name in X11 {
        let text = said(&[("DISPLAY", &display)], &[name]);
        assert!(text.contains("X11 needs ") && text.contains(name) && text.contains("install"), "{text}");
    }
    let text = said(&[("DISPLAY", &display)], &["libGL.so.1", "libEGL.so.1"]);
    assert!(text.contains("libGL.so.1"), "{text}");

    let folder = folder("compositor");
    let display = compositor(&folder);
    for name in WAYLAND {
        let text = said(&[("WAYLAND_DISPLAY", &display)], &[name]);
        assert!(text.contains("Wayland needs ") && text.contains(name) && text.contains("install"), "{text}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_display_that_nobody_serves_is_no_display() {
    let text = said(&[("DISPLAY", ":7391")], &[]);
    assert!(text.contains("no display") && text.contains("DISPLAY is :7391, but no X server"), "{text}");
    let text = said(&[("DISPLAY", "what is this")], &[]);
    assert!(text.contains("no name of a display"), "{text}");
    let text = said(&[("WAYLAND_DISPLAY", "/nowhere/wayland-9")], &[]);
    assert!(text.contains("no display") && text.contains("no compositor answers"), "{text}");
    let text = said(&[("WAYLAND_SOCKET", "917")], &[]);
    assert!(text.contains("no such socket"), "{text}");
}

#[test]
fn x11_is_tried_where_no_compositor_answers() {
    let variables = [("WAYLAND_DISPLAY", "/nowhere/wayland-9"), ("DISPLAY", &x_server())];
    let text = said(&variables, &["libXi.so.6"]);
    assert!(text.contains("X11 needs ") && !text.contains("Wayland"), "{text}");
}

/// Nobody asked for files in the folder where the program was started, which may be a checkout.
#[test]
fn a_run_without_a_display_leaves_its_files_in_the_users_folder() {
    let folder = folder("no-display");
    let (here, data) = (folder.join("here"), folder.join("data"));
    std::fs::create_dir_all(&here).unwrap();
    let mut program = program(&[]);
    program.current_dir(&here).env("XDG_DATA_HOME", &data).env("DISPLAY", ":7391");
    let out = program.output().unwrap();
    let (said, text) = (String::from_utf8_lossy(&out.stderr), String::from_utf8_lossy(&out.stdout));
    assert!(out.status.success(), "{said}");
    assert!(said.contains("no X server answers there") && said.contains("recorded here instead"), "{said}");
    assert_eq!(std::fs::read_dir(&here).unwrap().count(), 0);
    for name in ["inferscope-run.inferscope", "inferscope-run.png"] {
        let path = data.join("inferscope").join(name);
        assert!(path.is_file() && text.contains(&path.display().to_string()), "{name}: {text}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
