//! GGUF model files: opening them, and making sure that they can be what they claim to be.
//!
//! candle reads the header (and checks its lengths against the file). Here the claims about tensors
//! are checked before anything is allocated by them.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};

use super::LlmError;
use super::file::{Store, bad};

/// Bytes to read from.
pub(super) trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

/// An opened and checked model file.
pub(super) struct Gguf<'a> {
    source: &'a mut dyn Source,
    content: Content,
}

impl<'a> Gguf<'a> {
    /// Reads and checks the header.
    pub(super) fn open(source: &'a mut dyn Source) -> Result<Self, LlmError> {
        let read = |e: std::io::Error| LlmError::File(format!("the model file cannot be read: {e}"));
        let size = source.seek(SeekFrom::End(0)).map_err(read)?;
        source.seek(SeekFrom::Start(0)).map_err(read)?;
        let mut magic = [0; 4];
        if size < 24 || source.read_exact(&mut magic).is_err() || &magic != b"GGUF" {
            return Err(LlmError::File("this is no GGUF model file; pass a file that ends in .gguf".into()));
        }
        source.seek(SeekFrom::Start(0)).map_err(read)?;
        let mut reader = std::io::BufReader::with_capacity(1 << 20, &mut *source);
        let content = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Content::read(&mut reader)));
        let content = match content {
            Ok(Ok(content)) => content,
            Ok(Err(e)) => return Err(bad(e.to_string().lines().next().unwrap_or_default())),
            Err(_) => return Err(bad("its header makes no sense")),
        };
        check_tensors(&content, size)?;
        Ok(Self { source, content })
    }
}

impl Store for Gguf<'_> {
    fn metadata(&self) -> &HashMap<String, Value> {
        &self.content.metadata
    }

    fn names(&self) -> Vec<String> {
        self.content.tensor_infos.keys().cloned().collect()
    }

    fn info(&self, name: &str) -> Option<(Vec<usize>, GgmlDType)> {
        self.content.tensor_infos.get(name).map(|i| (i.shape.dims().to_vec(), i.ggml_dtype))
    }

    fn read(&mut self, name: &str, device: &Device) -> Result<QTensor, LlmError> {
        let info = self.content.tensor_infos.get(name);
        let info = info.ok_or_else(|| bad(format!("the tensor {name} is missing")))?;
        Ok(info.read(&mut self.source, self.content.tensor_data_offset, device)?)
    }

    fn content(&self) -> Option<&Content> {
        Some(&self.content)
    }
}

/// Each tensor must lie inside the file.
fn check_tensors(content: &Content, size: u64) -> Result<(), LlmError> {
    for (name, info) in &content.tensor_infos {
        let block = info.ggml_dtype.block_size() as u64;
        let elements = info.shape.dims().iter().try_fold(1u64, |product, &d| product.checked_mul(d as u64));
        let bytes = elements
            .filter(|&n| n > 0 && n % block == 0)
            .and_then(|n| (n / block).checked_mul(info.ggml_dtype.type_size() as u64));
        let start = content.tensor_data_offset.checked_add(info.offset);
        let end = start.zip(bytes).and_then(|(start, bytes)| start.checked_add(bytes));
        match end {
            Some(end) if end <= size => {}
            Some(end) => {
                return Err(bad(format!("{name} ends at byte {end}, and the file at {size}")));
            }
            None => return Err(bad(format!("{name} has an impossible size ({:?})", info.shape.dims()))),
        }
    }
    Ok(())
}

/// Rows are padded to a multiple of this, because candle's fastest kernels work on such rows only.
const ROW: usize = 256;

/// A format whose products candle computes with vector instructions, and the row length to pad to.
/// `None`: the tensor is fine as it is.
///
/// Q4_1, Q5_0 and Q5_1 have no vector code in candle: as Q6_K the same weights run five times as fast.
pub(super) fn better_format(format: GgmlDType, columns: usize) -> Option<(GgmlDType, usize)> {
    let padded = columns.next_multiple_of(ROW);
    match format {
        GgmlDType::Q4_1 | GgmlDType::Q5_0 | GgmlDType::Q5_1 => Some((GgmlDType::Q6K, padded)),
        GgmlDType::Q8_0 if padded != columns => Some((GgmlDType::Q8_0, padded)),
        _ => None,
    }
}

/// Brings a matrix into a fast format. The new columns are zero and change no product.
pub(super) fn improve(tensor: Arc<QTensor>) -> candle_core::Result<Arc<QTensor>> {
    let (_, columns) = tensor.shape().dims2()?;
    let Some((format, padded)) = better_format(tensor.dtype(), columns) else { return Ok(tensor) };
    let numbers = tensor.dequantize(&Device::Cpu)?.pad_with_zeros(1, 0, padded - columns)?;
    Ok(Arc::new(QTensor::quantize(&numbers, format)?))
}

#[cfg(test)]
mod tests {
    use super::super::BUNDLED;
    use super::super::file::{Shape, open_gguf};
    use super::*;
    use std::io::Cursor;

    fn open(bytes: &[u8]) -> Result<Shape, String> {
        let mut source = Cursor::new(bytes);
        open_gguf(&mut source).and_then(|g| g.shape()).map_err(|e| e.to_string())
    }

    #[test]
    fn the_bundled_model_is_what_its_readme_says() {
        let shape = open(BUNDLED).unwrap();
        assert_eq!((shape.layers, shape.width, shape.heads, shape.kv_heads), (4, 256, 4, 2));
        assert_eq!((shape.head_width, shape.context), (64, 1024));
    }

    #[test]
    fn a_cut_file_is_an_error_that_says_so() {
        for cut in [0, 3, 8, 30, 1000, 20_000, BUNDLED.len() / 2, BUNDLED.len() - 4096] {
            let error = open(&BUNDLED[..cut]).unwrap_err();
            assert!(error.contains("cut off") || error.contains("no GGUF"), "{cut}: {error}");
            assert_eq!(error.lines().count(), 1);
        }
    }

    #[test]
    fn a_lying_header_neither_panics_nor_allocates() {
        // Every byte of the first part of the header, set to each of a few nasty values.
        for at in (0..512).step_by(3).chain((512..60_000).step_by(997)) {
            for value in [0x00, 0x7f, 0xff] {
                let mut bytes = BUNDLED[..64 * 1024].to_vec();
                bytes[at] = value;
                let _ = open(&bytes);
            }
        }
    }

    #[test]
    fn formats_without_vector_code_are_replaced() {
        assert_eq!(better_format(GgmlDType::Q4_1, 576), Some((GgmlDType::Q6K, 768)));
        assert_eq!(better_format(GgmlDType::Q5_0, 512), Some((GgmlDType::Q6K, 512)));
        assert_eq!(better_format(GgmlDType::Q8_0, 576), Some((GgmlDType::Q8_0, 768)));
        assert_eq!(better_format(GgmlDType::Q8_0, 256), None);
        assert_eq!(better_format(GgmlDType::Q4K, 512), None);
    }
}
