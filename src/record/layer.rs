//! The `tracing` layer that turns spans and events into the recorder's events.
//!
//! While nothing is recorded every callsite is off, which costs a span macro one load. While a
//! recording runs, callsites outside the layer's scope stay off: the window system, D-Bus and the
//! graphics stack emit thousands of spans that nobody asked for.
//!
//! A span must be *created* while a recording runs. Code that creates its spans once and enters them
//! often (a model's operations) therefore creates them when the recording starts.

use tracing_core::field::{Field as Key, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Interest, Level, LevelFilter, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::alloc;
use super::clock;
use super::roots;
use super::secrets;
use super::sink::{self, Cold, Field, Fields, Kind, Origin};
use crate::model::Severity;

/// Targets of inferscope's own window, which [`RecordLayer::all`] leaves out.
const WINDOW: &[&str] = &[
    "accesskit",
    "arboard",
    "async_io",
    "calloop",
    "eframe",
    "egui",
    "epaint",
    "glow",
    "glutin",
    "mio",
    "polling",
    "rfd",
    "sctk",
    "smithay",
    "wayland",
    "wgpu",
    "winit",
    "x11rb",
    "zbus",
    "zvariant",
];

/// Targets that are recorded when nothing else is said.
const OWN: &[&str] = &["inferscope", "candle"];

#[derive(Clone, Debug)]
enum Scope {
    Prefixes(Vec<String>),
    AllBut(&'static [&'static str]),
}

impl Scope {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        match self {
            Self::Prefixes(list) => list.iter().any(|p| target.starts_with(p.as_str())),
            Self::AllBut(list) => !list.iter().any(|p| target.starts_with(p)),
        }
    }
}

/// Records spans and events while a recording runs; see [`crate::record::layer`].
#[derive(Clone, Debug)]
pub struct RecordLayer {
    scope: Scope,
}

impl Default for RecordLayer {
    fn default() -> Self {
        Self { scope: Scope::Prefixes(OWN.iter().map(ToString::to_string).collect()) }
    }
}

impl RecordLayer {
    /// Records spans whose target starts with one of `prefixes` (as a rule crate names), beside
    /// inferscope's own.
    #[must_use]
    pub fn targets<'a>(mut self, prefixes: impl IntoIterator<Item = &'a str>) -> Self {
        let mut list: Vec<String> = OWN.iter().map(ToString::to_string).collect();
        list.extend(prefixes.into_iter().map(str::to_owned));
        self.scope = Scope::Prefixes(list);
        self
    }

    /// Records everything except the spans of window and graphics libraries.
    #[must_use]
    pub fn all(mut self) -> Self {
        self.scope = Scope::AllBut(WINDOW);
        self
    }

    /// The layer for a subscriber that has other layers too: it then decides for itself alone what
    /// is on. Costs a few nanoseconds more for each span.
    #[must_use]
    pub fn beside_others<S>(self) -> impl Layer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let scope = self.scope.clone();
        self.with_filter(tracing_subscriber::filter::filter_fn(move |m| sink::is_on() && scope.wants(m)))
    }
}

impl<S> Layer<S> for RecordLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_layer(&mut self, _: &mut S) {
        clock::init();
        super::INSTALLED.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if sink::is_on() && self.scope.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        sink::is_on() && self.scope.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if sink::is_on() { LevelFilter::TRACE } else { LevelFilter::OFF })
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        if !sink::is_on() {
            return;
        }
        let _own = alloc::uncounted();
        let parent = cx.span(id).and_then(|s| s.parent().map(|p| sink::key(p.id().into_u64())));
        let mut visitor = Visitor::default();
        visitor.fields.reserve_exact(attributes.metadata().fields().len());
        attributes.record(&mut visitor);
        let new = Cold::New {
            id: sink::key(id.into_u64()),
            parent,
            ticks: clock::ticks(),
            metadata: attributes.metadata(),
            fields: visitor.fields,
        };
        let new = if roots::sampled() { roots::created(new, id, &cx) } else { Some(new) };
        new.into_iter().for_each(sink::queue);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        if sink::is_on() {
            let _own = alloc::uncounted();
            let mut visitor = Visitor::default();
            values.record(&mut visitor);
            if roots::sampled()
                && (roots::add_fields(id, &mut visitor.fields, &cx) || !roots::wanted(id, &cx))
            {
                return;
            }
            sink::queue(Cold::Record { id: sink::key(id.into_u64()), fields: visitor.fields });
        }
    }

    fn on_follows_from(&self, id: &Id, cause: &Id, cx: Context<'_, S>) {
        if sink::is_on() && roots::wanted(id, &cx) && roots::wanted(cause, &cx) {
            let (id, cause) = (sink::key(id.into_u64()), sink::key(cause.into_u64()));
            sink::queue(Cold::Follows { id, cause, ticks: clock::ticks() });
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let span = cx.event_span(event).map(|s| s.id());
        if !sink::is_on() || roots::left_out() || span.as_ref().is_some_and(|id| !roots::wanted(id, &cx)) {
            return;
        }
        let _own = alloc::uncounted();
        let mut visitor = Visitor::default();
        event.record(&mut visitor);
        sink::queue(Cold::Log {
            span: span.map(|id| sink::key(id.into_u64())),
            thread: sink::this_thread(),
            ticks: clock::ticks(),
            origin: Origin {
                target: event.metadata().target(),
                name: event.metadata().name(),
                severity: match *event.metadata().level() {
                    Level::ERROR => Severity::Error,
                    Level::WARN => Severity::Warning,
                    Level::INFO => Severity::Info,
                    _ => Severity::Debug,
                },
            },
            message: visitor.message,
            fields: visitor.fields,
        });
    }

    #[inline]
    fn on_enter(&self, id: &Id, cx: Context<'_, S>) {
        if sink::is_on() && (!roots::sampled() || roots::entered(id, &cx)) {
            sink::push(id.into_u64(), Kind::Enter);
        }
    }

    #[inline]
    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        if sink::is_on() && (!roots::sampled() || roots::left()) {
            let kind = if std::thread::panicking() { Kind::ExitPanic } else { Kind::Exit };
            sink::push(id.into_u64(), kind);
        }
    }

    #[inline]
    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        if sink::is_on() && roots::wanted(&id, &cx) {
            sink::push(id.into_u64(), Kind::Close);
        }
    }
}

/// Longest text that a field keeps, in bytes; the rest of it would be the user's data, not a detail.
const LONGEST: usize = 4096;

#[derive(Default)]
struct Visitor {
    message: String,
    fields: Fields,
}

impl Visitor {
    fn text(&mut self, key: &Key, mut text: String) {
        if text.len() > LONGEST {
            text.truncate(text.floor_char_boundary(LONGEST));
            text.push('…');
        }
        let text = secrets::field(key.name(), text);
        if key.name() == "message" { self.message = text } else { self.push(key, Field::Text(text)) }
    }

    fn push(&mut self, key: &Key, value: Field) {
        self.fields.push((key.name(), value));
    }
}

impl Visit for Visitor {
    fn record_f64(&mut self, key: &Key, value: f64) {
        self.push(key, Field::Float(value));
    }

    fn record_i64(&mut self, key: &Key, value: i64) {
        self.push(key, Field::Int(value));
    }

    fn record_u64(&mut self, key: &Key, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.push(key, Field::Int(value)),
            Err(_) => self.push(key, Field::Float(value as f64)),
        }
    }

    fn record_bool(&mut self, key: &Key, value: bool) {
        self.push(key, Field::Bool(value));
    }

    fn record_str(&mut self, key: &Key, value: &str) {
        self.text(key, value.to_owned());
    }

    fn record_error(&mut self, key: &Key, value: &(dyn std::error::Error + 'static)) {
        self.text(key, value.to_string());
    }

    fn record_debug(&mut self, key: &Key, value: &dyn std::fmt::Debug) {
        self.text(key, format!("{value:?}"));
    }
}
