//! Plane waves on tensors.

use half::{bf16, f16};
use ndarray::{ArrayViewD, Ix4};
use tch::{Device, Kind, Tensor};
use variata_distributions::torch::support::{lend, size};
use variata_distributions::{ArgumentError, check};
use variata_torch_bridge::{Route, check_floating, no_grad, route, tensor_from_array};

use super::upload;
use crate::error::Error;
use crate::wave::{CHANNELS, FINITE_WAVE, Grid, PlaneWave, WaveVector};

/// Numbers of a wave: k_y, k_x, cos φ, sin φ, amplitude.
pub(super) const NUMBERS: usize = 5;

/// cos and sin of every row and column of a grid, [H, 2] and [W, 2], on a device.
pub(super) struct Circles {
    rows: Tensor,
    columns: Tensor,
}

impl Circles {
    pub(super) fn new(grid: &Grid, device: Device) -> Result<Self, Error> {
        let table = |circle: &[(f64, f64)]| {
            let numbers: Vec<f64> = circle.iter().flat_map(|&(cos, sin)| [cos, sin]).collect();
            upload(&numbers, &[circle.len(), 2], device)
        };
        Ok(Self { rows: table(&grid.rows)?, columns: table(&grid.columns)? })
    }

    /// The waves of numbers [n, ≥ 5] in f64: [n, H, W], in f32 with the native kernel's roundings, or in f64.
    ///
    /// cos(a + b) by angle addition: products of a table of rows and one of columns, without a cosine for any pixel.
    pub(super) fn waves(&self, numbers: &Tensor, kind: Kind) -> Tensor {
        let column = |i: i64| numbers.narrow(1, i, 1);
        let [cos_phase, sin_phase, amplitude] = [column(2), column(3), column(4)];
        let [c, s] = turns(&self.rows, &column(0));
        let [cos, sin] = turns(&self.columns, &column(1)).map(|t| t.to_kind(kind).unsqueeze(1));
        // cos(a − φ) and sin(a − φ).
        let row_cos = (&amplitude * (&c * &cos_phase + &s * &sin_phase)).to_kind(kind).unsqueeze(-1);
        let row_sin = (&amplitude * (&s * &cos_phase - &c * &sin_phase)).to_kind(kind).unsqueeze(-1);
        let mut waves = row_cos * cos;
        waves -= row_sin * sin;
        waves
    }
}

/// cos and sin of 2π·k·i/n for every i below n, [waves, n] each, of k [waves, 1].
fn turns(circle: &Tensor, k: &Tensor) -> [Tensor; 2] {
    let n = circle.size()[0];
    let places = k.to_kind(Kind::Int64) * Tensor::arange(n, (Kind::Int64, circle.device()));
    let places = places.remainder(n);
    [0, 1].map(|part| circle.select(1, part).take(&places))
}

/// What [`Circles::waves`] reads of a wave.
pub(super) fn numbers(k: WaveVector, phase: f64, amplitude: f64) -> [f64; NUMBERS] {
    [k.y as f64, k.x as f64, libm::cos(phase), libm::sin(phase), amplitude]
}

/// Waves on a device, [n, H, W], each with a sign of its own and finite in this kind, which they are not yet rounded to.
fn made(
    grid: &Grid,
    waves: &[PlaneWave],
    sign: impl Fn(&PlaneWave) -> f64,
    (kind, device): (Kind, Device),
) -> Result<Tensor, Error> {
    let mut all = Vec::with_capacity(waves.len() * NUMBERS);
    for wave in waves {
        let amplitude = grid.amplitude(wave.vector, wave.phase, wave.norm)?;
        check::scalar("norm", wave.norm, FINITE_WAVE, finite(amplitude as f32, kind))?;
        all.extend(numbers(wave.vector, wave.phase, sign(wave) * amplitude));
    }
    let all = upload(&all, &[waves.len(), NUMBERS], device)?;
    no_grad(|| Ok(Circles::new(grid, device)?.waves(&all, compute_kind(kind))))
}

/// Whether it is a number in this kind, and in f32.
fn finite(amplitude: f32, kind: Kind) -> bool {
    match kind {
        Kind::Half => f16::from_f32(amplitude).is_finite(),
        Kind::BFloat16 => bf16::from_f32(amplitude).is_finite(),
        _ => amplitude.is_finite(),
    }
}

/// The kind that waves of this kind are computed in.
fn compute_kind(kind: Kind) -> Kind {
    if kind == Kind::Double { Kind::Double } else { Kind::Float }
}

/// The waves themselves, [N, H, W], of the first channel's sign, of a floating kind on any device.
///
/// Five numbers a wave go to the device, and a table of each side; pixels are made there. On the CPU and in `Float` by
/// [`Grid::waves`]. `Half` and `BFloat16` are computed in `Float` and rounded once.
///
/// # Errors
/// As [`Grid::waves`]; a kind that is not floating-point.
///
/// ```
/// use variata_fourier_aug::{Grid, PlaneWave, WaveVector, torch};
/// use variata_torch_bridge::tch::{Device, Kind};
///
/// let wave = PlaneWave::aligned(WaveVector { y: 1, x: 2 }, 0.5, 2.0);
/// let found = torch::waves(&Grid::new(4, 6)?, &[wave], Kind::Double, Device::Cpu)?;
/// assert!((found.square().sum(Kind::Double).double_value(&[]) - 4.0).abs() < 1e-12);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn waves(grid: &Grid, waves: &[PlaneWave], kind: Kind, device: Device) -> Result<Tensor, Error> {
    if (kind, device) == (Kind::Float, Device::Cpu) {
        return Ok(tensor_from_array(grid.waves::<f32>(waves)?)?);
    }
    waves_composed(grid, waves, kind, device)
}

/// [`waves`] as tensor operations on any device.
///
/// # Errors
/// As [`waves`].
pub fn waves_composed(grid: &Grid, waves: &[PlaneWave], kind: Kind, device: Device) -> Result<Tensor, Error> {
    if !matches!(kind, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double) {
        return Err(variata_torch_bridge::Error::Floating { argument: "kind", got: kind }.into());
    }
    let first = |wave: &PlaneWave| if wave.flipped[0] { -1.0 } else { 1.0 };
    Ok(made(grid, waves, first, (kind, device))?.to_kind(kind))
}

/// [`Grid::add_waves`] to images [N, C, H, W], C = 1 or 3, of any device: new images of the same kind, differentiable.
///
/// On plain CPU tensors of kind `Float` by the native kernel.
///
/// # Errors
/// As [`Grid::add_waves`]; images that are not dense or not floating-point.
///
/// ```
/// use variata_fourier_aug::{Grid, PlaneWave, WaveVector, torch};
/// use variata_torch_bridge::tch::{Device, Kind, Tensor};
///
/// let wave = PlaneWave::aligned(WaveVector { y: 1, x: 2 }, 0.0, 1.0);
/// let images = Tensor::full([1, 3, 4, 6], 0.5, (Kind::Float, Device::Cpu));
/// let moved = torch::add_waves(&Grid::new(4, 6)?, &[wave], &images, true)?;
/// assert!(moved.double_value(&[0, 2, 0, 0]) > 0.5);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn add_waves(grid: &Grid, waves: &[PlaneWave], images: &Tensor, clip: bool) -> Result<Tensor, Error> {
    checked(grid, waves, images)?;
    // The copy of the native kernel has no gradient.
    if route(&[], &[images]) != Route::Native || images.kind() != Kind::Float {
        return add_waves_composed(grid, waves, images, clip);
    }
    let found = lend("images", &images.detach(), |view: ArrayViewD<'_, f32>| {
        // Four axes were asked for above.
        let Ok(mut copy) = view.as_standard_layout().into_owned().into_dimensionality::<Ix4>() else {
            return Ok(None);
        };
        grid.add_waves(waves, &mut copy, clip).map(|()| Some(copy))
    })??;
    match found {
        Some(copy) => Ok(tensor_from_array(copy)?),
        None => add_waves_composed(grid, waves, images, clip),
    }
}

/// [`add_waves`] as tensor operations on any device.
///
/// # Errors
/// As [`add_waves`].
pub fn add_waves_composed(
    grid: &Grid,
    waves: &[PlaneWave],
    images: &Tensor,
    clip: bool,
) -> Result<Tensor, Error> {
    let kind = images.kind();
    let sum = images.to_kind(compute_kind(kind)) + signed(grid, waves, images)?;
    Ok(if clip { sum.clamp(0.0, 1.0) } else { sum }.to_kind(kind))
}

/// [`add_waves`] in place, on the device of the images.
///
/// # Errors
/// As [`add_waves`]; images that autograd protects from being changed.
///
/// ```
/// use variata_fourier_aug::{Grid, PlaneWave, WaveVector, torch};
/// use variata_torch_bridge::tch::{Device, Kind, Tensor};
///
/// let wave = PlaneWave::aligned(WaveVector { y: 1, x: 2 }, 0.0, 1.0);
/// let mut images = Tensor::full([1, 3, 4, 6], 0.5, (Kind::Float, Device::Cpu));
/// torch::add_waves_(&Grid::new(4, 6)?, &[wave], &mut images, true)?;
/// assert!(images.double_value(&[0, 2, 0, 0]) > 0.5);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn add_waves_(grid: &Grid, waves: &[PlaneWave], images: &mut Tensor, clip: bool) -> Result<(), Error> {
    let waves = signed(grid, waves, images)?;
    let refused = variata_torch_bridge::Error::from;
    if matches!(images.kind(), Kind::Float | Kind::Double) {
        let _ = images.f_add_(&waves).map_err(refused)?;
        if clip {
            let _ = images.f_clamp_(0.0, 1.0).map_err(refused)?;
        }
        return Ok(());
    }
    // Half types: one rounding.
    let sum = images.to_kind(Kind::Float) + waves;
    images.f_copy_(&if clip { sum.clamp(0.0, 1.0) } else { sum }).map_err(refused)?;
    Ok(())
}

fn checked(grid: &Grid, waves: &[PlaneWave], images: &Tensor) -> Result<(), Error> {
    check_floating(&[("images", images)])?;
    let (got, argument) = (size(images), "images");
    let (n, height, width) = (waves.len(), grid.height(), grid.width());
    let fits = got.len() == 4 && got[0] == n && [1, CHANNELS].contains(&got[1]);
    if !(fits && got[2..] == [height, width]) {
        let want = format!("[{n}, 1 or 3, {height}, {width}]");
        return Err(ArgumentError::Shape { argument, got, want }.into());
    }
    Ok(())
}

/// Waves beside images, [N, 1 or C, H, W].
fn signed(grid: &Grid, waves: &[PlaneWave], images: &Tensor) -> Result<Tensor, Error> {
    checked(grid, waves, images)?;
    let (channels, device, kind) = (images.size()[1] as usize, images.device(), compute_kind(images.kind()));
    let made = made(grid, waves, |_| 1.0, (kind, device))?.unsqueeze(1);
    if !waves.iter().any(|wave| wave.flipped[..channels].contains(&true)) {
        return Ok(made);
    }
    let signs = waves.iter().flat_map(|wave| &wave.flipped[..channels]);
    let signs: Vec<f32> = signs.map(|flipped| if *flipped { -1.0 } else { 1.0 }).collect();
    Ok(made * upload(&signs, &[waves.len(), channels, 1, 1], device)?.to_kind(kind))
}
