//! What all readers of model calls share: raw counts become disjoint classes in one place ([`Usage::settle`]), and a call
//! becomes a request in one place ([`Call::request`]).

pub(in crate::import) mod attempts;
mod call;
mod cost;
mod said;
mod usage;
pub(in crate::import) mod words;

pub(in crate::import) use call::{Call, Clock};
pub(in crate::import) use cost::Stated;
pub(in crate::import) use said::Said;
pub(crate) use usage::{Habit, Usage};
