//! The example's own timing: every stage sleeps, so that clocks can be compared.
//!
//! 10 ms preprocessing, 50 ms lookup, 20 ms queue, 150 ms to the first token, 20 tokens each followed by
//! 10 ms (also the last one, as in the example, where that wait counts as generation), 10 ms
//! postprocessing: 440 ms. A wall clock sees them all, a CPU clock almost nothing.

use std::time::{Duration, Instant};

use tracing::{Instrument, info, info_span};

use super::latency::{Latency, Stage};
use super::{Context, QUESTIONS, WorkloadError};
use crate::record::{request, request_span};

const TOKENS: u32 = 20;

/// Runs `$work` as a stage, and as a span of that name.
macro_rules! stage {
    ($latency:expr, $stage:expr, $name:literal, $work:expr) => {{
        let running = $latency.enter($stage);
        $work.instrument(info_span!(target: "inferscope::rag", $name)).await;
        $latency.leave(running);
    }};
}

async fn sleep(ms: f64, scale: f64) {
    tokio::time::sleep(Duration::from_secs_f64(ms * scale / 1000.0)).await;
}

pub(super) fn run(
    questions: usize,
    scale: f64,
    latency: &mut Latency,
    cx: &Context,
) -> Result<(), WorkloadError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|e| WorkloadError::Failed(format!("tokio does not start: {e}")))?;
    runtime.block_on(async {
        let watch = async {
            while cx.check().is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let all = async {
            for i in 0..questions {
                cx.advance(i as u64, questions as u64)?;
                let question = QUESTIONS[i % QUESTIONS.len()];
                let span =
                    request_span(|| info_span!(target: "inferscope::rag", "profile_request", question));
                profile_request(i, question, scale, latency).instrument(span).await;
            }
            cx.advance(questions as u64, questions as u64)
        };
        tokio::select! {
            done = all => done,
            () = watch => Err(WorkloadError::Stopped),
        }
    })
}

async fn profile_request(i: usize, question: &str, scale: f64, latency: &mut Latency) {
    let begin = Instant::now();
    let nap = |ms| sleep(ms, scale);
    stage!(latency, Stage::Preprocessing, "preprocessing", nap(10.0));
    stage!(latency, Stage::EmbeddingLookup, "embedding_lookup", nap(50.0));
    let request = request(&format!("#{} {question}", i + 1), "mock", question);
    stage!(latency, Stage::QueueWait, "llm_queue_wait", nap(20.0));
    request.scheduled();
    stage!(latency, Stage::FirstToken, "time_to_first_token", nap(150.0));
    let mut answer = String::new();
    let tokens = async {
        for token in 0..TOKENS {
            request.token();
            answer += &format!("token_{token} ");
            nap(10.0).await;
        }
    };
    stage!(latency, Stage::Generation, "token_generation", tokens);
    request.answered(&answer, None);
    stage!(latency, Stage::Postprocessing, "postprocessing", nap(10.0));
    latency.answered(begin);
    info!(target: "inferscope::rag", "Answered with {TOKENS} tokens");
}
