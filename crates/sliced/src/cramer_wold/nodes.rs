//! A law as points and masses.

use std::collections::VecDeque;

use variata_distributions::{ArgumentError, check};

use crate::distance::LARGEST;
use crate::quadrature;
use crate::target::Target;

/// Equal parts of the unit interval, and pieces that halve towards each end, from which nodes of a target are taken.
const PARTS: usize = 64;
/// Smoothing widths that the nodes of a piece resolve.
const REACH: f64 = 4.0;
/// Pieces of less mass are not resolved: what they leave of r² is its square.
const MASS: f64 = 1e-9;
/// Nodes beyond which nothing is resolved further: heavy tails have no end.
const MOST: usize = 1 << 16;

/// Points and masses that stand for a law under smoothing of a width: Gauss–Legendre nodes of pieces of the unit interval, which halve
/// towards the ends, and within while they are long beside the width.
pub(crate) fn nodes(target: &dyn Target, width: f64) -> Result<Vec<(f64, f64)>, ArgumentError> {
    let mut edges: Vec<f64> = (1..=PARTS / 2).map(|k| k as f64 / PARTS as f64).collect();
    let mut edge = edges[0];
    while edge > 1e-18 {
        edge *= 0.5;
        edges.push(edge);
    }
    edges.push(0.0);
    edges.sort_by(f64::total_cmp);
    let quantile = |u: f64, upper: bool| if upper { target.upper_quantile(u) } else { target.quantile(u) };
    let pieces = edges.windows(2).flat_map(|ends| [false, true].map(|upper| (upper, ends[0], ends[1])));
    let mut pieces: VecDeque<_> = pieces.collect();
    let mut nodes = Vec::new();
    while let Some((upper, low, high)) = pieces.pop_front() {
        // 0 is not in the domain of quantiles; its piece has no mass.
        let resolve = high - low > MASS
            && nodes.len() + quadrature::N * pieces.len() < MOST
            && (quantile(high, upper) - quantile(low, upper)).abs() > REACH * width;
        if resolve {
            let middle = 0.5 * (low + high);
            pieces.extend([(upper, low, middle), (upper, middle, high)]);
            continue;
        }
        let mut outcome = Ok(());
        quadrature::nodes(low, high, |u, mass| {
            let x = quantile(u, upper);
            let ok = x.is_finite() && x.abs() <= LARGEST;
            if outcome.is_ok() {
                outcome = check::scalar("target quantile", x, "finite, at most 1e150 in size", ok);
            }
            nodes.push((x, mass));
        });
        outcome?;
    }
    Ok(nodes)
}
