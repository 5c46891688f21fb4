//! Counters: one series of points per counter, instance and argument.

use rustc_hash::FxHashMap;

use super::names::{self, Name};
use super::number;
use super::oddities::{Odd, Oddities};
use super::scan::{Kind, Members, Raw};
use super::tracks::{Id, Tracks};
use crate::model::{CounterId, ProfileBuilder, StringId, Unit};

#[derive(Debug)]
struct Group {
    process: u32,
    name: StringId,
    instance: Id,
    series: Vec<(StringId, CounterId)>,
}

/// Memory of one device.
#[derive(Debug, Default)]
struct Device {
    allocated: Option<CounterId>,
    reserved: Option<CounterId>,
    /// Changes, where the file has no totals.
    changes: Vec<(i64, i64)>,
}

/// All counters of a trace.
#[derive(Debug, Default)]
pub(super) struct Counters {
    groups: Vec<Group>,
    group_of: FxHashMap<(u32, StringId, Id), u32>,
    series_of: FxHashMap<(u32, StringId), CounterId>,
    devices: FxHashMap<(i64, i64), Device>,
}

/// A finite number, written as a number or as a string.
fn value(raw: Raw<'_>) -> Option<f64> {
    matches!(raw.kind, Kind::Plain | Kind::Literal).then(|| number::float(raw.bytes)).flatten()
}

impl Counters {
    /// Takes in a counter event.
    pub fn event(
        &mut self,
        b: &mut ProfileBuilder,
        odd: &mut Oddities,
        (process, name, instance): (u32, Name, Id),
        time: i64,
        args: Raw<'_>,
    ) {
        let group = *self.group_of.entry((process, name.text, instance)).or_insert_with(|| {
            self.groups.push(Group { process, name: name.text, instance, series: Vec::new() });
            (self.groups.len() - 1) as u32
        });
        for (key, raw) in Members::of(args) {
            let Some(value) = value(raw) else {
                odd.count(Odd::BadCounter);
                continue;
            };
            let key = b.string(&names::text(key, odd));
            let counter = *self.series_of.entry((group, key)).or_insert_with(|| {
                let counter = b.counter("", "", Unit::None);
                self.groups[group as usize].series.push((key, counter));
                counter
            });
            b.point(counter, time, value);
        }
    }

    /// Takes in a `[memory]` instant: memory in use after an allocation or a release. Old files only have the
    /// change, of which the sum is shown.
    pub fn memory(&mut self, b: &mut ProfileBuilder, time: i64, args: Raw<'_>) {
        let (mut kind, mut index) = (0, -1);
        let (mut allocated, mut reserved, mut bytes) = (None, None, None);
        for (key, raw) in Members::of(args) {
            let number = number::integer(raw);
            match (key.bytes, number) {
                (b"Device Type", Some(n)) => kind = n,
                (b"Device Id", Some(n)) => index = n,
                (b"Total Allocated", n) => allocated = n,
                (b"Total Reserved", n) => reserved = n,
                (b"Bytes", n) => bytes = n,
                _ => {}
            }
        }
        let device = self.devices.entry((kind, index)).or_default();
        let label = device_label(kind, index);
        if let Some(total) = allocated {
            let new = || b.counter(&format!("{label} memory allocated"), "", Unit::Bytes);
            let counter = *device.allocated.get_or_insert_with(new);
            b.point(counter, time, total as f64);
        } else if let Some(change) = bytes {
            device.changes.push((time, change));
        }
        // The CPU allocator reserves nothing and always says 0.
        if let Some(total) = reserved.filter(|&r| r != 0 || device.reserved.is_some()) {
            let new = || b.counter(&format!("{label} memory reserved"), "", Unit::Bytes);
            let counter = *device.reserved.get_or_insert_with(new);
            b.point(counter, time, total as f64);
        }
    }

    /// Processes with counters.
    pub fn processes(&self) -> Vec<u32> {
        self.groups.iter().map(|g| g.process).collect()
    }

    /// Gives the counters their names.
    pub fn label(&self, b: &mut ProfileBuilder, tracks: &Tracks) {
        if self.groups.is_empty() {
            return;
        }
        let processes = tracks.process_labels(&self.processes());
        for group in &self.groups {
            let mut base = b.text(group.name).to_owned();
            if let Some(instance) = tracks.ids.shown(group.instance) {
                base = format!("{base} [{instance}]");
            }
            for &(key, counter) in &group.series {
                let key = b.text(key);
                let name = if group.series.len() == 1 { base.clone() } else { format!("{base} · {key}") };
                let bytes = key.ends_with("bytes") || b.text(group.name).ends_with("bytes");
                let unit = if bytes { Unit::Bytes } else { Unit::None };
                b.set_counter(counter, &name, processes.counted(group.process), unit);
            }
        }
    }

    /// Adds the curves of files that only have changes of memory.
    pub fn finish(&mut self, b: &mut ProfileBuilder) {
        let mut devices: Vec<_> = self.devices.drain().filter(|(_, d)| !d.changes.is_empty()).collect();
        devices.sort_unstable_by_key(|(key, _)| *key);
        for ((kind, index), mut device) in devices {
            device.changes.sort_by_key(|c| c.0);
            let label = device_label(kind, index);
            let counter =
                b.counter(&format!("{label} memory since the start of the recording"), "", Unit::Bytes);
            let mut total: i64 = 0;
            for (time, change) in device.changes {
                total = total.saturating_add(change);
                b.point(counter, time, total as f64);
            }
        }
    }
}

/// What PyTorch's device type (`c10::DeviceType`) and index stand for. Each pair has a name of its own.
fn device_label(kind: i64, index: i64) -> String {
    let name = match kind {
        0 if index <= 0 => return "CPU".into(),
        0 => "CPU",
        1 => "GPU",
        6 => "HIP",
        9 => "XLA",
        10 => "Vulkan",
        11 => "Metal",
        12 => "XPU",
        13 => "MPS",
        14 => "meta",
        15 => "HPU",
        16 => "VE",
        18 => "IPU",
        19 => "MTIA",
        20 => "PrivateUse1 (NPU)",
        _ => return format!("device type {kind} {}", index.max(0)),
    };
    format!("{name} {}", index.max(0))
}
