//! Error of the log-density against the size of D, of this crate and of the textbook's form in f32 on libtorch, as in
//! `torch.distributions.LowRankMultivariateNormal`. Prints the plot of docs/src/theory/lowrank-mvn.md as SVG, and the numbers
//! on standard error:
//!
//! ```sh
//! cargo run --release -p variata-lowrank-mvn --features torch --example accuracy > docs/src/images/lowrank-accuracy.svg
//! ```

use std::error::Error;

use ndarray::{Array2, Array3};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use variata_lowrank_mvn::{LowRankMvn, torch};
use variata_report::{Axis, LinePlot, LineSeries, Plot};
use variata_torch_bridge::tch::{Kind, Tensor};
use variata_torch_bridge::tensor_from_array;

const N: usize = 4096;
const RANK: usize = 25;

/// −½ (‖D^-½ b‖² − ‖L⁻¹PᵀD⁻¹b‖² + log |C| + n log d + n log 2π), all in f32; NaN where C has no Cholesky factor.
fn textbook(p: &Tensor, gap: &Tensor, d: f64) -> Result<f64, Box<dyn Error>> {
    let weighted = p / d;
    let capacitance = p.tr().matmul(&weighted) + Tensor::eye(RANK as i64, (Kind::Float, p.device()));
    let Ok(l) = capacitance.f_linalg_cholesky(false) else { return Ok(f64::NAN) };
    let projected = weighted.tr().matmul(gap).unsqueeze(-1);
    let solved = l.f_linalg_solve_triangular(&projected, false, true, false)?;
    let q = (gap.square() / d).sum(Kind::Float) - solved.square().sum(Kind::Float);
    let log_det = l.diagonal(0, -2, -1).log().sum(Kind::Float) * 2.0 + N as f64 * d.ln();
    Ok(((q + log_det + N as f64 * (2.0 * std::f64::consts::PI).ln()) * -0.5).double_value(&[]))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut noise = || -> f32 { StandardNormal.sample(&mut rng) };
    let loc = Array2::<f32>::zeros((1, N));
    let mut factor = Array3::from_shape_simple_fn((1, N, RANK), &mut noise);
    let (of_factor, own) = (
        Array2::from_shape_simple_fn((1, RANK), &mut noise),
        Array2::from_shape_simple_fn((1, N), &mut noise),
    );
    let mut curves: [Vec<(f64, f64)>; 4] = Default::default();
    for collinear in [false, true] {
        if collinear {
            let first = factor.slice(ndarray::s![.., .., 0]).to_owned();
            factor.slice_mut(ndarray::s![.., .., 1]).assign(&first);
        }
        for exponent in -24..=4 {
            let d = 10f32.powf(exponent as f32 / 2.0);
            let p = LowRankMvn::new(loc.view(), factor.view(), d)?;
            let x = p.rsample(&of_factor, &own)?;
            // The truth, of the same numbers: another algorithm, in f64, on an orthonormal basis.
            let tensor = |a: Array2<f32>| tensor_from_array(a.mapv(f64::from));
            let (wide, p64) = (tensor(x.clone())?, tensor_from_array(factor.mapv(f64::from))?);
            let exact = torch::LowRankMvn::new(tensor(loc.clone())?, p64, Tensor::from(f64::from(d)))?;
            let want = exact.log_prob_composed(&wide)?.double_value(&[0]);
            let factor = tensor_from_array(factor.index_axis(ndarray::Axis(0), 0).to_owned())?;
            let theirs = textbook(&factor, &tensor_from_array(x.row(0).to_owned())?, f64::from(d))?;
            let ours = p.log_prob(&x)?[0];
            let error = |got: f64| ((got - want) / want).abs().clamp(1e-17, 1e3);
            eprintln!(
                "collinear {collinear}, D = {d:8.1e}: ours {:.1e}, textbook {:.1e}",
                error(ours),
                error(theirs)
            );
            let at = 2 * usize::from(collinear);
            curves[at].push((f64::from(d), error(ours)));
            if theirs.is_finite() {
                curves[at + 1].push((f64::from(d), error(theirs)));
            }
        }
    }
    let names = [
        "this crate",
        "textbook's form",
        "this crate, two equal columns",
        "textbook's form, two equal columns",
    ];
    let series = curves.into_iter().zip(names).enumerate().map(|(k, (points, name))| {
        let series = LineSeries::new(name, points).color(k % 2);
        if k < 2 { series } else { series.dashed() }
    });
    let plot = LinePlot {
        x: Axis::new("D").log(),
        y: Axis::new("relative error of log p, f32").log(),
        series: series.collect(),
        ..LinePlot::default()
    };
    println!("{}", plot.to_svg());
    Ok(())
}
