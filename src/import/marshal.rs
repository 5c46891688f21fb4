//! Pythons marshal format.
