//! The default recording: the asynchronous pipeline, then the text generation, in one session.

use tracing::info_span;

use super::asyncio::{self, Plan, SCALE};
use super::generate::{Generate, PARAMS};
use super::{Context, Param, Params, Workload, WorkloadError};
use crate::phase;

/// Both, one after the other.
pub(super) struct Demo;

static ALL: [Param; PARAMS.len() + 1] = {
    let mut all = [SCALE; PARAMS.len() + 1];
    let mut i = 0;
    while i < PARAMS.len() {
        all[i + 1] = PARAMS[i];
        i += 1;
    }
    all
};

#[derive(serde::Deserialize)]
struct Settings {
    scale: f64,
}

impl Workload for Demo {
    fn id(&self) -> &'static str {
        "default"
    }

    fn title(&self) -> &'static str {
        "Async pipeline and text generation"
    }

    fn about(&self) -> &'static str {
        "An asynchronous pipeline that mostly waits (12 seconds at time scale 1), then a language model that \
         works. A good first recording."
    }

    fn usual_params(&self) -> &'static [&'static str] {
        &["scale", "questions", "model"]
    }

    fn params(&self) -> &'static [Param] {
        &ALL
    }

    fn marks_requests(&self) -> bool {
        true
    }

    fn run(&self, params: &Params, cx: &Context) -> Result<(), WorkloadError> {
        let Settings { scale } = params.read()?;
        // The spans give all that follows a caller: what ran on other threads hangs on them.
        {
            let _phase = phase!("async pipeline");
            let _span = info_span!(target: "inferscope::default", "asyncio").entered();
            asyncio::run(Plan { scale, fault: false }, 1, cx)?;
        }
        let _span = info_span!(target: "inferscope::default", "text_generation").entered();
        Generate.run(params, cx)
    }
}
