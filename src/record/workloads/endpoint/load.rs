//! When requests are made, and by whom.
//!
//! Without a rate a client makes its next request when the one before has ended (closed loop): the load
//! follows the server. With a rate requests arrive by the clock, whatever the server does (open loop); who
//! finds all clients busy waits, and that wait counts, because a person would wait too.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument, info_span};

use super::Shared;
use super::call::{Job, serve};
use super::prompts::Prompt;
use crate::model::Unit;
use crate::record::llm::Pcg32;
use crate::record::{Context, WorkloadError, count, request, secrets};

/// The load that is put on the server.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) requests: usize,
    /// Clients, each with a connection of its own.
    pub(super) concurrency: usize,
    /// Requests per second; `None`: closed loop.
    pub(super) rate: Option<f64>,
    /// Random arrivals instead of regular ones.
    pub(super) poisson: bool,
}

impl Load {
    /// In words.
    pub(super) fn describe(&self) -> String {
        let Self { requests, concurrency, .. } = self;
        match self.rate {
            None => format!("closed loop: {requests} requests, {concurrency} at a time"),
            Some(rate) => {
                let how = if self.poisson { "at random (Poisson)" } else { "at equal distances" };
                format!(
                    "open loop: {requests} requests, {rate} per second {how}, at most {concurrency} at a time"
                )
            }
        }
    }

    /// Time from one arrival to the next; zero in a closed loop.
    fn gap(&self, rng: &mut Pcg32) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let gaps = if self.poisson { -(1.0 - rng.unit()).ln() } else { 1.0 };
        Duration::try_from_secs_f64(gaps / rate).unwrap_or(Duration::from_secs(3600))
    }
}

/// Makes all requests and waits for their ends.
pub(super) async fn run(
    shared: Arc<Shared>,
    load: &Load,
    prompts: &[Prompt],
    cx: &Context,
) -> Result<(), WorkloadError> {
    let mut rng = Pcg32::new(shared.seed, u64::MAX >> 1);
    let (ended, mut ends) = unbounded_channel();
    let mut clients = Clients {
        shared: shared.clone(),
        ended,
        idle: BTreeSet::new(),
        jobs: Vec::new(),
        tasks: JoinSet::new(),
    };
    let (mut made, mut done) = (0, 0);
    let mut waiting = VecDeque::new();
    let mut next_arrival = Instant::now();
    while done < load.requests {
        cx.advance(done as u64, load.requests as u64)?;
        let busy = clients.jobs.len() - clients.idle.len();
        cx.stage(&format!("{done} of {} requests ended, {busy} in flight", load.requests));
        count("Requests in flight", Unit::Count, busy as f64);
        if load.rate.is_some() {
            count("Requests waiting for a client", Unit::Count, waiting.len() as f64);
        }
        let room = load.concurrency - busy;
        if room > 0
            && let Some(job) = waiting.pop_front()
        {
            clients.give(job);
            continue;
        }
        let may_arrive = made < load.requests && (load.rate.is_some() || room > 0);
        tokio::select! {
            Some(client) = ends.recv() => {
                clients.idle.insert(client);
                done += 1;
            }
            () = sleep_until(next_arrival), if may_arrive => {
                waiting.push_back(job(&shared, prompts, made));
                made += 1;
                next_arrival += load.gap(&mut rng);
            }
        }
    }
    cx.advance(done as u64, load.requests as u64)?;
    count("Requests in flight", Unit::Count, 0.0);
    clients.jobs.clear();
    while clients.tasks.join_next().await.is_some() {}
    Ok(())
}

fn job(shared: &Shared, prompts: &[Prompt], i: usize) -> Job {
    let prompt = prompts[i % prompts.len()].clone();
    let number = i + 1;
    let start: String = prompt.text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let name = if secrets::texts() { format!("#{number} {start}") } else { format!("#{number}") };
    let request = request(&name, &shared.model, &prompt.text);
    Job { number, prompt, request }
}

/// The clients: tasks that make one request after another. They start when there is work for them.
struct Clients {
    shared: Arc<Shared>,
    ended: UnboundedSender<usize>,
    idle: BTreeSet<usize>,
    jobs: Vec<UnboundedSender<Job>>,
    /// Dropped with this, which ends them.
    tasks: JoinSet<()>,
}

impl Clients {
    /// Gives a job to the first idle client, or to a new one.
    fn give(&mut self, job: Job) {
        let client = self.idle.pop_first().unwrap_or_else(|| {
            let (sender, jobs) = unbounded_channel();
            let number = self.jobs.len();
            let span =
                info_span!(target: "inferscope::endpoint", parent: None, "client", number = number + 1);
            self.tasks.spawn(work(self.shared.clone(), number, jobs, self.ended.clone()).instrument(span));
            self.jobs.push(sender);
            number
        });
        // A client listens as long as this exists.
        let _ = self.jobs[client].send(job);
    }
}

async fn work(
    shared: Arc<Shared>,
    number: usize,
    mut jobs: UnboundedReceiver<Job>,
    ended: UnboundedSender<usize>,
) {
    let mut connection = None;
    while let Some(job) = jobs.recv().await {
        serve(&shared, &mut connection, job).await;
        // Nobody listens once the recording was stopped.
        let _ = ended.send(number);
    }
}
