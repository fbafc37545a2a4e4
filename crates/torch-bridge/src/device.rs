//! Choosing a device, with one binary for machines with and without a GPU.

use std::ffi::CStr;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use tch::{Cuda, Device};

use crate::{Error, ffi};

/// What the user asked for on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// CUDA when it works, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The first CUDA device or an error.
    Cuda,
    /// The CUDA device of that number or an error.
    CudaDevice(usize),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            other => other
                .strip_prefix("cuda:")
                .and_then(|n| n.parse().ok().filter(|k: &usize| k.to_string() == n).map(Self::CudaDevice))
                .ok_or_else(|| Error::DeviceName { name: other.to_owned() }),
        }
    }
}

impl fmt::Display for DeviceChoice {
    /// As [`FromStr`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda => f.write_str("cuda"),
            Self::CudaDevice(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl DeviceChoice {
    /// The device to use; loads libtorch's CUDA half first when it may be needed.
    ///
    /// # Errors
    /// [`Error::Cuda`] when CUDA was asked for by name and does not work, or has no device of that number.
    ///
    /// # Examples
    /// ```
    /// use variata_torch_bridge::{DeviceChoice, tch::Device};
    /// assert_eq!(DeviceChoice::Cpu.resolve()?, Device::Cpu);
    /// # Ok::<(), variata_torch_bridge::Error>(())
    /// ```
    pub fn resolve(self) -> Result<Device, Error> {
        match (self, if self == Self::Cpu { None } else { cuda_problem() }) {
            (Self::Cpu, _) | (Self::Auto, Some(_)) => Ok(Device::Cpu),
            (Self::Cuda | Self::CudaDevice(_), Some(reason)) => Err(Error::Cuda { reason }),
            (Self::Auto | Self::Cuda, None) => Ok(Device::Cuda(0)),
            (Self::CudaDevice(number), None) => match Cuda::device_count() {
                count if number < count.max(0) as usize => Ok(Device::Cuda(number)),
                count => Err(Error::Cuda { reason: format!("there is no device {number}, only {count}") }),
            },
        }
    }
}

/// libtorch's version, as in "2.11.0".
pub fn libtorch_version() -> &'static str {
    // SAFETY: a string literal of the shim.
    unsafe { CStr::from_ptr(ffi::vb_version_text()) }.to_str().unwrap_or("unknown")
}

/// Why CUDA cannot be used, or `None` when it can.
pub fn cuda_problem() -> Option<String> {
    match load_cuda() {
        Err(Error::Cuda { reason }) => Some(reason),
        Err(other) => Some(other.to_string()),
        Ok(()) if Cuda::is_available() && Cuda::device_count() > 0 => None,
        Ok(()) => Some("libtorch finds no CUDA device".to_owned()),
    }
}

/// Loads libtorch_cuda into the process, once. Call it before anything asks libtorch about CUDA: libtorch caches the
/// answer of the first question, and "no" then stays "no", and starts the threads of backward passes at the first one. Convolutions of f32 are
/// done in f32 from then on, see [`allow_tf32`].
///
/// # Errors
/// [`Error::Cuda`] with the loader's message.
pub fn load_cuda() -> Result<(), Error> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    LOADED
        .get_or_init(|| {
            open()?;
            allow_tf32(false).map_err(|error| error.to_string())
        })
        .clone()
        .map_err(|reason| Error::Cuda { reason })
}

/// Whether convolutions and matrix products of f32 on a GPU may round their operands to TF32, 10 bits, which is several times as fast.
/// In the whole process, from the next operation on; nothing changes on the CPU. libtorch's default allows it for convolutions;
/// [`load_cuda`] turns it off the first time, so call this after it, or after [`DeviceChoice::resolve`].
///
/// # Errors
/// libtorch refuses the setting.
pub fn allow_tf32(allowed: bool) -> Result<(), Error> {
    // SAFETY: a flag of libtorch's global context.
    let failed = unsafe { ffi::vb_allow_tf32(allowed.into()) };
    if failed == 0 { Ok(()) } else { Err(ffi::last_error()) }
}

#[cfg(target_os = "linux")]
fn open() -> Result<(), String> {
    // SAFETY: loading runs libtorch's own initialisers; the handle is kept for the life of the process.
    let handle = unsafe { libc::dlopen(c"libtorch_cuda.so".as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if !handle.is_null() {
        return Ok(());
    }
    // SAFETY: dlerror returns null or a NUL-terminated string that lives until the next call on this thread.
    let message = unsafe { libc::dlerror() };
    if message.is_null() {
        return Err("libtorch_cuda.so cannot be loaded".to_owned());
    }
    // SAFETY: as above.
    Err(unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned())
}

#[cfg(not(target_os = "linux"))]
fn open() -> Result<(), String> {
    Err("this platform's libtorch has no CUDA half".to_owned())
}
