//! What a command and all that it started use: memory, CPU, threads.
//!
//! The tree is followed from its root by the kernel's lists of children; a process that was seen once is
//! followed until it ends, also when its parent ends before. What a process used between the last look
//! and its end is not seen. Memory is the sum of resident memory, in which pages that processes share count
//! in each.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{clock, secrets, sink};
use crate::model::{Unit, heap};

/// Time between two looks for new processes.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Stretch over which CPU use is averaged: the kernel counts in steps of 10 ms.
const CPU_OVER: Duration = Duration::from_millis(200);
/// Lives of processes that are remembered.
const MOST_LIVES: usize = 500;

/// What is read about one process.
struct Row {
    pid: u32,
    /// When it began, in units of the system; tells a reused number from the process that had it.
    began: u64,
    cpu: Duration,
    rss: u64,
    /// `None` where the system does not say.
    threads: Option<u64>,
}

struct Known {
    began: u64,
    name: String,
    /// How often the name was read: before `exec` it is the parent's.
    named: u8,
    seen: u64,
    cpu: Duration,
    most_threads: Option<u64>,
}

/// The life of a process, in ticks of the recorder's clock.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) pid: u32,
    pub(super) name: String,
    pub(super) from: u64,
    pub(super) to: u64,
    /// CPU time as it was seen last.
    pub(super) cpu: Duration,
    /// Most threads that were seen at once, where the system says.
    pub(super) threads: Option<u64>,
}

/// What became of a tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Lives {
    pub(super) lives: Vec<Life>,
    /// All processes, and how many at most at once.
    pub(super) count: u64,
    pub(super) most: usize,
}

/// A tree of processes that is being watched.
pub(super) struct Tree {
    root: u32,
    known: BTreeMap<u32, Known>,
    ended: Lives,
    next_look: Instant,
    /// Start of the stretch of CPU use, and what was used in it.
    cpu: (Instant, Duration),
}

impl Tree {
    pub(super) fn new(root: u32) -> Self {
        let now = Instant::now();
        let cpu = (now, Duration::ZERO);
        Self { root, known: BTreeMap::new(), ended: Lives::default(), next_look: now, cpu }
    }

    /// The processes that live.
    pub(super) fn pids(&self) -> impl Iterator<Item = u32> + '_ {
        self.known.keys().copied()
    }

    pub(super) fn sample(&mut self) {
        let now = Instant::now();
        let mut pids: Vec<u32> = self.pids().collect();
        if now >= self.next_look {
            pids.push(self.root);
            pids = system::with_descendants(pids);
            self.next_look = now + LOOK_EVERY;
        }
        let rows: Vec<Row> = system::rows(&pids);
        let ticks = clock::ticks();
        for row in &rows {
            self.meet(row, ticks);
        }
        let lives = |pid: u32, began: u64| rows.iter().any(|r| r.pid == pid && r.began == began);
        let gone: Vec<u32> =
            self.known.iter().filter(|(pid, k)| !lives(**pid, k.began)).map(|k| *k.0).collect();
        for pid in gone {
            self.end(pid, ticks);
        }
        if rows.is_empty() {
            return;
        }
        self.ended.most = self.ended.most.max(rows.len());
        sink::queue_sample(heap::RSS, Unit::Bytes, rows.iter().map(|r| r.rss).sum::<u64>() as f64);
        if let Some(threads) = rows.iter().map(|r| r.threads).sum::<Option<u64>>() {
            sink::queue_sample("Threads", Unit::Count, threads as f64);
        }
        sink::queue_sample("Processes", Unit::Count, rows.len() as f64);
        let wall = now.duration_since(self.cpu.0);
        if wall >= CPU_OVER {
            // 100 % = 100 000 = one core.
            let share = self.cpu.1.as_secs_f64() / wall.as_secs_f64() * 1e5;
            sink::queue_sample("CPU", Unit::MilliPercent, share.round());
            self.cpu = (now, Duration::ZERO);
        }
    }

    fn meet(&mut self, row: &Row, ticks: u64) {
        if self.known.get(&row.pid).is_some_and(|k| k.began != row.began) {
            self.end(row.pid, ticks);
        }
        let first = !self.known.contains_key(&row.pid);
        self.ended.count += u64::from(first);
        let known = self.known.entry(row.pid).or_insert_with(|| Known {
            began: row.began,
            name: String::new(),
            named: 0,
            seen: ticks,
            // What it used before it was seen first happened in this recording, too.
            cpu: Duration::ZERO,
            most_threads: None,
        });
        if known.named < 3 {
            known.named += 1;
            known.name =
                system::words(row.pid).map_or_else(|| row.pid.to_string(), |words| short_name(&words));
        }
        self.cpu.1 += row.cpu.saturating_sub(known.cpu);
        known.cpu = row.cpu.max(known.cpu);
        known.most_threads = known.most_threads.max(row.threads);
    }

    fn end(&mut self, pid: u32, to: u64) {
        let Some(known) = self.known.remove(&pid) else { return };
        if self.ended.lives.len() < MOST_LIVES {
            let Known { name, seen: from, cpu, most_threads: threads, .. } = known;
            self.ended.lives.push(Life { pid, name, from, to, cpu, threads });
        }
    }

    /// Ends watching.
    pub(super) fn finish(mut self) -> Lives {
        let ticks = clock::ticks();
        for pid in self.pids().collect::<Vec<_>>() {
            self.end(pid, ticks);
        }
        self.ended.lives.sort_by_key(|l| l.from);
        self.ended
    }
}

/// The first words of a command line, the program without its folder; without secrets, and without prompts where texts are
/// not kept.
fn short_name(words: &[String]) -> String {
    let words = if secrets::texts() { words.to_vec() } else { secrets::without_prompts(words) };
    let mut words = words.iter().map(String::as_str);
    let program = words.next().unwrap_or_default();
    let mut name = program.rsplit('/').next().unwrap_or(program).to_owned();
    while let Some(word) = words.next() {
        // Our own wrapper and its two arguments say nothing about the program.
        if word.ends_with("/profile_run.py") {
            let _ = (words.next(), words.next());
            continue;
        }
        if name.chars().count() + word.chars().count() > 60 {
            name.push_str(" …");
            break;
        }
        name.push(' ');
        name.push_str(word);
    }
    secrets::command(&name, true)
}

/// `root` and everything below it, now.
#[cfg(unix)]
pub(super) fn tree_of(root: u32) -> Vec<u32> {
    system::with_descendants(vec![root])
}

/// The program of a process with its first words, as it is shown.
#[cfg(feature = "workloads")]
pub(super) fn name(pid: u32) -> Option<String> {
    system::words(pid).map(|words| short_name(&words))
}

/// Whether a process has not ended.
#[cfg(feature = "workloads")]
pub(super) fn lives(pid: u32) -> bool {
    !system::rows(&[pid]).is_empty()
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::time::Duration;

    use super::Row;
    use crate::record::sampler::page_size;

    /// The kernel counts CPU time for user space in hundredths of a second, whatever its own clock.
    const TICK: Duration = Duration::from_millis(10);
    /// Bound for a tree that grows while it is read.
    const MOST: usize = 10_000;

    /// Fields of `/proc/PID/stat` after the name, which may hold anything.
    fn stat(pid: u32) -> Option<Vec<u64>> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, after) = text.rsplit_once(')')?;
        let mut fields = after.split_ascii_whitespace();
        // A zombie has ended.
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        // Some fields are negative; none of those is needed.
        Some(fields.map(|f| f.parse().unwrap_or(0)).collect())
    }

    pub(super) fn rows(pids: &[u32]) -> Vec<Row> {
        let row = |&pid: &u32| {
            let stat = stat(pid)?;
            let cpu = TICK * u32::try_from(stat.get(10)? + stat.get(11)?).ok()?;
            let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
            let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
            Some(Row {
                pid,
                began: *stat.get(18)?,
                cpu,
                rss: pages * page_size(),
                threads: stat.get(16).copied(),
            })
        };
        pids.iter().filter_map(row).collect()
    }

    /// Children by the lists that the kernel keeps per thread; `None` when it keeps none.
    fn children(pid: u32) -> Option<Vec<u32>> {
        let mut found = Vec::new();
        for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
            let Ok(text) = fs::read_to_string(task.path().join("children")) else {
                // Either the thread has ended, or the kernel was built without the list.
                if task.path().join("stat").exists() {
                    return None;
                }
                continue;
            };
            found.extend(text.split_ascii_whitespace().filter_map(|p| p.parse::<u32>().ok()));
        }
        Some(found)
    }

    /// Parents of all processes of the machine.
    fn parents() -> Vec<(u32, u32)> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
        pids.filter_map(|pid| Some((pid, *stat(pid)?.first()? as u32))).collect()
    }

    pub(super) fn with_descendants(mut pids: Vec<u32>) -> Vec<u32> {
        pids.sort_unstable();
        pids.dedup();
        let mut table: Option<Vec<(u32, u32)>> = None;
        let mut at = 0;
        while at < pids.len() && pids.len() < MOST {
            let pid = pids[at];
            at += 1;
            let below = match (&table, children(pid)) {
                (None, Some(list)) => list,
                _ => {
                    let table = table.get_or_insert_with(parents);
                    table.iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| *child).collect()
                }
            };
            for child in below {
                if !pids.contains(&child) {
                    pids.push(child);
                }
            }
        }
        pids
    }

    /// The words of the command line.
    pub(super) fn words(pid: u32) -> Option<Vec<String>> {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = String::from_utf8_lossy(&line);
        let words: Vec<String> = words.split('\0').filter(|w| !w.is_empty()).map(str::to_owned).collect();
        (!words.is_empty()).then_some(words)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::time::Duration;

    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

    use super::Row;

    fn refreshed(what: ProcessRefreshKind, pids: Option<&[Pid]>) -> Option<System> {
        let mut system = System::new().ok()?;
        let which = pids.map_or(ProcessesToUpdate::All, ProcessesToUpdate::Some);
        system.refresh_processes_specifics(which, false, what);
        Some(system)
    }

    pub(super) fn rows(pids: &[u32]) -> Vec<Row> {
        let pids: Vec<Pid> = pids.iter().map(|&p| Pid::from_u32(p)).collect();
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
        let Some(system) = refreshed(what, Some(&pids)) else { return Vec::new() };
        let row = |pid: &Pid| {
            let p = system.process(*pid)?;
            let cpu = Duration::from_millis(p.accumulated_cpu_time());
            let threads = p.tasks().map(|t| t.len() as u64);
            Some(Row { pid: pid.as_u32(), began: p.start_time(), cpu, rss: p.memory(), threads })
        };
        pids.iter().filter_map(row).collect()
    }

    pub(super) fn with_descendants(mut pids: Vec<u32>) -> Vec<u32> {
        pids.sort_unstable();
        pids.dedup();
        let Some(system) = refreshed(ProcessRefreshKind::nothing(), None) else { return pids };
        let mut at = 0;
        while at < pids.len() {
            let parent = Pid::from_u32(pids[at]);
            at += 1;
            for (pid, process) in system.processes() {
                if process.parent() == Some(parent) && !pids.contains(&pid.as_u32()) {
                    pids.push(pid.as_u32());
                }
            }
        }
        pids
    }

    pub(super) fn words(pid: u32) -> Option<Vec<String>> {
        let pid = Pid::from_u32(pid);
        let system = refreshed(ProcessRefreshKind::nothing(), Some(&[pid]))?;
        Some(vec![system.process(pid)?.name().to_string_lossy().into_owned()])
    }
}
