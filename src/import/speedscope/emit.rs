//! Raw profiles into rows of the builder, once the frames and all that decides what events mean are known.

use super::super::ImportError;
use super::super::read::{Oddities, Rounding};
use super::exporters::Exporter;
use super::measures::{self, Group};
use super::{EMPTY, File, RawFrame, RawProfile, plain_metric, power_of};
use crate::model::{
    ArgsRef, Basis, FrameId, FunctionId, FunctionSpec, MetricId, NO_ROW, ProfileBuilder, SpanStatus, StackId,
    TrackId, TrackKind, TrackSpec,
};

/// The frame by which pyinstrument shows a caller's own time beside its callees.
const OWN_TIME: &str = "[self]";

impl File {
    /// Hands everything to the builder.
    pub(super) fn emit(mut self, builder: &mut ProfileBuilder) -> Result<(), ImportError> {
        if self.profiles.is_empty() {
            return Err(ImportError::malformed("holds no profiles"));
        }
        let exporter = Exporter::of(&self.exporter);
        let mut profiles = std::mem::take(&mut self.profiles);
        exporter.mend(&mut profiles, &mut self.odd);
        profiles.iter().for_each(|p| exporter.check(p, &mut self.odd));
        let no_clock = exporter.no_clock(&profiles);
        self.describe(&profiles, no_clock, builder);
        let mut emitter = Emitter::new(exporter);
        for frame in &self.frames {
            emitter.add_frame(frame, builder);
        }
        let stacks = std::mem::take(&mut self.stacks).rows;
        let groups = measures::groups(&profiles, exporter, no_clock.is_some());
        // Metrics in the order of measures, whichever thread has which.
        let mut metrics: Vec<_> = groups.iter().flat_map(|g| &g.members).map(|(m, p)| (*m, *p)).collect();
        metrics.sort_by_key(|m| m.0);
        metrics.into_iter().for_each(|(measure, profile)| _ = builder.metric(measure.metric(profile)));
        for (sort, group) in groups.iter().enumerate() {
            let kind = if group.is_thread { TrackKind::Thread } else { TrackKind::Profile };
            let spec = TrackSpec { name: &group.name, process: &group.process, kind, sort: sort as i64 };
            let track = builder.track(spec);
            let first = group.members[0].1;
            match (first.evented, power_of(&first.unit)) {
                (true, Some(power)) => emitter.spans(first, track, power, &mut self.odd, builder),
                (true, None) => emitter.stretches(first, track, &mut self.odd, builder),
                (false, _) => {
                    let metric = |(m, p): &(measures::Measure, &RawProfile)| builder.metric(m.metric(p));
                    let metrics: Vec<_> = group.members.iter().map(metric).collect();
                    emitter.resolve_stacks(&stacks, &mut self.odd, builder);
                    match metrics[..] {
                        [metric] => emitter.samples(first, track, metric, &mut self.odd, builder),
                        _ => emitter.measures(group, track, &metrics, &mut self.odd, builder),
                    }
                }
            }
        }
        let nothing = builder.is_empty() || emitter.kept == 0;
        if nothing && let Some(first) = self.odd.first() {
            return Err(ImportError::malformed(format!("holds nothing readable ({first})")));
        }
        if nothing && profiles.iter().all(|p| p.events.is_empty() && p.samples.is_empty()) {
            return Err(ImportError::malformed("holds only empty profiles"));
        }
        let basis = Basis::of_key(&self.basis[0], &self.basis[1]).filter(|_| self.is_own());
        if let Some(basis) = basis {
            builder.meta.basis = basis;
        }
        self.odd.report(builder);
        Ok(())
    }

    /// True where inferscope wrote the file.
    fn is_own(&self) -> bool {
        self.exporter.starts_with("inferscope ")
    }

    /// What the file says about itself.
    fn describe(&mut self, profiles: &[RawProfile], no_clock: Option<&str>, builder: &mut ProfileBuilder) {
        let meta = &mut builder.meta;
        let own = self.is_own() && !self.tool.is_empty();
        meta.tool = if own { self.tool.clone() } else { self.exporter.replace('@', " ") };
        meta.title = std::mem::take(&mut self.title);
        if let ([only], true) = (profiles, meta.title.is_empty()) {
            meta.title.clone_from(&only.name);
        }
        meta.basis = Basis::Sampled;
        meta.no_clock = no_clock.unwrap_or_default().into();
        let nanos =
            |p: &RawProfile| p.start.zip(power_of(&p.unit)).and_then(|(start, power)| start.scaled(power));
        builder.rebase = profiles.iter().filter_map(nanos).min().is_some_and(|first| first != 0);
    }
}

/// Turns raw profiles into rows, once the frames are known.
struct Emitter {
    exporter: Exporter,
    frames: Vec<(FunctionId, FrameId)>,
    /// Frames that are the caller's own time.
    own_time: Vec<bool>,
    stacks: Vec<Option<StackId>>,
    /// Spans and samples with a known frame, to tell a file of which nothing could be read.
    kept: usize,
}

impl Emitter {
    fn new(exporter: Exporter) -> Self {
        Self { exporter, frames: Vec::new(), own_time: Vec::new(), stacks: Vec::new(), kept: 0 }
    }

    fn add_frame(&mut self, frame: &RawFrame, builder: &mut ProfileBuilder) {
        let (first, line) =
            if self.exporter.writes_running_lines() { (0, frame.line) } else { (frame.line, 0) };
        let (name, file) = (builder.text(frame.name).to_owned(), builder.text(frame.file).to_owned());
        self.own_time.push(name == OWN_TIME && file.is_empty());
        let name = if name.is_empty() { "(unnamed)" } else { &name };
        let function =
            builder.function(FunctionSpec { name, file: &file, line: first, ..FunctionSpec::default() });
        self.frames.push((function, builder.frame(function, line)));
    }

    fn known(&self, frame: u32, odd: &mut Oddities) -> bool {
        let known = (frame as usize) < self.frames.len();
        if !known {
            odd.add("frame number out of range (left out)", || {
                let shown = if frame == EMPTY { "not a number".into() } else { format!("frame {frame}") };
                format!("{shown}, the file has {} frames", self.frames.len())
            });
        }
        known
    }

    /// An evented profile in time: each opening and its closing are a span. A closing belongs to the
    /// innermost open span of the same frame; where closings cross, each span keeps its own times.
    fn spans(
        &mut self,
        profile: &RawProfile,
        track: TrackId,
        power: i16,
        odd: &mut Oddities,
        b: &mut ProfileBuilder,
    ) {
        if !self.exporter.samples_spans() {
            b.meta.basis = Basis::Timed;
        }
        // Innermost open span per frame; the one before it per span.
        let mut innermost = vec![NO_ROW; self.frames.len()];
        let mut outer: Vec<(u32, bool)> = Vec::new();
        let mut open: Vec<u32> = Vec::new();
        let mut folded = 0u64;
        let mut last = profile.start.and_then(|d| d.scaled(power)).unwrap_or(i64::MIN);
        for (n, event) in profile.events.iter().enumerate() {
            let (frame, opens) = (event.frame >> 1, event.frame & 1 == 1);
            let place = || format!("event {n}");
            let Some(time) = event.at().scaled(power) else {
                odd.add("event without a usable time (skipped)", place);
                continue;
            };
            if time < last {
                odd.add("event earlier than the one before it", place);
            }
            last = last.max(time);
            if !self.known(frame, odd) {
                continue;
            }
            if self.own_time[frame as usize] && !(opens && open.is_empty()) && (opens || folded > 0) {
                folded = if opens { folded + 1 } else { folded - 1 };
                continue;
            }
            let innermost = &mut innermost[frame as usize];
            if opens {
                let handle = b.open_span(track, time, self.frames[frame as usize].0, ArgsRef::NONE);
                outer.push((*innermost, false));
                *innermost = handle;
                open.push(handle);
                continue;
            }
            let handle = *innermost;
            if handle == NO_ROW {
                odd.add("closing of a frame that is not open (skipped)", place);
                continue;
            }
            while open.last().is_some_and(|&h| outer[h as usize].1) {
                open.pop();
            }
            if open.last() != Some(&handle) {
                odd.add("frames closed out of order (each keeps its own times)", place);
            }
            *innermost = outer[handle as usize].0;
            outer[handle as usize].1 = true;
            b.close_span(track, handle, time, SpanStatus::Ok);
        }
        let end = profile.end.and_then(|d| d.scaled(power)).unwrap_or(last).max(last);
        for (handle, _) in outer.iter().enumerate().filter(|(_, span)| !span.1) {
            odd.add("frame that is never closed (drawn to the end)", || format!("span {handle}"));
            b.close_span(track, handle as u32, end, SpanStatus::Unfinished);
        }
        self.kept += outer.len();
    }

    /// An evented profile in bytes or counts: what lies between two events weighs on the open stack.
    fn stretches(
        &mut self,
        profile: &RawProfile,
        track: TrackId,
        odd: &mut Oddities,
        b: &mut ProfileBuilder,
    ) {
        if b.meta.basis == Basis::Sampled {
            b.meta.basis = Basis::Aggregated;
        }
        let metric = b.metric(plain_metric(&profile.unit));
        let mut open: Vec<(u32, StackId)> = Vec::new();
        let mut opened = vec![0u32; self.frames.len()];
        let mut last = profile.start.and_then(|d| d.scaled(0));
        let mut weigh = |b: &mut ProfileBuilder, open: &[(u32, StackId)], value: i64| {
            let before = last.replace(last.map_or(value, |l| l.max(value)));
            if let (Some(before), Some(&(_, stack))) = (before, open.last())
                && value > before
            {
                b.sample(track, Some(stack), &[(metric, value.saturating_sub(before))]);
            }
            before.is_some_and(|before| value < before)
        };
        for (n, event) in profile.events.iter().enumerate() {
            let (frame, opens) = (event.frame >> 1, event.frame & 1 == 1);
            let place = || format!("event {n}");
            let Some(value) = event.at().scaled(0) else {
                odd.add("event without a usable value (skipped)", place);
                continue;
            };
            if weigh(b, &open, value) {
                odd.add("event earlier than the one before it", place);
            }
            if !self.known(frame, odd) {
                continue;
            }
            if opens {
                let caller = open.last().map(|o| o.1);
                let own = caller.filter(|_| self.own_time[frame as usize]);
                let stack = own.unwrap_or_else(|| b.stack(caller, self.frames[frame as usize].1));
                open.push((frame, stack));
                opened[frame as usize] += 1;
                self.kept += 1;
            } else if opened[frame as usize] == 0 {
                odd.add("closing of a frame that is not open (skipped)", place);
            } else {
                while let Some((closed, _)) = open.pop() {
                    opened[closed as usize] -= 1;
                    if closed == frame {
                        break;
                    }
                    odd.add("frames closed out of order (the inner ones end with the outer)", place);
                }
            }
        }
        if !open.is_empty() {
            odd.add("frame that is never closed (runs to the end)", || {
                format!("{} open at the end", open.len())
            });
            if let Some(end) = profile.end.and_then(|d| d.scaled(0)) {
                weigh(b, &open, end);
            }
        }
    }

    /// Makes the file's stacks known to the builder; frames out of range are left out.
    fn resolve_stacks(&mut self, stacks: &[(u32, u32)], odd: &mut Oddities, b: &mut ProfileBuilder) {
        for &(parent, frame) in &stacks[self.stacks.len()..] {
            let parent = self.stacks.get(parent as usize).copied().flatten();
            let stack = if !self.known(frame, odd) || (self.own_time[frame as usize] && parent.is_some()) {
                parent
            } else {
                Some(b.stack(parent, self.frames[frame as usize].1))
            };
            self.stacks.push(stack);
        }
    }

    /// A sampled profile. In a time unit its samples are placed in time by the running sum of their weights.
    fn samples(
        &mut self,
        profile: &RawProfile,
        track: TrackId,
        metric: MetricId,
        odd: &mut Oddities,
        b: &mut ProfileBuilder,
    ) {
        let mut weights = Weights::new(profile, odd);
        let mut time = weights.start();
        for (n, &stack) in profile.samples.iter().enumerate() {
            if let Some(weight) = weights.get(n, odd) {
                self.sample(track, &mut time, stack, (weight, &[(metric, weight)]), b);
            }
        }
        weights.rounding.report(b);
    }

    /// Sampled profiles that are measures of the same samples; the first one places them in time.
    fn measures(
        &mut self,
        group: &Group<'_>,
        track: TrackId,
        metrics: &[MetricId],
        odd: &mut Oddities,
        b: &mut ProfileBuilder,
    ) {
        let joined = measures::join(&group.members);
        let mut rows = vec![vec![None; metrics.len()]; joined.stacks.len()];
        let mut time = None;
        for (m, (places, (_, profile))) in joined.places.iter().zip(&group.members).enumerate() {
            let mut weights = Weights::new(profile, odd);
            time = time.or(Some(weights.start()));
            for (n, &row) in places.iter().enumerate() {
                rows[row as usize][m] = weights.get(n, odd);
            }
            weights.rounding.report(b);
        }
        let mut time = time.flatten();
        let mut costs: Vec<(MetricId, i64)> = Vec::new();
        for (&stack, row) in joined.stacks.iter().zip(&rows) {
            costs.clear();
            costs.extend(metrics.iter().zip(row).filter_map(|(&metric, weight)| Some((metric, (*weight)?))));
            if !costs.is_empty() {
                self.sample(track, &mut time, stack, (row[0].unwrap_or(0), &costs), b);
            }
        }
    }

    /// Adds a sample that lasts for `length` from `time` on, or has no time.
    fn sample(
        &mut self,
        track: TrackId,
        time: &mut Option<i64>,
        stack: u32,
        (length, costs): (i64, &[(MetricId, i64)]),
        b: &mut ProfileBuilder,
    ) {
        let stack = self.stacks.get(stack as usize).copied().flatten();
        self.kept += usize::from(stack.is_some());
        match time {
            Some(time) => {
                let end = time.saturating_add(length);
                b.timed_sample(track, (*time, end), stack, costs);
                *time = end;
            }
            None => b.sample(track, stack, costs),
        }
    }
}

/// What the samples of a profile weigh, in the unit of its metric.
struct Weights<'a> {
    profile: &'a RawProfile,
    power: Option<i16>,
    rounding: Rounding,
}

impl<'a> Weights<'a> {
    fn new(profile: &'a RawProfile, odd: &mut Oddities) -> Self {
        let extra = profile.weights.len().saturating_sub(profile.samples.len());
        if extra > 0 {
            odd.add("weights without samples (ignored)", || format!("{extra} weights"));
        }
        Self { profile, power: power_of(&profile.unit), rounding: Rounding::default() }
    }

    /// When the first sample begins; `None` when samples have no time. Weights in a metric with a name of its own say
    /// nothing about when, even if they are a time.
    fn start(&self) -> Option<i64> {
        let power = self.power.filter(|_| !self.profile.names_metric())?;
        Some(self.profile.start.and_then(|d| d.scaled(power)).unwrap_or(0))
    }

    /// Of sample `n`, asked for in order; `None` when it is skipped.
    fn get(&mut self, n: usize, odd: &mut Oddities) -> Option<i64> {
        let place = || format!("sample {n}");
        let Some(written) = self.profile.weights.get(n) else {
            odd.add("sample without a weight (skipped)", place);
            return None;
        };
        let weight = match self.power {
            Some(power) => written.and_then(|d| d.scaled(power)),
            None => written.and_then(|d| self.rounding.next(d)),
        };
        match weight {
            None => odd.add("weight that is not a usable number (sample skipped)", place),
            Some(..0) => odd.add("negative weight (sample skipped)", place),
            Some(_) => {}
        }
        weight.filter(|&w| w >= 0)
    }
}
