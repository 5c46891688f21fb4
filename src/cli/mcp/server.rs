//! The server: each call is answered on a thread of its own, so that others, and cancelling, are heard meanwhile.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource, ResourceContents,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;

use super::super::guide::GUIDE;
use super::files::Files;
use super::window::Window;
use super::{child, tools};
use crate::analysis::prices::Prices;
use crate::format::{Page, plain, short};
use crate::jobs::Job;
use crate::questions::{Asked, Door, Opened, Question, SourcesFrom, Values, question};
use crate::record::secrets::mask;

/// After so long a client that asked for it hears how far its call is.
const FIRST_PROGRESS: Duration = Duration::from_secs(1);
/// Time between two such words.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// What answers.
#[derive(Clone)]
pub(super) struct Server(Arc<Shared>);

struct Shared {
    files: Files,
    texts: bool,
    /// How commands begin that may be recorded.
    allowed: Vec<Vec<String>>,
    /// By which requests are priced.
    prices: Prices,
    /// The person's window, where it may be used.
    window: Option<Window>,
    children: Children,
}

/// Longest time in which recordings end and are saved once the client has gone.
const LAST: Duration = Duration::from_secs(30);

/// Calls that have a process of their own.
#[derive(Default)]
struct Children {
    running: Mutex<Running>,
    fewer: Condvar,
}

#[derive(Default)]
struct Running {
    jobs: Vec<(u64, Job)>,
    next: u64,
    /// The client has gone: none begins any more.
    ended: bool,
}

impl Children {
    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does such a call, which [`Self::end`] ends.
    fn during<T>(&self, job: &Job, call: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        let number = {
            let mut running = self.lock();
            if running.ended {
                return Err("cancelled".into());
            }
            running.next += 1;
            let number = running.next;
            running.jobs.push((number, job.clone()));
            number
        };
        let said = call();
        self.lock().jobs.retain(|(other, _)| *other != number);
        self.fewer.notify_all();
        said
    }

    /// Ends all of them in order, and waits for them, but not forever.
    fn end(&self) {
        let mut running = self.lock();
        running.ended = true;
        running.jobs.iter().for_each(|(_, job)| job.cancel());
        let _ = self.fewer.wait_timeout_while(running, LAST, |running| !running.jobs.is_empty());
    }
}

/// The answer to a call.
enum Said {
    Text(String),
    Png(Vec<u8>),
}

impl Server {
    pub fn new(
        files: Files,
        texts: bool,
        allowed: Vec<Vec<String>>,
        prices: Prices,
        window: Option<Window>,
    ) -> Self {
        Self(Arc::new(Shared { files, texts, allowed, prices, window, children: Children::default() }))
    }

    /// Ends recordings that still run, so that they are saved.
    pub fn end(&self) {
        self.0.children.end();
    }
}

impl Shared {
    fn tools(&self) -> Vec<rmcp::model::Tool> {
        tools::all(!self.allowed.is_empty(), self.window.is_some())
    }

    fn with_window(&self, ask: impl FnOnce(&Window) -> Result<String, String>) -> Result<Said, String> {
        self.window.as_ref().ok_or_else(String::new).and_then(ask).map(Said::Text)
    }

    /// The file that a client means: also the one that the person looks at.
    fn file(&self, name: &str, job: &Job) -> Result<std::path::PathBuf, String> {
        match &self.window {
            Some(window) if name == "shown" => self.files.find(&window.file(job)?),
            _ => self.files.find(name),
        }
    }

    fn call(&self, name: &str, arguments: &JsonObject, job: &Job) -> Result<Said, String> {
        match (name, question(name)) {
            (_, Some(question)) => self.ask(question, arguments, job).map(Said::Text),
            ("picture", _) => {
                self.children.during(job, || child::picture(&self.files, arguments, job)).map(Said::Png)
            }
            ("record", _) => {
                let record = || child::record(&self.files, &self.allowed, arguments, job);
                let (path, how) = self.children.during(job, record)?;
                let file = self.files.relative(&path);
                let summary =
                    question("summary").map(|summary| self.answer(summary, &[path], &Values::default(), job));
                Ok(Said::Text(format!(
                    "recorded {file}; {how}\n{}",
                    summary.transpose()?.unwrap_or_default()
                )))
            }
            ("shown", _) if self.window.is_some() => self.with_window(|w| w.shown(&self.files, job)),
            ("show", _) if self.window.is_some() => self.with_window(|w| w.show(&self.files, arguments, job)),
            _ => {
                let known: Vec<_> = self.tools().iter().map(|t| t.name.to_string()).collect();
                Err(format!("there is no tool «{}»; there are {}", short(name, 80), known.join(", ")))
            }
        }
    }

    fn ask(&self, question: &Question, arguments: &JsonObject, job: &Job) -> Result<String, String> {
        let mut files = Vec::new();
        let mut values = Values::default();
        for (name, value) in arguments {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                Value::Bool(flag) => flag.to_string(),
                Value::Number(n) => match n.as_f64() {
                    // Some clients write whole numbers as 5.0; what is too large for that is refused as it was written.
                    Some(f) if f.fract() == 0.0 && (0.0..9e15).contains(&f) => (f as u64).to_string(),
                    _ => n.to_string(),
                },
                _ => {
                    return Err(format!(
                        "{}: a text, a whole number or true and false is wanted",
                        short(name, 80)
                    ));
                }
            };
            if !question.files.contains(&name.as_str()) {
                values.set(name, text);
            }
        }
        for name in question.files {
            match arguments.get(*name).and_then(Value::as_str).filter(|t| !t.is_empty()) {
                Some(file) => files.push(self.file(file, job)?),
                None if question.name == "summary" => return Ok(self.files.list()),
                None => {
                    return Err(format!(
                        "{} needs {name}: a profile below {}",
                        question.name,
                        self.files.named()
                    ));
                }
            }
        }
        self.answer(question, &files, &values, job)
    }

    fn answer(
        &self,
        question: &Question,
        files: &[std::path::PathBuf],
        values: &Values,
        job: &Job,
    ) -> Result<String, String> {
        let opened: Vec<Opened> = files.iter().map(|f| self.files.open(f, job)).collect::<Result<_, _>>()?;
        let asked = Asked {
            files: &opened,
            values,
            engine: self.files.engine(),
            job,
            door: Door::Tool,
            whole: false,
            texts: self.texts,
            prices: &self.prices,
            sources: SourcesFrom::Below(self.files.roots()),
        };
        question.ask(&asked).map(|sheet| sheet.text().text().to_owned()).map_err(|refusal| refusal.0)
    }
}

/// What leaves for a client: no secrets, and nothing in a line that could end it.
fn fit(text: &str) -> String {
    let mut page = Page::default();
    page.lines(&mask(text));
    page.text().to_owned()
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("inferscope", env!("CARGO_PKG_VERSION")))
            .with_instructions(format!(
                "{}\nFiles are below {}.",
                tools::INSTRUCTIONS,
                plain(&self.0.files.named())
            ))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.0.tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let (shared, job) = (self.0.clone(), Job::new());
        let own = job.clone();
        let arguments = request.arguments.unwrap_or_default();
        let mut work = tokio::task::spawn_blocking(move || shared.call(&request.name, &arguments, &own));
        let token = context.meta.get_progress_token();
        let mut wait = FIRST_PROGRESS;
        let mut told = 0.0;
        let said = loop {
            tokio::select! {
                said = &mut work => break said,
                () = context.ct.cancelled() => {
                    job.cancel();
                    return Err(ErrorData::internal_error("cancelled", None));
                }
                () = tokio::time::sleep(wait) => {
                    wait = PROGRESS_EVERY;
                    let progress = job.progress().map_or(0.0, f64::from);
                    if let Some(token) = token.clone().filter(|_| progress > told) {
                        told = progress;
                        let param = ProgressNotificationParam::new(token, progress).with_total(1.0);
                        let _ = context.peer.notify_progress(param).await;
                    }
                }
            }
        };
        let said = said.unwrap_or_else(|e| Err(format!("internal error ({e})")));
        Ok(match said {
            Ok(Said::Text(text)) => CallToolResult::success(vec![ContentBlock::text(fit(&text))]),
            Ok(Said::Png(bytes)) => {
                let data = base64::engine::general_purpose::STANDARD.encode(bytes);
                CallToolResult::success(vec![ContentBlock::image(data, "image/png")])
            }
            Err(why) => CallToolResult::error(vec![ContentBlock::text(fit(&why))]),
        }
        .into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resource = |name: &str, about: &str| {
            Resource::new(format!("inferscope://{name}"), name).with_description(about)
        };
        Ok(ListResourcesResult::with_all_items(vec![
            resource("guide", "How to use the questions"),
            resource("formats", "Formats that can be opened"),
        ]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let text = match request.uri.as_str() {
            "inferscope://guide" => GUIDE.to_owned(),
            "inferscope://formats" => super::super::formats_text(),
            _ => {
                return Err(ErrorData::resource_not_found(
                    "there are inferscope://guide and inferscope://formats",
                    None,
                ));
            }
        };
        Ok(ReadResourceResult::new(vec![ResourceContents::text(text, request.uri)]).into())
    }
}
