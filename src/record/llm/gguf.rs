//! GGUF model files: opening them, and making sure that they can be what they claim to be.
//!
//! candle reads the header (and checks its lengths against the file). Here the claims about tensors
//! and the model's shape are checked before anything is allocated or computed by them.

use std::io::{Read, Seek, SeekFrom};

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use super::LlmError;

/// Bytes to read from.
pub(super) trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

/// An opened and checked model file.
pub(super) struct Gguf<'a> {
    source: &'a mut dyn Source,
    pub(super) content: Content,
}

/// The shape of a Llama model, checked for sense.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) layers: usize,
    pub(super) width: usize,
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    pub(super) head_width: usize,
    pub(super) context: usize,
    pub(super) norm_epsilon: f32,
    pub(super) rope_base: f32,
}

fn bad(why: impl std::fmt::Display) -> LlmError {
    LlmError::File(format!("the model file is damaged or cut off: {why}; download it again"))
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

    fn number(&self, key: &str) -> Option<usize> {
        match self.content.metadata.get(key)? {
            Value::I32(v) => usize::try_from(*v).ok(),
            Value::I64(v) => usize::try_from(*v).ok(),
            value => value.to_u64().ok().and_then(|v| usize::try_from(v).ok()),
        }
    }

    fn real(&self, key: &str, default: f32) -> f32 {
        self.content.metadata.get(key).and_then(|v| v.to_f32().ok()).unwrap_or(default)
    }

    /// A text of the metadata; empty when it is missing.
    pub(super) fn text(&self, key: &str) -> &str {
        self.content.metadata.get(key).and_then(|v| v.to_string().ok()).map_or("", String::as_str)
    }

    /// The end-of-text token that the file names.
    pub(super) fn end_token(&self) -> Option<u32> {
        self.number("tokenizer.ggml.eos_token_id").and_then(|v| u32::try_from(v).ok())
    }

    pub(super) fn shape(&self) -> Result<Shape, LlmError> {
        let architecture = self.text("general.architecture");
        if architecture != "llama" {
            return Err(LlmError::File(format!(
                "models of the kind «{architecture}» cannot be run; pass one of the Llama family (such as SmolLM2)"
            )));
        }
        let need = |key: &str| self.number(key).ok_or_else(|| bad(format!("{key} is missing")));
        let (layers, width) = (need("llama.block_count")?, need("llama.embedding_length")?);
        let heads = need("llama.attention.head_count")?;
        let kv_heads = self.number("llama.attention.head_count_kv").unwrap_or(heads);
        let head_width =
            self.number("llama.rope.dimension_count").or(width.checked_div(heads)).unwrap_or_default();
        let shape = Shape {
            layers,
            width,
            heads,
            kv_heads,
            head_width,
            context: self.number("llama.context_length").unwrap_or(2048),
            norm_epsilon: self.real("llama.attention.layer_norm_rms_epsilon", 1e-5),
            rope_base: self.real("llama.rope.freq_base", 10_000.0),
        };
        let sane = (1..=1024).contains(&layers)
            && (1..=1 << 20).contains(&width)
            && (1..=4096).contains(&heads)
            && (1..=heads).contains(&kv_heads)
            && heads % kv_heads == 0
            && (2..=4096).contains(&head_width)
            && head_width.is_multiple_of(2)
            && shape.context > 0
            && shape.rope_base > 0.0;
        if sane { Ok(shape) } else { Err(bad(format!("its shape makes no sense ({shape:?})"))) }
    }

    /// Reads a tensor, which must have these dimensions.
    pub(super) fn tensor(&mut self, name: &str, dims: &[usize]) -> Result<QTensor, LlmError> {
        let Some(info) = self.content.tensor_infos.get(name) else {
            return Err(bad(format!("the tensor {name} is missing")));
        };
        if info.shape.dims() != dims {
            return Err(bad(format!("{name} has the shape {:?} and not {dims:?}", info.shape.dims())));
        }
        Ok(info.read(&mut self.source, self.content.tensor_data_offset, &Device::Cpu)?)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// A vector, as numbers.
    pub(super) fn vector(&mut self, name: &str, len: usize) -> Result<Tensor, LlmError> {
        Ok(self.tensor(name, &[len])?.dequantize(&Device::Cpu)?)
    }

    /// Rows and columns of a matrix.
    pub(super) fn matrix_dims(&self, name: &str) -> Result<(usize, usize), LlmError> {
        match self.content.tensor_infos.get(name).map(|i| i.shape.dims()) {
            Some(&[rows, columns]) => Ok((rows, columns)),
            _ => Err(bad(format!("the matrix {name} is missing"))),
        }
    }

    /// The format of most weights, as the file has them.
    pub(super) fn weight_format(&self) -> Option<GgmlDType> {
        let name = ["blk.0.ffn_up.weight", "blk.0.attn_q.weight"].into_iter().find(|n| self.has(n))?;
        self.content.tensor_infos.get(name).map(|i| i.ggml_dtype)
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
pub(super) fn improve(tensor: QTensor) -> Result<QTensor, LlmError> {
    let (_, columns) = tensor.shape().dims2()?;
    let Some((format, padded)) = better_format(tensor.dtype(), columns) else { return Ok(tensor) };
    let numbers = tensor.dequantize(&Device::Cpu)?.pad_with_zeros(1, 0, padded - columns)?;
    Ok(QTensor::quantize(&numbers, format)?)
}

#[cfg(test)]
mod tests {
    use super::super::BUNDLED;
    use super::*;
    use std::io::Cursor;

    fn open(bytes: &[u8]) -> Result<Shape, String> {
        let mut source = Cursor::new(bytes);
        Gguf::open(&mut source).and_then(|g| g.shape()).map_err(|e| e.to_string())
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
