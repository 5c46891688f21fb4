//! The look and the building blocks of the window, and a renderer that needs no GPU. Knows the model, but
//! neither files nor windows.

pub mod glide;
pub mod hatch;
pub mod icons;
pub mod keyboard;
pub mod plain;
pub mod software;
pub mod svg;
pub mod text;
pub mod theme;
pub mod timeaxis;
pub mod widgets;

#[cfg(test)]
mod gallery;
