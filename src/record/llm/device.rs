//! Where a model is computed.

use candle_core::Device;

use super::LlmError;

/// A device that somebody asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first NVIDIA GPU, if this build and this machine have one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The NVIDIA GPU of this number.
    Cuda(usize),
}

const NO_CUDA: &str =
    "cannot be cuda: this build has no CUDA. With the CUDA toolkit: cargo build --release --features cuda";

impl DeviceChoice {
    /// Reads `auto`, `cpu`, `cuda` or `cuda:N`.
    ///
    /// # Errors
    /// One line: what would be right, or that this build cannot do it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wants = || "is auto, cpu, cuda or cuda:N".to_owned();
        let choice = match text.split_once(':') {
            None if text == "auto" => Self::Auto,
            None if text == "cpu" => Self::Cpu,
            None if text == "cuda" => Self::Cuda(0),
            Some(("cuda", n)) => Self::Cuda(n.parse().ok().filter(|&n| n < 1024).ok_or_else(wants)?),
            _ => return Err(wants()),
        };
        match choice {
            Self::Cuda(_) if !cfg!(feature = "cuda") => Err(NO_CUDA.to_owned()),
            choice => Ok(choice),
        }
    }

    /// Opens the device.
    ///
    /// # Errors
    /// [`LlmError::File`] with the driver's reason in one line.
    pub(super) fn open(self) -> Result<Device, LlmError> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(n) => cuda(n),
            Self::Auto => Ok(cuda(0).unwrap_or(Device::Cpu)),
        }
    }
}

#[cfg(feature = "cuda")]
fn cuda(n: usize) -> Result<Device, LlmError> {
    // The driver's library may be missing, which panics below candle.
    let opened = std::panic::catch_unwind(|| Device::new_cuda(n));
    let why = match opened {
        Ok(Ok(device)) => return Ok(device),
        Ok(Err(e)) => e.to_string().lines().next().unwrap_or_default().to_owned(),
        Err(_) => "there is no driver".to_owned(),
    };
    Err(LlmError::File(format!("GPU {n} cannot be used ({why}); try device=cpu")))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: usize) -> Result<Device, LlmError> {
    Err(LlmError::File(format!("the device {NO_CUDA}")))
}

/// What tells of a device's own work, while this lives: nothing on the CPU.
#[derive(Default)]
pub(super) struct Tracing {
    /// Held for the sake of its end.
    #[cfg(feature = "cuda")]
    _cupti: Option<std::sync::Arc<super::cupti::Tracing>>,
    /// What the run says of it.
    pub(super) fact: Option<String>,
}

impl Tracing {
    /// Begins, if something is recorded.
    #[cfg(feature = "cuda")]
    pub(super) fn start(device: &Device) -> Self {
        if device.is_cpu() || !crate::record::is_recording() {
            return Self::default();
        }
        match super::cupti::Tracing::start() {
            Ok(cupti) => Self { _cupti: Some(cupti), fact: Some(super::cupti::Tracing::fact()) },
            Err(why) => Self {
                _cupti: None,
                fact: Some(format!("operations, by events of the stream; no kernels: {why}")),
            },
        }
    }

    /// A CPU's work is what the spans say.
    #[cfg(not(feature = "cuda"))]
    pub(super) fn start(_: &Device) -> Self {
        Self::default()
    }
}

/// What a device is called.
pub(super) fn name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "CPU".to_owned(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("NVIDIA GPU {gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("Metal GPU {gpu_id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_and_errors_say_what_would_be_right() {
        assert_eq!(DeviceChoice::parse("auto"), Ok(DeviceChoice::Auto));
        assert_eq!(DeviceChoice::parse("cpu"), Ok(DeviceChoice::Cpu));
        for wrong in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "cuda:99999"] {
            assert_eq!(DeviceChoice::parse(wrong), Err("is auto, cpu, cuda or cuda:N".to_owned()), "{wrong}");
        }
        for text in ["cuda", "cuda:1"] {
            let parsed = DeviceChoice::parse(text);
            assert!(
                cfg!(feature = "cuda")
                    || parsed.unwrap_err().contains("cargo build --release --features cuda")
            );
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn without_cuda_auto_is_the_cpu_and_cuda_an_error() {
        assert!(DeviceChoice::Auto.open().unwrap().is_cpu());
        assert!(DeviceChoice::Cuda(0).open().unwrap_err().to_string().contains("--features cuda"));
    }
}
