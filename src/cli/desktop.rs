//! `inferscope desktop`: what makes the program one of the user's desktop, for installations that cannot bring it
//! themselves (a wheel, `cargo install`). Only folders of the user are touched.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::Args;

use super::Failure;
use super::out::print_lines;
use crate::{export, record};

/// Arguments of `desktop`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct DesktopArgs {
    /// Write the menu entry, icons and file types into your data folder, for this program at its present path.
    #[arg(long)]
    install: bool,
    /// Remove them.
    #[arg(long)]
    remove: bool,
}

const ENTRY: &str = include_str!("../../assets/desktop/inferscope.desktop");
const TYPES: &[u8] = include_bytes!("../../assets/desktop/inferscope-mime.xml");

/// Icons by the folder of their size.
const ICONS: [(&str, &str, &[u8]); 8] = [
    ("scalable", "svg", include_bytes!("../../assets/desktop/inferscope.svg")),
    ("16x16", "png", include_bytes!("../../assets/desktop/icon-16.png")),
    ("24x24", "png", include_bytes!("../../assets/desktop/icon-24.png")),
    ("32x32", "png", include_bytes!("../../assets/desktop/icon-32.png")),
    ("48x48", "png", include_bytes!("../../assets/desktop/icon-48.png")),
    ("64x64", "png", include_bytes!("../../assets/desktop/icon-64.png")),
    ("128x128", "png", include_bytes!("../../assets/desktop/icon-128.png")),
    ("256x256", "png", include_bytes!("../../assets/desktop/icon-256.png")),
];

pub(super) fn run(args: &DesktopArgs) -> Result<(), Failure> {
    if cfg!(any(windows, target_os = "macos")) {
        return Err(Failure::new(
            "menu entries and file types of this kind are those of Linux and BSD desktops",
        ));
    }
    let data = dirs::data_dir()
        .ok_or_else(|| Failure::new("this system has no data folder of the user; set HOME"))?;
    if args.install { install(&data) } else { remove(&data) }
}

/// Every file with its content.
fn files(program: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = vec![
        ("applications/inferscope.desktop".into(), entry(program).into_bytes()),
        ("mime/packages/inferscope.xml".into(), TYPES.to_vec()),
    ];
    for (size, ending, bytes) in ICONS {
        files.push((format!("icons/hicolor/{size}/apps/inferscope.{ending}").into(), bytes.to_vec()));
    }
    files
}

fn install(data: &Path) -> Result<(), Failure> {
    let program = std::env::current_exe()
        .map_err(|e| Failure::new(format!("where this program lies cannot be told: {e}")))?;
    for (name, bytes) in files(&program) {
        let path = data.join(name);
        let folder = path.parent().unwrap_or(data);
        let written = std::fs::create_dir_all(folder).and_then(|()| export::write_bytes(&bytes, &path));
        written.map_err(|e| Failure::new(format!("{}: {e}", path.display())))?;
        print_lines(&format!("Wrote    {}\n", path.display()))?;
    }
    update(data)?;
    print_lines(&format!(
        "The menu has inferscope now, and its files open with {}. `inferscope desktop --remove` undoes it.\n",
        program.display()
    ))
}

fn remove(data: &Path) -> Result<(), Failure> {
    let mut removed = false;
    for (name, _) in files(Path::new("")) {
        let path = data.join(name);
        match std::fs::remove_file(&path) {
            Ok(()) => print_lines(&format!("Removed  {}\n", path.display()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Failure::new(format!("{}: {e}", path.display()))),
        }
        removed = true;
    }
    if removed {
        return update(data);
    }
    print_lines(&format!("There is nothing of inferscope in {}.\n", data.display()))
}

/// Tells the desktop; what cannot be told is said with its reason.
fn update(data: &Path) -> Result<(), Failure> {
    for (program, folder) in [("update-mime-database", "mime"), ("update-desktop-database", "applications")] {
        let folder = data.join(folder);
        if !folder.is_dir() {
            continue;
        }
        let mut command = record::program(program);
        command.arg(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let why = match command.status() {
            Ok(status) if status.success() => continue,
            Ok(status) => format!("{program} failed ({status})"),
            Err(_) => format!("{program} is not installed"),
        };
        print_lines(&format!("Double clicks may not know of it: {why}.\n"))?;
    }
    Ok(())
}

/// The menu entry of the program at a place.
fn entry(program: &Path) -> String {
    let path = program.to_string_lossy();
    // A value of the entry is unescaped once, and what Exec holds once more, as a quoted argument with % for fields.
    let mut quoted = String::new();
    for c in path.chars() {
        if matches!(c, '"' | '`' | '$' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
        if c == '%' {
            quoted.push(c);
        }
    }
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('\n', "\\n");
    let lines = ENTRY.lines().map(|line| match line.split_once('=') {
        Some(("Exec", _)) => format!("Exec=\"{}\" %F\n", escaped(&quoted)),
        Some(("TryExec", _)) => format!("TryExec={}\n", escaped(&path)),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_any_letters_is_one_argument() {
        let text = entry(Path::new("/home/a b/100%/it's \"$x\"/back\\slash"));
        let line = |key: &str| text.lines().find(|l| l.starts_with(key)).unwrap().to_owned();
        assert_eq!(line("Exec="), r#"Exec="/home/a b/100%%/it's \\"\\$x\\"/back\\\\slash" %F"#);
        assert_eq!(line("TryExec="), r#"TryExec=/home/a b/100%/it's "$x"/back\\slash"#);
        assert_eq!(text.lines().count(), ENTRY.lines().count());
    }
}
