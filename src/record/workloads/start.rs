//! Starting the recording of a built-in workload by its name.

use super::{Context, Param, Params, WORKLOADS};
use crate::model::{Fact, FactKind};
use crate::record::{OnRevision, Options, RecordError, Recording, Work, record, secrets};

/// True for a workload that does its work in the process that records it.
#[must_use]
pub fn runs_in_recorder(workload: &str) -> bool {
    WORKLOADS.iter().any(|w| w.id() == workload && !w.other_process())
}

/// What a run of a workload is called, without secrets. Wrong parameters give the workload's own title.
#[must_use]
pub fn run_title(workload: &str, params: &[String]) -> String {
    let Some(&found) = WORKLOADS.iter().find(|w| w.id() == workload) else { return workload.into() };
    let title = Params::parse(found.params(), params).map(|p| found.run_title(&p));
    let title = title.unwrap_or_default();
    if title.is_empty() { found.title().into() } else { secrets::command(&title, true) }
}

/// Starts the recording of a workload of [`WORKLOADS`]. `params` are texts of the form `key=value`.
/// `on_revision` is called on a thread of the recorder with each frozen state on the way.
///
/// # Errors
/// [`RecordError::UnknownWorkload`], [`RecordError::Parameter`] with the reason, or
/// [`RecordError::ForeignSubscriber`].
pub fn start(
    workload: &str,
    params: &[String],
    options: Options,
    on_revision: OnRevision,
) -> Result<Recording, RecordError> {
    let Some(&workload) = WORKLOADS.iter().find(|w| w.id() == workload) else {
        let known: Vec<_> = WORKLOADS.iter().map(|w| w.id()).collect();
        let why = format!("there is no workload «{workload}»; known: {}", known.join(", "));
        return Err(RecordError::UnknownWorkload(why));
    };
    let params = Params::parse(workload.params(), params).map_err(RecordError::Parameter)?;
    let mut facts = vec![Fact::new(FactKind::Setting, "Workload", workload.id())];
    let kept = |(param, value): (&Param, &str)| {
        Fact::new(FactKind::Setting, param.label, param.kept(value, options.texts))
    };
    facts.extend(params.stated().map(kept));
    let (title, other_process) =
        (secrets::command(&workload.run_title(&params), options.texts), workload.other_process());
    let marks_requests = workload.marks_requests();
    let run = Box::new(move |cx: &Context| workload.run(&params, cx));
    let work = Work { title, facts, run, other_process, marks_requests };
    record(work, options, on_revision)
}
