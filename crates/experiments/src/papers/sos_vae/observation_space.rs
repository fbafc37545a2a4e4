//! Ways through the observation space of one code: slerp grids (figure 4), scaled components (figure 5).

use anyhow::{Context, Result};
use ndarray::{Array2, Array4};
use variata_lowrank_mvn::slerp_grid;
use variata_models::{Autoencoder, ImageShape, Noise, Purpose};

use super::measure::decode;
use crate::pixels::as_images;

/// Address of the noise.
const VIEWS: u64 = 1 << 42;
/// Cells along a side of a slerp grid.
pub(super) const SIDE: usize = 8;
/// Components that are scaled.
pub(super) const COMPONENTS: usize = 10;
/// Scales, as in the paper's figure.
pub(super) const SCALES: usize = 21;
/// What the authors' code leaves of the other components.
const OTHERS: f64 = 0.03;

/// Pictures of the observation space.
#[derive(Debug)]
pub(super) struct Views {
    /// [SIDE², c, h, w] for each of two codes.
    pub(super) grids: Vec<Array4<f32>>,
    /// [components·SCALES, c, h, w], component after component.
    pub(super) sweeps: Array4<f32>,
    /// Standard deviation of each component.
    pub(super) spectrum: Vec<f64>,
}

/// Grids and sweeps of codes drawn from the prior.
pub(super) fn views(model: &Autoencoder, noise: Noise, image: ImageShape) -> Result<Views> {
    let latent = model.config().latent as usize;
    let z = noise.normal_rows(Purpose::Report, VIEWS, 0..2, latent);
    let p = decode(model, Array2::from_shape_vec((2, latent), z)?)?;
    let p = p.low_rank().context("the observation model has no factor")?;
    let none = Array2::zeros((1, p.dim()));
    let mut grids = Vec::new();
    for item in 0..2 {
        let one = p.single(item)?;
        let rank = one.rank();
        let corners = noise.normal_rows(Purpose::Report, VIEWS + 1 + item as u64, 0..4, rank);
        let cells = slerp_grid(&Array2::from_shape_vec((4, rank), corners)?, SIDE, SIDE)?;
        let noises = cells.into_shape_with_order((1, SIDE * SIDE, rank))?;
        let images = one.rsample_many(&noises, &none)?.index_axis_move(ndarray::Axis(0), 0);
        grids.push(as_images(&images, image)?);
    }
    let one = p.single(0)?;
    let omega = noise.normal_rows(Purpose::Report, VIEWS + 3, 0..1, one.rank());
    let omega = Array2::from_shape_vec((1, one.rank()), omega)?;
    let scales: Vec<f64> = (0..SCALES).map(|k| -5.0 + 0.5 * k as f64).collect();
    let components = COMPONENTS.min(one.rank());
    let sweeps = (0..components)
        .map(|c| {
            Ok(one.component_sweep(c, &scales, OTHERS, &omega, &none)?.index_axis_move(ndarray::Axis(0), 0))
        })
        .collect::<Result<Vec<_>>>()?;
    let views: Vec<_> = sweeps.iter().map(|part| part.view()).collect();
    let sweeps = as_images(&ndarray::concatenate(ndarray::Axis(0), &views)?, image)?;
    let spectrum = one.principal_components()?.standard_deviations.iter().map(|s| f64::from(*s)).collect();
    Ok(Views { grids, sweeps, spectrum })
}
