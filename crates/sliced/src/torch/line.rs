//! Distances on the line as tensor operations, for all columns at once.

use tch::{Kind, Tensor};
use variata_torch_bridge::tensor_from_array;

use crate::cells::NormalCells;
use crate::distance::{Discrepancy, Distance};
use crate::error::Error;

/// Φ(x). libtorch's own, which has derivatives of every order.
fn ndtr(x: &Tensor) -> Tensor {
    (x * -std::f64::consts::FRAC_1_SQRT_2).erfc() * 0.5
}

/// Whether [`sum`] has the distance.
pub(super) fn has_form(discrepancy: &Discrepancy<'_>) -> bool {
    let has = match discrepancy.distance() {
        Distance::Wasserstein { p } => p == 2.0,
        Distance::CramerWold { .. }
        | Distance::CramerVonMises
        | Distance::KolmogorovSmirnov
        | Distance::SmoothKolmogorovSmirnov { .. }
        | Distance::AndersonDarling => true,
    };
    has && discrepancy.weights.is_none() && discrepancy.target.is_none()
}

/// The distances of the columns of `y` [n, columns] in f64 from N(0, 1), added up.
pub(super) fn sum(distance: Distance, y: &Tensor) -> Result<Tensor, Error> {
    let (n, columns) = (y.size()[0], y.size()[1] as f64);
    let size = n as f64;
    let over_points = |t: Tensor| t.mean_dim(Some([0i64].as_slice()), false, Kind::Double);
    let all = |t: Tensor| t.sum(Kind::Double);
    let sorted = || y.sort(0, false).0;
    // k/n as a column.
    let after = || (Tensor::arange(n, (Kind::Double, y.device())) + 1.0).unsqueeze(-1) / size;
    Ok(match distance {
        Distance::CramerWold { bandwidth } => return cramer_wold(y, bandwidth.checked(size)?),
        Distance::CramerVonMises => {
            let gap = ndtr(&sorted()) - (after() - 0.5 / size);
            all(over_points(gap.square())) + columns / (12.0 * size * size)
        }
        Distance::KolmogorovSmirnov => {
            let (z, after) = (ndtr(&sorted()), after());
            all((&after - &z).maximum(&(z - (&after - 1.0 / size))).amax([0i64].as_slice(), false))
        }
        Distance::SmoothKolmogorovSmirnov { temperature } => {
            let (z, after) = (ndtr(&sorted()), after());
            let gaps = Tensor::cat(&[&after - &z, z - (&after - 1.0 / size)], 0);
            all((gaps / temperature).logsumexp([0i64].as_slice(), false) * temperature)
        }
        Distance::AndersonDarling => {
            // The coefficient 2 c and 2 (1 − c) of the logarithms at each sorted point.
            let (sorted, c) = (sorted(), after() - 0.5 / size);
            let logs = &c * sorted.special_log_ndtr() + (1.0 - &c) * (-&sorted).special_log_ndtr();
            all(over_points(logs)) * -2.0 - columns
        }
        // W₂²: the only one that has a form here.
        Distance::Wasserstein { .. } => {
            let cells = NormalCells::of(n as usize);
            let means = tensor_from_array(ndarray::Array1::from(cells.means.clone()))?.to_device(y.device());
            all(over_points((sorted() - means.unsqueeze(-1)).square())) + columns * cells.within
        }
    })
}

/// The integral over frequencies of |mean of e^(ity) − e^(−t²/2)|² e^(−γt²), by the trapezoid rule; a sum of squares.
fn cramer_wold(y: &Tensor, gamma: f64) -> Result<Tensor, Error> {
    // Frequencies so close that copies of sample, target and smoothing do not overlap.
    let reach = y.detach().abs().max().double_value(&[]).max(9.0);
    let period = 2.0 * reach + 2.0 * libm::sqrt(4.0 * 40.0 * (1.0 + gamma));
    let step = 2.0 * std::f64::consts::PI / period;
    let count = libm::sqrt(40.0 / gamma) / step;
    if !(count < 1e5) {
        let what = "points within some thousand smoothing widths of 0 to be composed of tensor operations";
        return Err(Error::Unsupported { distance: "the Cramér–Wold distance", what });
    }
    let mut total = Tensor::from(0.0).to_device(y.device());
    for k in 1..=count as usize + 1 {
        let t = step * k as f64;
        let angle = y * t;
        let mean = |t: Tensor| t.mean_dim(Some([0i64].as_slice()), false, Kind::Double);
        // 1 − cos by half angles: for low frequencies both sides are near 1.
        let real = mean((y * (0.5 * t)).sin().square()) * -2.0 - libm::expm1(-0.5 * t * t);
        let square = real.square() + mean(angle.sin()).square();
        total += square.sum(Kind::Double) * (libm::exp(-gamma * t * t) * step / std::f64::consts::PI);
    }
    Ok(total)
}
