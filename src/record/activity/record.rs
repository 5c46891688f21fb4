//! Activity records of CUPTI, read field by field at their places.
//!
//! The places are those of `cupti_activity.h` from CUDA 11.8 to 13.4: newer versions of a record only grew at its end
//! (kernel 8 to 13, copy 5 to 7, fill 4 and 5). Other versions of the library are refused ([`is_known`]). Nothing is
//! read beyond the end of what the library said is valid.

/// Kinds of records.
const COPY: u32 = 1;
const FILL: u32 = 2;
const KERNEL: u32 = 3;
const CONCURRENT_KERNEL: u32 = 10;
const EXTERNAL_CORRELATION: u32 = 39;

/// True for versions of the library whose records have their fields where they are read here: CUDA 11.8 to 12.9 (18 to
/// 28), and 13 (130000 and more).
pub(in crate::record) fn is_known(api_version: u32) -> bool {
    matches!(api_version, 18..=28 | 130_000..=139_999)
}

/// A piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Activity {
    pub(super) device: u32,
    pub(super) stream: u32,
    /// ns of the device's clock; 0 when unknown.
    pub(super) start: u64,
    pub(super) end: u64,
    /// Number of the call that launched it.
    pub(super) call: u32,
    pub(super) work: Work,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Kernel { name: u64, grid: [u32; 3], block: [u32; 3], registers: u16, shared_bytes: u32 },
    Copy { kind: u8, from: u8, to: u8, bytes: u64 },
    Fill { memory: u16, bytes: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Work(Activity),
    /// A call of the driver within an operation.
    Call {
        call: u32,
        operation: u64,
    },
    /// Calls themselves, and whatever else the library writes.
    Other,
}

/// The records of one buffer.
#[derive(Default)]
pub(in crate::record) struct Batch {
    /// With the names of kernels.
    pub(super) records: Vec<(Record, Option<String>)>,
    pub(in crate::record) unreadable: u64,
}

impl Batch {
    /// Reads the record at the start of `bytes`, which may reach beyond it. `name` gives the text at an address of
    /// this process.
    pub(in crate::record) fn read(&mut self, bytes: &[u8], name: impl Fn(u64) -> Option<String>) {
        match read(bytes) {
            None => self.unreadable += 1,
            Some(Record::Other) => {}
            Some(record) => {
                let kernel = match record {
                    Record::Work(Activity { work: Work::Kernel { name: at, .. }, .. }) if at != 0 => name(at),
                    _ => None,
                };
                self.records.push((record, kernel));
            }
        }
    }
}

/// The record at the start of `bytes`; `None` when it is cut short.
pub(super) fn read(bytes: &[u8]) -> Option<Record> {
    let at = Fields(bytes);
    let kind = at.u32(0)?;
    let activity = |start, device, stream, call, work| {
        Some(Record::Work(Activity {
            device: at.u32(device)?,
            stream: at.u32(stream)?,
            start: at.u64(start)?,
            end: at.u64(start + 8)?,
            call: at.u32(call)?,
            work,
        }))
    };
    match kind {
        KERNEL | CONCURRENT_KERNEL => {
            let three = |from| Some([at.u32(from)?, at.u32(from + 4)?, at.u32(from + 8)?]);
            let work = Work::Kernel {
                name: at.u64(104)?,
                grid: three(52)?,
                block: three(64)?,
                registers: at.u16(6)?,
                shared_bytes: at.u32(76)?.saturating_add(at.u32(80)?),
            };
            activity(16, 40, 48, 92, work)
        }
        COPY => {
            let work = Work::Copy { kind: at.u8(4)?, from: at.u8(5)?, to: at.u8(6)?, bytes: at.u64(8)? };
            activity(16, 32, 40, 44, work)
        }
        FILL => activity(16, 32, 40, 44, Work::Fill { memory: at.u16(50)?, bytes: at.u64(8)? }),
        EXTERNAL_CORRELATION => Some(Record::Call { operation: at.u64(8)?, call: at.u32(16)? }),
        _ => Some(Record::Other),
    }
}

/// Numbers at places of a record.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at.checked_add(N)?)?.try_into().ok()
    }
    fn u8(&self, at: usize) -> Option<u8> {
        self.bytes(at).map(u8::from_ne_bytes)
    }
    fn u16(&self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_ne_bytes)
    }
    fn u32(&self, at: usize) -> Option<u32> {
        self.bytes(at).map(u32::from_ne_bytes)
    }
    fn u64(&self, at: usize) -> Option<u64> {
        self.bytes(at).map(u64::from_ne_bytes)
    }
}
