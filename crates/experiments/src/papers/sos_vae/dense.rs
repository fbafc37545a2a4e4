//! The conditional mean by the paper's dense formula (eq. 7), as its code has it, beside ours.

use anyhow::Result;
use ndarray::{Array2, ArrayView2, s};
use variata_lowrank_mvn::{CovDiag, LowRankMvn};
use variata_models::tch::{Kind, Tensor};
use variata_models::{Noise, Purpose};
use variata_torch_bridge::{tensor_from_array, tensor_from_slice, tensor_into_array};

use crate::settings::highest;

/// Address of the edits.
const EDITS: u64 = 1 << 43;
/// Numbers of edited values.
const COUNTS: [usize; 6] = [1, 10, 24, 48, 200, 1000];

/// Errors of the conditional mean relative to its largest change, against the dense formula in f64: ours in f32, and the dense
/// formula in f32.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comparison {
    pub(super) edits: usize,
    pub(super) errors: [f64; 2],
}

/// For growing numbers of edited values of the first item, spread over the image.
pub(super) fn compare(p: &LowRankMvn<'_, f32>) -> Result<Vec<Comparison>> {
    let n = p.dim();
    let mut all = Vec::new();
    for count in COUNTS.into_iter().filter(|count| 2 * count <= n) {
        let indices: Vec<usize> = (0..count).map(|k| k * n / count).collect();
        // A draw of the distribution itself, so that the values are likely ones.
        let drawn = p.sample(&mut Noise::new(0).stream(Purpose::Report, EDITS, count as u64));
        let values = Array2::from_shape_fn((1, count), |(_, k)| drawn[(0, indices[k])]);
        let ours = p.condition(&indices, &values)?.mean();
        let exact = by_formula(p, &indices, &values, Kind::Double)?;
        let singles = by_formula(p, &indices, &values, Kind::Float)?;
        let change = largest(exact.iter().zip(p.loc()).map(|(e, m)| e - f64::from(*m)));
        let error =
            |got: &mut dyn Iterator<Item = f64>| largest(got.zip(&exact).map(|(g, e)| g - e)) / change;
        let errors = [error(&mut ours.iter().map(|v| f64::from(*v))), error(&mut singles.iter().copied())];
        all.push(Comparison { edits: count, errors });
    }
    Ok(all)
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    highest(values.map(f64::abs))
}

/// μ₁ + Σ₁₂Σ₂₂⁻¹(x₂ − μ₂) with Σ₂₂ inverted, and the given values in their places.
fn by_formula(
    p: &LowRankMvn<'_, f32>,
    indices: &[usize],
    values: &Array2<f32>,
    kind: Kind,
) -> Result<Vec<f64>> {
    let dense =
        |a: ArrayView2<'_, f32>| -> Result<Tensor> { Ok(tensor_from_array(a.to_owned())?.to_kind(kind)) };
    let factor = dense(p.cov_factor().slice(s![0, .., ..]))?;
    let own = match p.cov_diag() {
        CovDiag::Scalar(d) => vec![*d; indices.len()],
        CovDiag::Vector(d) => indices.iter().map(|&i| d[i]).collect(),
        CovDiag::Batch(d) => indices.iter().map(|&i| d[(0, i)]).collect(),
    };
    let places: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
    let at = tensor_from_slice(&places, &[indices.len()])?;
    let loc = dense(p.loc())?.squeeze_dim(0);
    let seen = factor.index_select(0, &at);
    let covariance = seen.matmul(&seen.tr()) + Tensor::from_slice(&own).to_kind(kind).diag(0);
    let gap = dense(values.view())?.squeeze_dim(0) - loc.index_select(0, &at);
    let inverse = Tensor::f_linalg_inv(&covariance)?;
    let image = &loc + factor.matmul(&seen.tr()).matmul(&inverse.matmul(&gap));
    let image = image.index_copy(0, &at, &dense(values.view())?.squeeze_dim(0));
    Ok(tensor_into_array::<f64>("image", &image)?.into_iter().collect())
}
