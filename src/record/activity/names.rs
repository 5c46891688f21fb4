//! Names of work on the GPU as people read them.

use std::sync::Arc;

/// Longest name that is shown.
const LONGEST: usize = 200;

/// A kernel's name without parameters and with at most the first of its template's arguments. A C++ symbol tells
/// namespaces, name and arguments one after another, each with its length; what is not understood stays as it is.
pub(super) fn kernel(symbol: &str) -> String {
    if symbol.is_empty() {
        return "(unnamed kernel)".to_owned();
    }
    let name = symbol.strip_prefix("_Z").and_then(unmangled).unwrap_or_else(|| symbol.to_owned());
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}

fn unmangled(text: &str) -> Option<String> {
    let nested = text.strip_prefix('N');
    let mut rest = nested.unwrap_or(text);
    // Qualifiers of a member function.
    rest = rest.trim_start_matches(['r', 'V', 'K']);
    let mut parts = Vec::new();
    while let Some((part, after)) = counted(rest) {
        parts.push(if part.starts_with("_GLOBAL__N_") { "(anonymous)" } else { part });
        rest = after;
        if nested.is_none() || parts.len() == 16 {
            break;
        }
    }
    let name = (!parts.is_empty()).then(|| parts.join("::"))?;
    // A first argument that has a name says more than the template's own: cutlass::Kernel2<cutlass_80_tensorop_…>.
    match rest.strip_prefix('I').and_then(counted) {
        Some((argument, _)) => Some(format!("{name}<{argument}>")),
        None => Some(name),
    }
}

/// A part that follows its length, and the rest.
fn counted(text: &str) -> Option<(&str, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let length: usize = text[..digits].parse().ok().filter(|&n| n > 0)?;
    Some((text.get(digits..digits.checked_add(length)?)?, text.get(digits + length..)?))
}

/// As PyTorch's traces call it: «Memcpy HtoD (Pageable -> Device)».
pub(super) fn copy(kind: u8, from: u8, to: u8) -> Arc<str> {
    let kind = match kind {
        1 => "HtoD",
        2 => "DtoH",
        3 => "HtoA",
        4 => "AtoH",
        5 => "AtoA",
        6 => "AtoD",
        7 => "DtoA",
        8 => "DtoD",
        9 => "HtoH",
        10 => "PtoP",
        _ => "(unknown direction)",
    };
    format!("Memcpy {kind} ({} -> {})", memory(u16::from(from)), memory(u16::from(to))).into()
}

/// «Memset (Device)».
pub(super) fn fill(kind: u16) -> Arc<str> {
    format!("Memset ({})", memory(kind)).into()
}

fn memory(kind: u16) -> &'static str {
    match kind {
        1 => "Pageable",
        2 => "Pinned",
        3 => "Device",
        4 => "Array",
        5 => "Managed",
        6 => "Device Static",
        7 => "Managed Static",
        _ => "Unknown",
    }
}
