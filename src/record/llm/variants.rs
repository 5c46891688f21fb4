//! One model in several weight formats: what each costs, and what it does to the answers.
//!
//! A variant is a GGUF file of its own, written to the system's temporary folder and loaded from there as
//! any other, so that its size and its time to load are those of a real file. Matrices whose rows do not
//! fill the blocks of a format take the nearest one that fits, and a quantised variant keeps the token
//! embedding (and the last product) at eight bits, as quantised models usually do. Norms stay f32.

use std::fs::File;
use std::io::{BufWriter, Cursor, Write};
use std::path::{Path, PathBuf};

use candle_core::Device;
use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};

use super::file::{self, ModelFile};
use super::{BUNDLED, LlmError};

/// A format that weights can be turned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightFormat(GgmlDType);

const FORMATS: [(&str, GgmlDType); 13] = [
    ("f32", GgmlDType::F32),
    ("f16", GgmlDType::F16),
    ("bf16", GgmlDType::BF16),
    ("q8_0", GgmlDType::Q8_0),
    ("q6_k", GgmlDType::Q6K),
    ("q5_k", GgmlDType::Q5K),
    ("q5_1", GgmlDType::Q5_1),
    ("q5_0", GgmlDType::Q5_0),
    ("q4_k", GgmlDType::Q4K),
    ("q4_1", GgmlDType::Q4_1),
    ("q4_0", GgmlDType::Q4_0),
    ("q3_k", GgmlDType::Q3K),
    ("q2_k", GgmlDType::Q2K),
];

impl WeightFormat {
    /// The names of all.
    pub const NAMES: [&'static str; FORMATS.len()] = {
        let mut names = [""; FORMATS.len()];
        let mut i = 0;
        while i < names.len() {
            names[i] = FORMATS[i].0;
            i += 1;
        }
        names
    };

    /// Reads a list such as `f32,f16,q8_0`.
    ///
    /// # Errors
    /// One line that names what is no format and those that are.
    pub fn list(text: &str) -> Result<Vec<Self>, String> {
        let known = || FORMATS.map(|f| f.0).join(", ");
        let mut list: Vec<Self> = Vec::new();
        for name in text.split(',').map(|n| n.trim().to_ascii_lowercase()).filter(|n| !n.is_empty()) {
            let name = if name == "q4" { "q4_0" } else { &name };
            let Some(&(_, format)) = FORMATS.iter().find(|f| f.0 == name) else {
                return Err(format!("«{name}» is no weight format; known: {}", known()));
            };
            if !list.contains(&Self(format)) {
                list.push(Self(format));
            }
        }
        Ok(list)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        FORMATS.iter().find(|f| f.1 == self.0).map_or("", |f| f.0)
    }

    /// The format of a matrix with rows of this length.
    fn of_matrix(self, name: &str, columns: usize) -> GgmlDType {
        let keeps_eight_bits = matches!(name, "token_embd.weight" | "output.weight");
        let eight_bits = GgmlDType::Q8_0;
        let is_float = matches!(self.0, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16);
        let wanted = if keeps_eight_bits && !is_float { eight_bits } else { self.0 };
        let fits = |format: &GgmlDType| columns.is_multiple_of(format.block_size());
        [wanted, eight_bits].into_iter().find(fits).unwrap_or(GgmlDType::F16)
    }
}

/// A model file that is removed when this is dropped.
#[derive(Debug)]
pub struct VariantFile {
    path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

impl VariantFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Turns the model at `path` (as [`super::Model::load`] takes it), or the bundled one, into a file with weights of `format`. `go_on` is
    /// asked before each tensor.
    ///
    /// # Errors
    /// [`LlmError::File`] in one line, also when the disk is full.
    pub fn make(
        path: Option<&Path>,
        format: WeightFormat,
        go_on: &dyn Fn() -> Result<(), LlmError>,
    ) -> Result<Self, LlmError> {
        let Some(path) = path else {
            return Self::convert(file::open_gguf(&mut Cursor::new(BUNDLED))?, format, go_on);
        };
        if let Some(folder) = file::folder_of(path) {
            return Self::convert(file::open_folder(&folder)?, format, go_on).map_err(file::at(&folder));
        }
        let shown = path.display();
        let mut source =
            File::open(path).map_err(|e| LlmError::File(format!("{shown} cannot be opened: {e}")))?;
        let open = file::open_gguf(&mut source);
        open.and_then(|file| Self::convert(file, format, go_on)).map_err(file::at(path))
    }

    fn convert(
        mut file: ModelFile<'_>,
        format: WeightFormat,
        go_on: &dyn Fn() -> Result<(), LlmError>,
    ) -> Result<Self, LlmError> {
        file.shape()?;
        let mut names = file.0.names();
        names.sort_unstable();
        let mut tensors = Vec::with_capacity(names.len());
        for name in names {
            go_on()?;
            let tensor = convert_tensor(&mut file, &name, format)?;
            tensors.push((name, tensor));
        }
        go_on()?;
        let folder = std::env::temp_dir();
        let name = format!("inferscope-{}-{}.gguf", std::process::id(), format.name());
        let path = folder.join(name);
        // From here on dropping it removes what is there.
        let mut made = Self { path, bytes: 0 };
        let full = |e: std::io::Error| {
            LlmError::File(format!("the variant cannot be written to {}: {e}", folder.display()))
        };
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&made.path).map_err(full)?);
        let mut metadata: Vec<(&str, &Value)> =
            file.metadata().iter().map(|(k, v)| (k.as_str(), v)).collect();
        metadata.sort_unstable_by_key(|(key, _)| *key);
        let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, t)| (name.as_str(), t)).collect();
        let written = gguf_file::write(&mut out, &metadata, &tensors);
        written.map_err(|e| {
            full(std::io::Error::other(e.to_string().lines().next().unwrap_or_default().to_owned()))
        })?;
        out.flush().map_err(full)?;
        made.bytes = out.get_ref().metadata().map_err(full)?.len();
        Ok(made)
    }
}

impl Drop for VariantFile {
    fn drop(&mut self) {
        // It lies in the temporary folder, which the system empties too.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn convert_tensor(file: &mut ModelFile<'_>, name: &str, format: WeightFormat) -> Result<QTensor, LlmError> {
    let dims = file.0.info(name).map(|(dims, _)| dims).unwrap_or_default();
    let tensor = file.tensor(name, &dims, &Device::Cpu)?;
    let wanted = match dims[..] {
        [_, columns] => format.of_matrix(name, columns),
        _ => GgmlDType::F32,
    };
    if tensor.dtype() == wanted {
        return Ok(tensor);
    }
    Ok(QTensor::quantize(&tensor.dequantize(&Device::Cpu)?, wanted)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_formats() {
        let names =
            |text: &str| WeightFormat::list(text).map(|l| l.iter().map(|f| f.name()).collect::<Vec<_>>());
        assert_eq!(names("f32, F16,q4,q4_0").unwrap(), ["f32", "f16", "q4_0"]);
        assert_eq!(names("").unwrap(), [""; 0]);
        assert!(names("f32,int8").unwrap_err().starts_with("«int8» is no weight format; known: f32, f16"));
    }

    #[test]
    fn rows_that_do_not_fill_a_block_take_what_fits() {
        let of = |format: &str, name: &str, columns| {
            WeightFormat::list(format).unwrap()[0].of_matrix(name, columns)
        };
        assert_eq!(of("q4_k", "blk.0.ffn_up.weight", 576), GgmlDType::Q8_0);
        assert_eq!(of("q4_k", "blk.0.ffn_up.weight", 512), GgmlDType::Q4K);
        assert_eq!(of("q4_0", "blk.0.ffn_up.weight", 40), GgmlDType::F16);
        assert_eq!(of("q4_0", "token_embd.weight", 64), GgmlDType::Q8_0);
        assert_eq!(of("bf16", "token_embd.weight", 64), GgmlDType::BF16);
    }

    #[test]
    fn a_variant_is_a_model_file_that_goes_away() {
        let size = |format: &str| {
            let made = VariantFile::make(None, WeightFormat::list(format).unwrap()[0], &|| Ok(())).unwrap();
            let model = super::super::Model::load(
                Some(made.path()),
                super::super::LoadOptions::default(),
                &|| Ok(()),
            )
            .unwrap();
            assert!(model.weight_bytes() > 1_000_000, "{format}");
            let (path, bytes) = (made.path().to_owned(), made.bytes);
            drop(made);
            assert!(!path.exists());
            bytes as f64
        };
        let [f32, f16, q8] = ["f32", "f16", "q8_0"].map(size);
        assert!((1.9..2.0).contains(&(f32 / f16)) && (1.7..1.9).contains(&(f16 / q8)), "{f32} {f16} {q8}");
    }

    #[test]
    fn cut_and_lying_files_are_errors_and_leave_nothing() {
        let format = WeightFormat::list("f16").unwrap()[0];
        let convert = |bytes: &[u8]| {
            let mut source = Cursor::new(bytes);
            file::open_gguf(&mut source).and_then(|f| VariantFile::convert(f, format, &|| Ok(())))
        };
        for cut in [0, 100, 30_000, BUNDLED.len() / 2, BUNDLED.len() - 5000] {
            let made = convert(&BUNDLED[..cut]);
            let error = made.unwrap_err().to_string();
            assert!(error.contains("cut off") || error.contains("no GGUF"), "{error}");
        }
        for at in (24..60_000).step_by(499) {
            let mut bytes = BUNDLED[..64 * 1024].to_vec();
            bytes[at] = 0xff;
            assert!(convert(&bytes).is_err());
        }
        let stopped = VariantFile::make(None, format, &|| Err(LlmError::Stopped));
        assert!(matches!(stopped, Err(LlmError::Stopped)));
    }
}
