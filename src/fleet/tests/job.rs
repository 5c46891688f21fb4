//! A training job as torch.profiler records it, a trace for each rank, with something wrong that is known.
//!
//! Each step has kernels on stream 7, two reductions within groups of ranks and one over all ranks on stream 20. A collective
//! operation starts on a rank when its kernels before are done, and ends on all ranks together: when the last one has come and the
//! transfer is over.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What is wrong with a rank in a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Kernels take so many times as long.
    Kernels(f64),
    /// The host launches so much later, ns.
    Host(i64),
    /// Copies take so much longer, ns.
    Copies(i64),
}

/// How the traces say what their kernels do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Names {
    /// Arguments of the kernels, as PyTorch writes them today.
    #[default]
    Arguments,
    /// Names of NCCL from 2.17 on, without arguments.
    New,
    /// Names of NCCL before.
    Old,
    /// RCCL's generic kernels with arguments.
    Generic,
}

/// The job.
pub struct Job {
    pub ranks: usize,
    pub steps: usize,
    /// Ranks of a group.
    pub group: usize,
    /// Ranks of a host.
    pub per_host: usize,
    pub names: Names,
    pub fault: Box<dyn Fn(usize, usize) -> Option<Fault>>,
    /// Transfers of a group in a step take so many times as long.
    pub link: Box<dyn Fn(usize, usize) -> f64>,
    /// How far a rank's clock is ahead, ns.
    pub clock: Box<dyn Fn(usize) -> i64>,
    /// A rank without a file.
    pub missing: Option<usize>,
    /// A rank whose file is there twice.
    pub double: Option<usize>,
    /// The file says its rank; else its name does.
    pub says_rank: bool,
    pub packed: bool,
    pub seed: u64,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            ranks: 8,
            steps: 12,
            group: 4,
            per_host: 4,
            names: Names::default(),
            fault: Box::new(|_, _| None),
            link: Box::new(|_, _| 1.0),
            clock: Box::new(|_| 0),
            missing: None,
            double: None,
            says_rank: true,
            packed: false,
            seed: 1,
        }
    }
}

/// First step.
const FIRST: usize = 10;
const KERNELS: usize = 6;

/// Numbers that are the same each time.
pub(in crate::fleet) struct Chance(pub(in crate::fleet) u64);

impl Chance {
    /// From 0 up to 1.
    pub(in crate::fleet) fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Between −1 and 1, mostly near 0.
    fn around(&mut self) -> f64 {
        self.next() + self.next() - 1.0
    }
}

struct Event {
    name: String,
    cat: &'static str,
    tid: u32,
    start: i64,
    end: i64,
    args: String,
}

impl Job {
    /// Writes the traces into a folder.
    pub fn write(&self, folder: &Path) -> Vec<PathBuf> {
        std::fs::create_dir_all(folder).unwrap();
        let events = self.run();
        let mut paths = Vec::new();
        for (rank, events) in events.iter().enumerate().filter(|(rank, _)| Some(*rank) != self.missing) {
            let text = self.trace(rank, events);
            let copies = if Some(rank) == self.double { 2 } else { 1 };
            for copy in 0..copies {
                let name = match copy {
                    0 => format!("rank{rank:04}.pt.trace.json"),
                    _ => format!("rank{rank:04}-again.pt.trace.json"),
                };
                let path = folder.join(if self.packed { format!("{name}.gz") } else { name });
                let mut file = std::fs::File::create(&path).unwrap();
                if self.packed {
                    let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
                    gz.write_all(text.as_bytes()).unwrap();
                    gz.finish().unwrap();
                } else {
                    file.write_all(text.as_bytes()).unwrap();
                }
                paths.push(path);
            }
        }
        paths
    }

    fn run(&self) -> Vec<Vec<Event>> {
        let mut events: Vec<Vec<Event>> = (0..self.ranks).map(|_| Vec::new()).collect();
        let mut chance: Vec<Chance> = (0..self.ranks)
            .map(|rank| {
                let mut chance =
                    Chance((self.seed * 7919 + rank as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
                (0..8).for_each(|_| _ = chance.next());
                chance
            })
            .collect();
        let mut sequence = 0;
        let mut now = 1_000_000i64;
        for step in 0..self.steps {
            let began = now;
            let mut at: Vec<i64> = vec![now; self.ranks];
            for rank in 0..self.ranks {
                let fault = (self.fault)(rank, step);
                if let Some(Fault::Host(late)) = fault {
                    at[rank] += late;
                }
                let copies = 40_000 + if let Some(Fault::Copies(more)) = fault { more } else { 0 };
                gpu(
                    &mut events[rank],
                    "Memcpy HtoD (Pinned -> Device)",
                    "gpu_memcpy",
                    7,
                    &mut at[rank],
                    copies,
                    String::new(),
                );
            }
            for round in 0..2 {
                for rank in 0..self.ranks {
                    let factor = match (self.fault)(rank, step) {
                        Some(Fault::Kernels(factor)) => factor,
                        _ => 1.0,
                    };
                    for kernel in 0..KERNELS {
                        let usual = 100_000.0 + 40_000.0 * kernel as f64;
                        let took = (usual * factor * (1.0 + 0.005 * chance[rank].around())) as i64;
                        let name = format!("void gemm_kernel_{kernel}<float>(int)");
                        gpu(&mut events[rank], &name, "kernel", 7, &mut at[rank], took, String::new());
                    }
                }
                sequence += 1;
                for group in 0..self.ranks.div_ceil(self.group) {
                    let members: Vec<usize> =
                        (group * self.group..((group + 1) * self.group).min(self.ranks)).collect();
                    let transfer = (200_000.0 * (self.link)(group, step)) as i64;
                    self.collective(
                        &mut events,
                        &mut at,
                        &members,
                        Which { group: group + 1, sequence, round, transfer },
                    );
                }
            }
            sequence += 1;
            let all: Vec<usize> = (0..self.ranks).collect();
            self.collective(
                &mut events,
                &mut at,
                &all,
                Which { group: 0, sequence, round: 2, transfer: 300_000 },
            );
            now = at.iter().copied().max().unwrap();
            for events in &mut events {
                let name = format!("ProfilerStep#{}", step + FIRST);
                events.push(Event {
                    name,
                    cat: "user_annotation",
                    tid: 1,
                    start: began,
                    end: now - 1_000,
                    args: String::new(),
                });
            }
            now += 20_000;
        }
        events
    }

    fn collective(&self, events: &mut [Vec<Event>], at: &mut [i64], members: &[usize], which: Which) {
        let end = members.iter().map(|&rank| at[rank]).max().unwrap() + which.transfer;
        let (kind, word) = if which.round == 2 {
            ("allreduce", "AllReduce")
        } else {
            ("_reduce_scatter_base", "ReduceScatter")
        };
        let name = match self.names {
            Names::Arguments | Names::New => {
                format!("ncclDevKernel_{word}_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)")
            }
            Names::Old => format!("ncclKernel_{word}_RING_LL_Sum_float(ncclWorkElem)"),
            Names::Generic => "ncclDevKernel_Generic_4(ncclDevKernelArgsStorage<4096ul>)".to_owned(),
        };
        let args = match self.names {
            Names::Arguments | Names::Generic => format!(
                r#", "Collective name": "{kind}", "In msg nelems": 1048576, "Out msg nelems": 1048576, "Group size": {}, "dtype": "BFloat16", "Seq": {}, "Process Group Name": "{}", "Process Group Ranks": {members:?}"#,
                members.len(),
                which.sequence,
                which.group,
            ),
            Names::New | Names::Old => String::new(),
        };
        for &rank in members {
            let took = end - at[rank];
            gpu(&mut events[rank], &name, "kernel", 20, &mut at[rank], took, args.clone());
        }
    }

    fn trace(&self, rank: usize, events: &[Event]) -> String {
        let mut out =
            String::from("{\"schemaVersion\": 1, \"deviceProperties\": [{\"id\": 0, \"name\": \"H100\"}],\n");
        if self.says_rank {
            let _ = writeln!(
                out,
                r#""distributedInfo": {{"backend": "nccl", "rank": {rank}, "world_size": {}}},"#,
                self.ranks
            );
        }
        let host = rank / self.per_host;
        let _ = writeln!(
            out,
            r#""host_name": "node{host:02}", "baseTimeNanoseconds": 1724000000000000000, "traceEvents": ["#
        );
        let us = |ns: i64| format!("{}.{:03}", ns.div_euclid(1000), ns.rem_euclid(1000));
        let ahead = (self.clock)(rank);
        for (i, e) in events.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let _ = writeln!(
                out,
                r#"{comma}{{"ph": "X", "cat": "{}", "name": "{}", "pid": {}, "tid": {}, "ts": {}, "dur": {}, "args": {{"External id": {i}{}}}}}"#,
                e.cat,
                e.name,
                if e.tid == 1 { 4000 } else { 0 },
                e.tid,
                us(e.start + ahead + 10_000_000),
                us(e.end - e.start),
                e.args,
            );
        }
        out + "]}\n"
    }
}

#[derive(Clone, Copy)]
struct Which {
    group: usize,
    sequence: u64,
    round: u32,
    transfer: i64,
}

fn gpu(
    events: &mut Vec<Event>,
    name: &str,
    cat: &'static str,
    tid: u32,
    at: &mut i64,
    took: i64,
    args: String,
) {
    events.push(Event { name: name.to_owned(), cat, tid, start: *at, end: *at + took, args });
    *at += took + 1_000;
}
