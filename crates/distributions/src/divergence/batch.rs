//! Jensen–Shannon divergences of many items at once: the consistency term of a training step.

use ndarray::{Array1, Array3, ArrayRef1, ArrayRef2, ArrayRef3, ArrayView2, Axis, CowArray, Ix3};

use super::{checked_weights, jensen_shannon, jensen_shannon_probabilities, jensen_shannon_with_grad};
use crate::memory::{in_large_pages, keep_together};
use crate::parallel::{collect, for_each};
use crate::simd::lane::{fused, widest};
use crate::simd::{compare, exp_fused, ln_fused, not_row_major, reduce};
use crate::{ArgumentError, Error, Real, check};

/// Below this the rounding of the logarithms shows (1e-8 here), and they are taken of the ratios instead.
const FAR: f64 = 1e-7;
/// Below this the rounding of the probabilities shows (1e-9 here), and the differences of the logits are used instead.
const NEAR: f64 = 1e-12;
/// Above this the terms of φ(p/m − 1) cancel to 1e-11 of themselves and worse; n equal weights reach n − 1.
const RATIO: f64 = 1e5;
/// Logits of a row farther apart than this leave the range of the vector functions.
const SPREAD: f64 = 200.0;
/// Elements per task.
const TASK: usize = 1 << 14;

/// [`jensen_shannon`](crate::jensen_shannon) of every item of `logits` [views, batch, categories], in nats: `[batch]`.
///
/// Item b has the rows `logits[i][b]`. Formula and source as there.
///
/// # Shapes
/// `weights` `[views]`, > 0 and adding to 1; `None` for 1/views each.
///
/// # Errors
/// No view or no category, a logit of NaN or +∞, a row of −∞, weights of the wrong shape or that do not add to 1.
///
/// # Numerics
/// f64 throughout. Above 1e-7 the logarithms come from the logits, with an error of some 1e-15; below, each term is a
/// function of p/m that is ≥ 0, with 1e-9 of the value at 1e-12; below that it is the form of
/// [`jensen_shannon`](crate::jensen_shannon), which keeps its digits at any size. 0 exactly when the views are equal. The
/// same bits for every number of threads and every split of the batch; machines without fused multiply-adds differ by
/// round-off.
///
/// ```
/// use ndarray::array;
/// let far = f64::NEG_INFINITY;
/// let logits = array![[[0.0, far], [1.0, 2.0]], [[far, 0.0], [1.0, 2.0]]];
/// let jsd = variata_distributions::jensen_shannon_batch(&logits, None)?;
/// assert!((jsd[0] - std::f64::consts::LN_2).abs() < 1e-15 && jsd[1] == 0.0);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn jensen_shannon_batch<F: Real>(
    logits: &ArrayRef3<F>,
    weights: Option<&ArrayRef1<f64>>,
) -> Result<Array1<f64>, Error> {
    checked_shape("logits", logits)?;
    let mut values = Array1::zeros(logits.len_of(Axis(1)));
    run(logits, weights, values.as_slice_mut().unwrap_or_default(), None)?;
    Ok(values)
}

/// [`jensen_shannon_batch`] and the partial derivatives of each item's value in its logits, [views, batch, categories].
///
/// ```text
/// wᵢpᵢ_k (log(pᵢ_k/m_k) − KL(pᵢ‖m))
/// ```
///
/// # Errors
/// As [`jensen_shannon_batch`].
///
/// ```
/// use ndarray::array;
/// let logits = array![[[0.0f64, 1.0]], [[0.5, -1.0]]];
/// let (_, grad) = variata_distributions::jensen_shannon_batch_with_grad(&logits, None)?;
/// // Adding a constant to the logits of a row changes nothing.
/// assert!((grad[[0, 0, 0]] + grad[[0, 0, 1]]).abs() < 1e-15);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn jensen_shannon_batch_with_grad<F: Real>(
    logits: &ArrayRef3<F>,
    weights: Option<&ArrayRef1<f64>>,
) -> Result<(Array1<f64>, Array3<F>), Error> {
    checked_shape("logits", logits)?;
    let mut values = Array1::zeros(logits.len_of(Axis(1)));
    keep_together::<F>(1, logits.len());
    let mut grad = Array3::from_elem(logits.raw_dim(), F::ZERO);
    in_large_pages(grad.as_slice_mut().unwrap_or_default());
    run(logits, weights, values.as_slice_mut().unwrap_or_default(), grad.as_slice_mut())?;
    Ok((values, grad))
}

/// [`jensen_shannon_batch_with_grad`] into the caller's arrays, for loops whose results are too large for the heap to keep.
///
/// # Errors
/// As [`jensen_shannon_batch`]; `values` is not `[batch]`, or `grad` not [views, batch, categories], in row-major order. What
/// they hold after an error is not stated.
///
/// ```
/// use ndarray::{Array1, Array3, array};
/// let logits = array![[[0.0f64, 1.0]], [[0.5, -1.0]]];
/// let (mut values, mut grad) = (Array1::zeros(1), Array3::zeros((2, 1, 2)));
/// variata_distributions::jensen_shannon_batch_with_grad_into(&logits, None, &mut values, &mut grad)?;
/// assert_eq!((values, grad), variata_distributions::jensen_shannon_batch_with_grad(&logits, None)?);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn jensen_shannon_batch_with_grad_into<F: Real>(
    logits: &ArrayRef3<F>,
    weights: Option<&ArrayRef1<f64>>,
    values: &mut Array1<f64>,
    grad: &mut Array3<F>,
) -> Result<(), Error> {
    check::shape("values", values.shape(), &[logits.len_of(Axis(1))])?;
    check::shape("grad", grad.shape(), logits.shape())?;
    let shapes = (values.shape().to_vec(), grad.shape().to_vec());
    let values = values.as_slice_mut().ok_or_else(|| not_row_major("values", &shapes.0))?;
    let grad = grad.as_slice_mut().ok_or_else(|| not_row_major("grad", &shapes.1))?;
    run(logits, weights, values, Some(grad))
}

/// [`jensen_shannon_batch`] of probabilities [views, batch, categories], which may hold zeros.
///
/// # Errors
/// As [`jensen_shannon_probabilities`](crate::jensen_shannon_probabilities), of the first item that is refused.
///
/// ```
/// use ndarray::array;
/// let p = array![[[0.0, 1.0]], [[1.0, 0.0]], [[0.5, 0.5]]];
/// let jsd = variata_distributions::jensen_shannon_batch_probabilities(&p, None)?;
/// assert!((jsd[0] - 0.4620981204).abs() < 1e-10);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn jensen_shannon_batch_probabilities<F: Real>(
    probabilities: &ArrayRef3<F>,
    weights: Option<&ArrayRef1<f64>>,
) -> Result<Array1<f64>, Error> {
    checked_shape("probabilities", probabilities)?;
    checked_weights(probabilities.len_of(Axis(0)), weights)?;
    let (_, batch, categories) = probabilities.dim();
    let item = |b| {
        jensen_shannon_probabilities(&probabilities.index_axis(Axis(1), b), weights)
            .map_err(|error| placed(error, b, batch, categories))
    };
    let values: Result<Vec<f64>, Error> = collect(batch, item).into_iter().collect();
    Ok(Array1::from(values?))
}

fn checked_shape<F>(argument: &'static str, x: &ArrayRef3<F>) -> Result<(), ArgumentError> {
    if x.len_of(Axis(0)) == 0 || x.len_of(Axis(2)) == 0 {
        let want = "[views, batch, categories] with a view and a category".to_owned();
        return Err(ArgumentError::Shape { argument, got: x.shape().to_vec(), want });
    }
    Ok(())
}

/// One task: items from `first` on, their values, and their gradients view by view.
struct Task<'a, F> {
    first: usize,
    values: &'a mut [f64],
    grads: Vec<&'a mut [F]>,
    error: &'a mut Option<Error>,
}

fn run<F: Real>(
    logits: &ArrayRef3<F>,
    weights: Option<&ArrayRef1<f64>>,
    values: &mut [f64],
    grad: Option<&mut [F]>,
) -> Result<(), Error> {
    checked_shape("logits", logits)?;
    let (views, batch, categories) = logits.dim();
    let weights = checked_weights(views, weights)?;
    if batch == 0 {
        return Ok(());
    }
    let rows: CowArray<'_, F, Ix3> = logits.as_standard_layout();
    let rows = rows.as_slice().unwrap_or_default();
    let per_task = (TASK / (views * categories)).max(1);
    let mut errors: Vec<Option<Error>> = Vec::new();
    errors.resize_with(batch.div_ceil(per_task), || None);
    let mut grads: Vec<_> = grad
        .map(|grad| {
            grad.chunks_mut(batch * categories).map(|g| g.chunks_mut(per_task * categories)).collect()
        })
        .unwrap_or_default();
    let tasks =
        values.chunks_mut(per_task).zip(&mut errors).enumerate().map(|(task, (values, error))| Task {
            first: task * per_task,
            values,
            grads: grads.iter_mut().map(|g| g.next().unwrap_or_default()).collect(),
            error,
        });
    for_each(tasks.collect(), |task| {
        let view = |i: usize| &rows[(i * batch + task.first) * categories..];
        let input: Vec<&[F]> = (0..views).map(view).collect();
        // Whole blocks of 64 categories fill the vectors best; few categories are padded less.
        if categories >= 64 {
            several::<F, 64>(&input, (batch, categories), &weights, task);
        } else {
            several::<F, 16>(&input, (batch, categories), &weights, task);
        }
    });
    errors.into_iter().flatten().next().map_or(Ok(()), Err)
}

/// The items of a task.
fn several<F: Real, const BLOCK: usize>(
    input: &[&[F]],
    (batch, categories): (usize, usize),
    weights: &Array1<f64>,
    mut task: Task<'_, F>,
) {
    let first = task.first;
    let width = categories.next_multiple_of(BLOCK);
    let mut work = Work {
        // What pads the rows is 1 in every view and in the mixture: equal, so that it adds nothing.
        p: vec![1.0; input.len() * width],
        m: vec![1.0; width],
        log: vec![0.0; width],
        log_m: vec![0.0; width],
        kl: vec![0.0; input.len()],
        normaliser: vec![(0.0, 0.0); input.len()],
    };
    let w = weights.as_slice().unwrap_or_default();
    for (b, value) in task.values.iter_mut().enumerate() {
        let at = b * categories..(b + 1) * categories;
        let mut grads: Vec<&mut [F]> = task.grads.iter_mut().map(|g| &mut g[at.clone()]).collect();
        let rows: Vec<&[F]> = input.iter().map(|rows| &rows[at.clone()]).collect();
        let is_fused = fused();
        *value = widest(
            #[inline(always)]
            || {
                if is_fused {
                    one::<F, BLOCK, true>(&rows, w, &mut work, &mut grads)
                } else {
                    one::<F, BLOCK, false>(&rows, w, &mut work, &mut grads)
                }
            },
        );
        // NaN: outside the range of the vector functions.
        let same = || rows.iter().all(|row| *row == rows[0]);
        let sure = *value >= NEAR || (*value == 0.0 && same());
        if !sure {
            match exact(&rows, weights, !grads.is_empty()) {
                Ok((found, grad)) => {
                    *value = found;
                    for (to, from) in grads.iter_mut().flat_map(|g| g.iter_mut()).zip(grad) {
                        *to = from;
                    }
                }
                Err(error) => {
                    *task.error = Some(placed(error, first + b, batch, categories));
                    return;
                }
            }
        }
    }
}

/// The error of an item with its position in [views, batch, categories].
fn placed(error: Error, item: usize, batch: usize, categories: usize) -> Error {
    match error {
        Error::AllLogitsNegInf { argument, row } => {
            Error::AllLogitsNegInf { argument, row: row * batch + item }
        }
        Error::Argument(ArgumentError::Value { argument, index: Some(index), value, must }) => {
            let (view, category) = (index / categories, index % categories);
            let index = Some((view * batch + item) * categories + category);
            Error::Argument(ArgumentError::Value { argument, index, value, must })
        }
        other => other,
    }
}

/// The form that holds everywhere.
fn exact<F: Real>(rows: &[&[F]], weights: &Array1<f64>, grad: bool) -> Result<(f64, Vec<F>), Error> {
    let all: Vec<F> = rows.concat();
    let view =
        ArrayView2::from_shape((rows.len(), rows[0].len()), &all).map_err(|_| ArgumentError::Shape {
            argument: "logits",
            got: vec![all.len()],
            want: "[views, batch, categories]".to_owned(),
        })?;
    let view: &ArrayRef2<F> = &view;
    if !grad {
        return jensen_shannon(view, Some(weights)).map(|value| (value, Vec::new()));
    }
    let (value, grad) = jensen_shannon_with_grad(view, Some(weights))?;
    Ok((value, grad.into_iter().collect()))
}

/// What an item needs, reused from item to item.
struct Work {
    /// Probabilities [views][width].
    p: Vec<f64>,
    /// Their mixture.
    m: Vec<f64>,
    /// log(p/m) of one view.
    log: Vec<f64>,
    /// log m.
    log_m: Vec<f64>,
    /// KL(pᵢ‖m).
    kl: Vec<f64>,
    /// Largest logit h of each view, and log Σ exp(l − h): apart, because logits far from 0 would leave no digits to their sum.
    normaliser: Vec<(f64, f64)>,
}

/// Value and gradients of one item; NaN where the vector functions do not reach.
#[inline(always)]
fn one<F: Real, const BLOCK: usize, const FUSED: bool>(
    rows: &[&[F]],
    w: &[f64],
    work: &mut Work,
    grads: &mut [&mut [F]],
) -> f64 {
    let width = work.m.len();
    for ((row, p), normaliser) in rows.iter().zip(work.p.chunks_exact_mut(width)).zip(&mut work.normaliser) {
        let (low, high) = ends(row);
        // Also false for a NaN and for infinite logits.
        if !(high - low <= SPREAD) {
            return f64::NAN;
        }
        let p = &mut p[..row.len()];
        for (to, from) in p.iter_mut().zip(*row) {
            *to = exp_fused::<FUSED>(from.to_f64() - high);
        }
        let sum = lanes_sum(p);
        let scale = 1.0 / sum;
        for to in p.iter_mut() {
            *to *= scale;
        }
        *normaliser = (high, sum.ln());
    }
    let (first, others) = work.p.split_at(width);
    work.m.copy_from_slice(first);
    // Not Σ wᵢpᵢ: equal views have to give their mixture exactly.
    for (p, &w) in others.chunks_exact(width).zip(&w[1..]) {
        for ((m, p), first) in work.m.iter_mut().zip(p).zip(first) {
            *m += w * (p - first);
        }
    }
    for (log, m) in work.log_m.iter_mut().zip(&work.m) {
        *log = ln_fused::<FUSED>(*m);
    }
    let mut value = 0.0;
    for (i, row) in rows.iter().enumerate() {
        work.kl[i] = divergence(row, &work.p[i * width..], work.normaliser[i], &work.log_m);
        value += w[i] * work.kl[i];
    }
    if !(value >= FAR) {
        return near::<F, BLOCK, FUSED>(w, work, grads);
    }
    for (i, grad) in grads.iter_mut().enumerate() {
        let (w, (high, sum)) = (w[i], work.normaliser[i]);
        let shift = sum + work.kl[i];
        let parts = rows[i].iter().zip(&work.p[i * width..]).zip(&work.log_m);
        for (to, ((l, p), log_m)) in grad.iter_mut().zip(parts) {
            *to = F::from_f64(w * p * (((l.to_f64() - high) - shift) - log_m));
        }
    }
    value
}

/// Σ p (log p − log m) with log p = (logit − high) − sum.
#[inline(always)]
fn divergence<F: Real>(row: &[F], p: &[f64], (high, sum): (f64, f64), log_m: &[f64]) -> f64 {
    let log_p = |l: &F| (l.to_f64() - high) - sum;
    let mut sums = [0.0; 8];
    let (chunks, rest) = row.as_chunks::<8>();
    let whole = chunks.len() * 8;
    let (p8, log8) = (p[..whole].as_chunks::<8>().0, log_m[..whole].as_chunks::<8>().0);
    for ((l, p), log_m) in chunks.iter().zip(p8).zip(log8) {
        let terms: [f64; 8] = std::array::from_fn(|j| p[j] * (log_p(&l[j]) - log_m[j]));
        sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
    }
    for (j, l) in rest.iter().enumerate() {
        sums[j] += p[whole + j] * (log_p(l) - log_m[whole + j]);
    }
    reduce(sums)
}

/// Value and gradients from the probabilities and their mixture, each term by the ratio of both: for views that are close.
/// NaN where a ratio, which weights may let grow to their reciprocal, is so large that the terms cancel.
#[inline(always)]
fn near<F: Real, const BLOCK: usize, const FUSED: bool>(
    w: &[f64],
    work: &mut Work,
    grads: &mut [&mut [F]],
) -> f64 {
    let width = work.m.len();
    let mut largest = [0.0; BLOCK];
    for (i, &w) in w.iter().enumerate() {
        let mut sums = [0.0; 8];
        let p = &work.p[i * width..(i + 1) * width];
        let blocks = p.as_chunks::<BLOCK>().0.iter().zip(work.m.as_chunks::<BLOCK>().0);
        for ((p, m), log) in blocks.zip(work.log.as_chunks_mut::<BLOCK>().0) {
            let mut terms = [0.0; BLOCK];
            for j in 0..BLOCK {
                let found = compare::<FUSED>(p[j], m[j]);
                let r = found.excess;
                terms[j] = m[j] * ((1.0 + r) * found.log1pmx + r * r);
                log[j] = r + found.log1pmx;
                largest[j] = if r > largest[j] { r } else { largest[j] };
            }
            add(&mut sums, &terms);
        }
        work.kl[i] = reduce(sums);
        if let Some(grad) = grads.get_mut(i) {
            for ((to, p), log) in grad.iter_mut().zip(p).zip(&work.log) {
                *to = F::from_f64(w * p * (log - work.kl[i]));
            }
        }
    }
    if largest.iter().any(|&r| r > RATIO) {
        return f64::NAN;
    }
    work.kl.iter().zip(w).map(|(kl, w)| kl * w).sum()
}

/// The least and the largest logit; NaN if the first is. Another NaN is passed over, and shows in the sum of exponentials.
#[inline(always)]
fn ends<F: Real>(row: &[F]) -> (f64, f64) {
    const WIDTH: usize = 16;
    let (mut low, mut high) = ([row[0]; WIDTH], [row[0]; WIDTH]);
    let (chunks, rest) = row.as_chunks::<WIDTH>();
    for chunk in chunks {
        for j in 0..WIDTH {
            low[j] = if chunk[j] < low[j] { chunk[j] } else { low[j] };
            high[j] = if chunk[j] > high[j] { chunk[j] } else { high[j] };
        }
    }
    for (j, &x) in rest.iter().enumerate() {
        low[j] = if x < low[j] { x } else { low[j] };
        high[j] = if x > high[j] { x } else { high[j] };
    }
    let least = low.iter().fold(f64::INFINITY, |a, b| a.min(b.to_f64()));
    let most = high.iter().fold(f64::NEG_INFINITY, |a, b| a.max(b.to_f64()));
    if row[0].partial_cmp(&row[0]).is_none() { (f64::NAN, f64::NAN) } else { (least, most) }
}

/// Sum in eight lanes and a fixed tree.
#[inline(always)]
fn lanes_sum(x: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    add(&mut sums, x);
    reduce(sums)
}

#[inline(always)]
fn add(sums: &mut [f64; 8], x: &[f64]) {
    let (chunks, rest) = x.as_chunks::<8>();
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += x;
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += x;
    }
}
