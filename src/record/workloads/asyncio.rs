//! The asynchronous pipeline of an LLM application: seven stages, most of them waiting.
//!
//! Stage names, order, times and messages are those of the well-known Python example (its misspelt
//! `unnecesary_io_operation` included), so that a recording can be laid beside what Python's tools say
//! about the original: fetch 2 s, preprocess 1 s, two calls at once (1 s and 2 s), model 3 s,
//! postprocess 1 s + 1 s that nobody needs, store 2 s; 12 s in sum.
//!
//! One thread runs it, as asyncio does. With the fault on, `postprocess_output` fails as the original
//! would: it uses a name that was never defined.

use std::time::Duration;

use tracing::field::Empty;
use tracing::{Instrument, Span, info, info_span, instrument};

use super::{Context, Param, ParamKind, Params, Workload, WorkloadError};
use crate::record::request_span;

/// The pipeline.
pub(super) struct Asyncio;

pub(super) const SCALE: Param = Param {
    key: "scale",
    label: "Time scale",
    help: "Factor for all sleeps: with 1 a request takes 12 seconds.",
    default: "1.0",
    kind: ParamKind::Float { min: 0.0, max: 100.0 },
};

impl Workload for Asyncio {
    fn id(&self) -> &'static str {
        "asyncio"
    }

    fn title(&self) -> &'static str {
        "Async pipeline of an LLM application"
    }

    fn about(&self) -> &'static str {
        "Seven stages that mostly wait: fetch, preprocess, two calls at once, a model, postprocess with a \
         needless I/O operation, store. Shows waiting beside working, the critical branch of parallel \
         calls, and what a failure looks like."
    }

    fn params(&self) -> &'static [Param] {
        &[
            SCALE,
            Param {
                key: "users",
                label: "Users",
                help: "Requests that are handled at the same time.",
                default: "1",
                kind: ParamKind::Int { min: 1, max: 1000 },
            },
            Param {
                key: "fault",
                label: "Fault",
                help: "Lets postprocess_output fail with a NameError.",
                default: "false",
                kind: ParamKind::Bool,
            },
        ]
    }

    fn marks_requests(&self) -> bool {
        true
    }

    fn run(&self, params: &Params, cx: &Context) -> Result<(), WorkloadError> {
        let Settings { scale, users, fault } = params.read()?;
        run(Plan { scale, fault }, users, cx)
    }
}

/// The pipeline for so many users at once.
pub(super) fn run(plan: Plan, users: usize, cx: &Context) -> Result<(), WorkloadError> {
    cx.stage("Handling requests");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|e| WorkloadError::Failed(format!("tokio does not start: {e}")))?;
    runtime.block_on(async {
        // A task of its own: it is polled when one of its timers fires, and not by the watch below.
        let task = tokio::spawn(run_main(plan, users));
        let stop = task.abort_handle();
        let watch = async {
            while cx.check().is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::pin!(task);
        let ended = tokio::select! {
            ended = &mut task => ended,
            () = watch => {
                stop.abort();
                task.await
            }
        };
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(WorkloadError::Failed(error)),
            Err(e) if e.is_cancelled() => Err(WorkloadError::Stopped),
            Err(e) => Err(WorkloadError::Failed(e.to_string())),
        }
    })
}

#[derive(serde::Deserialize)]
struct Settings {
    scale: f64,
    users: usize,
    fault: bool,
}

/// How the stages run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Factor for all sleeps.
    pub(super) scale: f64,
    /// Lets one stage fail.
    pub(super) fault: bool,
}

/// A Python exception, as text.
type Raised = String;

impl Plan {
    async fn sleep(self, seconds: f64) {
        tokio::time::sleep(Duration::from_secs_f64(seconds * self.scale)).await;
    }
}

/// Marks the current span as failed when `result` is an error.
fn note<T>(result: Result<T, Raised>) -> Result<T, Raised> {
    if let Err(error) = &result {
        Span::current().record("error", error.as_str());
    }
    result
}

/// Notes what a stage returned.
fn returned(value: &str) {
    Span::current().record("returned", value);
}

#[instrument(target = "inferscope::asyncio", name = "main", skip_all, fields(error = Empty))]
async fn run_main(plan: Plan, users: usize) -> Result<(), Raised> {
    if users == 1 {
        return note(handle_user_request(plan, "user123".into(), Span::current()).await);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..users {
        // A spawned task does not inherit the span, so that is handed over.
        tasks.spawn(handle_user_request(plan, format!("user{}", 123 + i), Span::current()));
    }
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        result = result.and(ended.unwrap_or_else(|e| Err(e.to_string())));
    }
    note(result)
}

async fn handle_user_request(plan: Plan, user_id: String, parent: Span) -> Result<(), Raised> {
    let span = request_span(|| {
        info_span!(target: "inferscope::asyncio", parent: &parent, "handle_user_request", user_id = user_id.as_str(),
            returned = Empty, error = Empty)
    });
    let work = async {
        fetch_user_data(plan, &user_id).await;
        preprocess_input(plan).await;
        make_parallel_api_calls(plan).await;
        process_request_with_llm(plan).await;
        note(postprocess_output(plan).await)?;
        store_results(plan).await;
        returned("True");
        Ok(())
    };
    work.instrument(span).await
}

#[instrument(target = "inferscope::asyncio", skip(plan), fields(returned = Empty))]
async fn fetch_user_data(plan: Plan, user_id: &str) {
    plan.sleep(2.0).await;
    info!(target: "inferscope::asyncio", "Fetched data for user {user_id}");
    returned(&format!("{{'user_id': '{user_id}', 'data': 'Sample data'}}"));
}

#[instrument(target = "inferscope::asyncio", skip_all)]
async fn preprocess_input(plan: Plan) {
    plan.sleep(1.0).await;
    info!(target: "inferscope::asyncio", "Preprocessed input data");
}

#[instrument(target = "inferscope::asyncio", skip_all)]
async fn make_parallel_api_calls(plan: Plan) {
    let call = |n: u32, seconds: f64| {
        let span = info_span!(target: "inferscope::asyncio", "api_call", call = n, seconds);
        plan.sleep(seconds).instrument(span)
    };
    tokio::join!(call(1, 1.0), call(2, 2.0));
    info!(target: "inferscope::asyncio", "Made parallel API calls");
}

#[instrument(target = "inferscope::asyncio", skip_all, fields(returned = Empty))]
async fn process_request_with_llm(plan: Plan) {
    plan.sleep(3.0).await;
    info!(target: "inferscope::asyncio", "Processed request with LLM");
    returned("{'processed_data': 'Sample data + LLM processed'}");
}

#[instrument(target = "inferscope::asyncio", skip_all, fields(returned = Empty, error = Empty))]
async fn postprocess_output(plan: Plan) -> Result<(), Raised> {
    plan.sleep(1.0).await;
    info!(target: "inferscope::asyncio", "Postprocessed output data");
    unnecesary_io_operation(plan).await;
    if plan.fault {
        let error = "NameError: name 'processed' is not defined";
        tracing::error!(target: "inferscope::asyncio", "{error}");
        return note(Err(error.to_owned()));
    }
    returned("{'final_output': 'Sample data + LLM processed'}");
    Ok(())
}

#[instrument(target = "inferscope::asyncio", skip_all, fields(returned = Empty))]
async fn unnecesary_io_operation(plan: Plan) {
    plan.sleep(1.0).await;
    info!(target: "inferscope::asyncio", "Unnecessary I/O operation");
    returned("True");
}

#[instrument(target = "inferscope::asyncio", skip_all, fields(returned = Empty))]
async fn store_results(plan: Plan) {
    plan.sleep(2.0).await;
    info!(target: "inferscope::asyncio", "Stored results");
    returned("True");
}
