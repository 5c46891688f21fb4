//! Operations: places in the code that are described once and entered often, such as the products of a model's layers.
//!
//! A `tracing` span of its own for each call costs a few hundred nanoseconds, entering one that exists some fifty, most of
//! it in the registry that counts who holds it. An operation needs none of that: its description never ends, so
//! entering it is one event in the buffer of the thread ([`super::sink`]), with the description's number.
//!
//! Each enter is a call of whatever its thread is in at that time. An operation is no parent for spans made inside
//! of it, because `tracing` does not know it; they stand in it by their times.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use super::sink::{Field, Fields, Kind};
use super::{roots, sink};

/// Where an operation stands in the program, and what it is called.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) name: &'static str,
    /// Shown as its module.
    pub(super) target: &'static str,
    pub(super) file: &'static str,
    pub(super) line: u32,
}

/// An operation: a place, and the layer of a model that it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    number: u32,
}

/// What is known of an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Description {
    pub(super) place: &'static Place,
    pub(super) layer: Option<u32>,
}

impl Description {
    /// Its details.
    pub(super) fn fields(&self) -> Fields {
        self.layer.map(|n| ("layer", Field::Int(n.into()))).into_iter().collect()
    }
}

/// All operations of the process, by their numbers. A model that is loaded again has the same ones.
struct Known {
    all: Vec<Description>,
    numbers: BTreeMap<(usize, Option<u32>), u32>,
}

static KNOWN: Mutex<Known> = Mutex::new(Known { all: Vec::new(), numbers: BTreeMap::new() });

/// What the number of an operation stands for.
pub(super) fn describe(number: u32) -> Option<Description> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).all.get(number as usize).copied()
}

impl Site {
    /// The operation at `place`, of a layer or of none.
    pub(super) fn new(place: &'static Place, layer: Option<u32>) -> Self {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let next = known.all.len() as u32;
        let number = *known.numbers.entry((std::ptr::from_ref(place).addr(), layer)).or_insert(next);
        if number == next {
            known.all.push(Description { place, layer });
        }
        Self { number }
    }

    /// Runs from here until the guard is dropped, on this thread.
    #[inline]
    pub(super) fn enter(self) -> Running {
        let recorded = sink::is_on() && !roots::left_out();
        if recorded {
            sink::push(self.number.into(), Kind::Call);
        }
        Running { site: recorded.then_some(self), _thread: PhantomData }
    }
}

/// An operation that runs, until this is dropped.
pub(super) struct Running {
    site: Option<Site>,
    _thread: PhantomData<*const ()>,
}

impl Drop for Running {
    #[inline]
    fn drop(&mut self) {
        if let Some(site) = self.site
            && sink::is_on()
        {
            let kind = if std::thread::panicking() { Kind::ReturnPanic } else { Kind::Return };
            sink::push(site.number.into(), kind);
        }
    }
}

/// The operation of this name that stands here, as a [`Site`].
macro_rules! site {
    ($target:literal, $name:literal, $layer:expr) => {{
        static PLACE: $crate::record::site::Place =
            $crate::record::site::Place { name: $name, target: $target, file: file!(), line: line!() };
        $crate::record::site::Site::new(&PLACE, $layer)
    }};
}
pub(super) use site;
