//! Links that break, lie and differ: nothing that was recorded is lost, and whatever is wrong is one line.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::remote::{Machines, said, signal};
use crate::support::{file, python, report, wait};

/// Records over `target` a program that writes until `ready` gives way, without saving: the copy here must be what was
/// written there, byte by byte.
fn recorded_over(m: &Machines, target: &str, mut meanwhile: impl FnMut(&mut Child)) -> String {
    let done = m.folder.join("done");
    let script =
        format!("i=0; while [ ! -e {} ]; do i=$((i+1)); echo line $i; sleep 0.05; done", done.display());
    let args = ["record", "--on", target, "--json", "command", "--", "sh", "-c", &script];
    let mut viewer = m.here(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait("a journal there", || m.journals_there().first().is_some_and(|j| j.metadata().unwrap().len() > 0));
    // It is removed there once it is here.
    let original = m.folder.join("original.journal");
    std::fs::hard_link(&m.journals_there()[0], &original).unwrap();
    meanwhile(&mut viewer);
    std::fs::write(done, "").unwrap();
    let out = viewer.wait_with_output().unwrap();
    let text = said(&out.stderr);
    assert!(out.status.success(), "{text}");
    assert!(m.journals_there().is_empty(), "it came whole: {text}");
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let copy = PathBuf::from(json["journal"].as_str().unwrap());
    assert!(std::fs::read(&copy).unwrap() == std::fs::read(&original).unwrap(), "byte by byte: {text}");
    let (here, there) = (report(&copy), report(&original));
    assert_eq!((&here["functions"], &here["facts"]), (&there["functions"], &there["facts"]));
    // And what the program printed came once and in order.
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("line ")).collect();
    assert_eq!(
        lines.len().to_string(),
        here["facts"]["Output lines"].as_str().unwrap().replace(',', ""),
        "{text}"
    );
    assert!(lines.iter().enumerate().all(|(i, line)| *line == format!("line {}", i + 1)), "{lines:?}");
    text
}

#[test]
fn a_link_that_is_killed_twenty_times_costs_nothing() {
    let m = Machines::new("remote-twenty");
    let pid = m.folder.join("pid");
    // The shell becomes the helper, so both end at once.
    let target = format!("cmd:sh -c 'echo $$ > {}; exec {} sh'", pid.display(), m.env());
    recorded_over(&m, &target, |_| {
        for _ in 0..20 {
            let mut number = None;
            wait("a link", || {
                number = std::fs::read_to_string(&pid).ok().and_then(|text| text.trim().parse().ok());
                number.is_some()
            });
            std::fs::remove_file(&pid).unwrap();
            // At any moment: while it connects, asks, or sends.
            let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
            std::thread::sleep(Duration::from_millis(u64::from(nanos % 1500)));
            signal("KILL", number.unwrap());
        }
    });
}

/// Carries bytes as a link does, with one fault for each connection: a line of its file says which, and behind how many
/// bytes.
const PROXY: &str = r#"
import os, subprocess, sys, threading, time
faults, log, command = sys.argv[1], sys.argv[2], sys.argv[3:]
lines = open(faults).read().split()
open(faults, "w").write(" ".join(lines[2:]))
what, at = (lines[0], int(lines[1])) if lines else ("none", 0)
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def up():
    with open(log, "ab") as kept:
        while data := os.read(0, 65536):
            kept.write(data)
            kept.flush()
            child.stdin.write(data)
            child.stdin.flush()
    child.stdin.close()
threading.Thread(target=up, daemon=True).start()
sent = 0
while data := os.read(child.stdout.fileno(), 512):
    sent += len(data)
    if what != "none" and sent >= at:
        if what == "cut":
            os.write(1, data[: len(data) // 2])
            os._exit(0)
        if what == "stall":
            time.sleep(1000)
        if what == "inject":
            os.write(1, b"Connection to box closed.\r\n")
        if what == "lose":
            data = data[3:]
        if what == "change":
            data = bytes([data[0] ^ 1]) + data[1:]
        what = "none"
    os.write(1, data)
"#;

#[test]
fn a_link_that_cuts_stalls_injects_loses_and_changes_bytes_costs_nothing() {
    let Some(python) = python() else { return };
    let m = Machines::new("remote-faults");
    let (proxy, faults, log) = (m.folder.join("proxy.py"), m.folder.join("faults"), m.folder.join("log"));
    std::fs::write(&proxy, PROXY).unwrap();
    std::fs::write(&faults, "cut 3000 inject 2500 lose 2500 change 2500 cut 600 stall 2500 none 0").unwrap();
    let (proxy, faults, log) = (proxy.display(), faults.display(), log.display());
    let target = format!("cmd:{python} {proxy} {faults} {log} {} sh", m.env());
    let text = recorded_over(&m, &target, |_| {
        // Each connection takes one; the stall is noticed by its silence, after 15 s.
        let begun = Instant::now();
        while !std::fs::read_to_string(m.folder.join("faults")).unwrap().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(240), "not all faults happened");
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    for trouble in ["bytes were lost or changed on the way", "nothing was heard for 15 s"] {
        assert!(text.contains(&format!("{trouble}; still recording there")), "{text}");
    }
    let sent = std::fs::read(m.folder.join("log")).unwrap();
    assert!(!sent.is_empty());
    let home = std::env::var("HOME").unwrap();
    assert!(!said(&sent).contains(&format!("HOME={home}")), "no value of the environment is sent");
    assert!(!said(&sent).contains(m.folder.join("here").to_str().unwrap()), "nor where things are here");
}

#[test]
fn the_helper_opens_no_socket_and_outlives_no_client() {
    let m = Machines::new("remote-sockets");
    let pid = m.folder.join("pid");
    let target = format!("cmd:sh -c 'echo $$ > {}; exec {} sh'", pid.display(), m.env());
    recorded_over(&m, &target, |_| {
        let number: u32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
        if let Ok(open) = std::fs::read_dir(format!("/proc/{number}/fd")) {
            let links: Vec<_> = open.flatten().filter_map(|e| std::fs::read_link(e.path()).ok()).collect();
            assert!(
                !links.is_empty() && links.iter().all(|l| !l.to_string_lossy().contains("socket")),
                "{links:?}"
            );
        }
    });
    let number = std::fs::read_to_string(&pid).unwrap();
    wait("its end", || !Path::new("/proc").exists() || !Path::new("/proc").join(number.trim()).exists());
}

#[test]
fn what_only_pretends_to_be_a_helper_gets_one_clear_line() {
    let m = Machines::new("remote-hostile");
    let begin = r"\211inferscope-rmt\n";
    let frame = r"TELL\377\377\377\377aaaa";
    for (name, script) in [
        ("a frame of four gigabytes", format!("printf '{begin}{frame}'; cat /dev/zero")),
        ("noise", format!("printf '{begin}'; head -c 100000 /dev/urandom; sleep 100")),
        ("nothing", format!("printf '{begin}'")),
        ("a banner and an end", "echo Welcome; exit 0".to_owned()),
        ("an answer to nothing", r"printf '\211inferscope\tgo\n'; sleep 100".to_owned()),
        ("another machine", r"printf '\211inferscope\tneed\tPlan9\tmips\t/x\t\n'; sleep 100".to_owned()),
        ("no place", r"printf '\211inferscope\tneed\t%s\t%s\t\t/x cannot be written; \n' $(uname -s) $(uname -m); sleep 100".to_owned()),
    ] {
        let path = m.folder.join("hostile.sh");
        std::fs::write(&path, script).unwrap();
        let target = format!("cmd:sh {}", path.display());
        let begun = Instant::now();
        let out = m.here(&["recover", "--on", &target]).output().unwrap();
        let text = said(&out.stderr);
        assert_eq!((out.status.code(), text.lines().count()), (Some(2), 1), "{name}: {text}");
        assert!(text.starts_with("inferscope: ") && text.len() < 600, "{name}: {text}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{name}");
        // Nothing ran, so there is nothing to go on with.
        let out = m.here(&["record", "--on", &target, "asyncio"]).output().unwrap();
        assert_eq!(out.status.code(), Some(1), "{name}: {}", said(&out.stderr));
        assert!(m.journals_here().is_empty(), "{name}");
    }
}

/// A process that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn has(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    let found = found.is_ok_and(|s| s.success());
    if !found {
        eprintln!("no {program} here: nothing is checked with it");
    }
    found
}

/// An sshd on loopback with throw-away keys, whose login shell is `shell` and whose banner speaks on every stream; a folder
/// with an `ssh` that knows it as «box».
fn sshd(m: &Machines, shell: &str) -> Option<(Server, PathBuf)> {
    let folder = m.folder.join(format!("ssh-{shell}"));
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for key in ["host", "user"] {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(folder.join(key))
            .status();
        assert!(made.unwrap().success());
    }
    std::fs::copy(folder.join("user.pub"), folder.join("authorized")).unwrap();
    std::fs::write(folder.join("banner"), "Authorised use only.\n").unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = folder.display();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nPidFile none\nAuthorizedKeysFile {at}/authorized\n\
         StrictModes no\nUsePAM no\nBanner {at}/banner\n\
         ForceCommand echo 'Welcome to box'; {} {shell} -c \"$SSH_ORIGINAL_COMMAND\"\n",
        m.env()
    );
    std::fs::write(folder.join("sshd_config"), config).unwrap();
    let user = said(&Command::new("id").arg("-un").output().unwrap().stdout);
    let client = format!(
        "Host box\nHostName 127.0.0.1\nPort {port}\nUser {}\nIdentityFile {at}/user\nIdentitiesOnly yes\n\
         StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLocalForward 1 127.0.0.1:1\nExitOnForwardFailure yes\n",
        user.trim()
    );
    std::fs::write(folder.join("config"), client).unwrap();
    let wrapper = bin.join("ssh");
    std::fs::write(&wrapper, format!("#!/bin/sh\nexec /usr/bin/ssh -F {at}/config \"$@\"\n")).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o700)).unwrap();
    // Where it runs as root it wants this.
    let _ = std::fs::create_dir_all("/run/sshd");
    let mut server = Command::new("/usr/sbin/sshd");
    server.args(["-D", "-e", "-f"]).arg(folder.join("sshd_config")).stderr(Stdio::null());
    let server = Server(server.spawn().ok()?);
    let until = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() >= until {
            eprintln!("no sshd can be started here: nothing is checked with it");
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Some((server, bin))
}

#[test]
fn ssh_with_any_login_shell_and_a_banner_gives_the_same() {
    if !Path::new("/usr/sbin/sshd").exists() || !has("ssh-keygen") {
        eprintln!("no sshd here: nothing is checked with it");
        return;
    }
    let m = Machines::new("remote-ssh");
    let trace = file("sample_profiles/speedscope/py-spy-threads.speedscope.json");
    let local = report(&trace);
    for shell in ["sh", "tcsh", "fish"].into_iter().filter(|shell| has(shell)) {
        let Some((_server, bin)) = sshd(&m, shell) else { return };
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let run = |args: &[&str]| m.here(args).env("PATH", &path).output().unwrap();
        let out = run(&["report", "--json", &format!("box:{}", trace.display())]);
        assert!(out.status.success(), "{shell}: {}", said(&out.stderr));
        let there: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(there["functions"], local["functions"], "{shell}");
        let out = run(&["record", "--on", "box", "command", "--", "sh", "-c", "echo from $0; sleep 0.3"]);
        assert!(out.status.success(), "{shell}: {}", said(&out.stderr));
        assert!(
            said(&out.stdout).starts_with("from sh\n"),
            "{shell}: words are no shell's: {}",
            said(&out.stdout)
        );
        let out = run(&["recover", "--on", "ssh://nobody-there.invalid"]);
        assert_eq!(said(&out.stderr).lines().count(), 1, "{}", said(&out.stderr));
    }
}

#[test]
fn a_missing_program_is_put_there_once() {
    if !has("busybox") || !has("strip") {
        return;
    }
    let m = Machines::new("remote-put");
    let (applets, cache) = (m.folder.join("applets"), m.folder.join("cache"));
    std::fs::create_dir_all(&applets).unwrap();
    let made = Command::new("busybox").args(["--install", "-s"]).arg(&applets).status().unwrap();
    assert!(made.success());
    // A program of the tests is ten times as long as one for people.
    let client = m.folder.join("inferscope");
    let made =
        Command::new("strip").arg("-o").arg(&client).arg(env!("CARGO_BIN_EXE_inferscope")).status().unwrap();
    assert!(made.success());
    let side = |more: &str| {
        format!(
            "cmd:env -i {more} HOME=/nonexistent XDG_CACHE_HOME={} XDG_STATE_HOME={} {}/sh",
            cache.display(),
            m.state.display(),
            applets.display()
        )
    };
    let run = |target: &str| {
        let settings = m.here(&["recover"]);
        let mut command = Command::new(&client);
        command.args(["recover", "--on", target]);
        settings.get_envs().for_each(|(key, value)| {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        });
        command.output().unwrap()
    };
    let target = side(&format!("PATH={}", applets.display()));
    let out = run(&target);
    assert!(out.status.success(), "{}", said(&out.stderr));
    let put = std::fs::read_dir(cache.join("inferscope"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path()
        .join("inferscope");
    let about = put.metadata().unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o700);
    assert!(std::fs::read(&put).unwrap() == std::fs::read(&client).unwrap());
    assert!(run(&target).status.success());
    assert_eq!(put.metadata().unwrap().modified().unwrap(), about.modified().unwrap(), "not sent again");
    assert_eq!(std::fs::read_dir(put.parent().unwrap()).unwrap().count(), 1, "no parts are left");

    // Another machine: what it says of itself decides, before anything is sent.
    std::fs::remove_dir_all(&cache).unwrap();
    let fake = m.folder.join("fake");
    std::fs::create_dir_all(&fake).unwrap();
    let mut uname = std::fs::File::create(fake.join("uname")).unwrap();
    uname.write_all(b"#!/bin/sh\n[ \"$1\" = -m ] && echo riscv64 || echo Linux\n").unwrap();
    drop(uname);
    std::fs::set_permissions(fake.join("uname"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let out =
        run(&format!("cmd:env PATH={}:/usr/bin:/bin XDG_CACHE_HOME={} sh", fake.display(), cache.display()));
    let text = said(&out.stderr);
    assert!(!out.status.success() && text.contains("riscv64") && text.contains("cargo install"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}
