//! Jensen–Shannon divergences of many items at once: the consistency term of a training step.

use ndarray::{Array1, Array3, ArrayRef1, ArrayRef2, ArrayRef3, ArrayView2, Axis, CowArray, Ix3};

use super::{checked_weights, jensen_shannon, jensen_shannon_probabilities, jensen_shannon_with_grad};
use crate::memory::keep_together;
use crate::parallel::{collect, for_each};
use crate::simd::{compare, exp, lane::widest};
use crate::{ArgumentError, Error, Real};

/// Below this the rounding of the probabilities shows (1e-9 here), and the differences of the logits are used instead.
const NEAR: f64 = 1e-12;
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
/// f64 throughout, each term ≥ 0: 1e-13 of the value where that exceeds 1e-4, 1e-9 at 1e-12, and below that the form of
/// [`jensen_shannon`](crate::jensen_shannon), which keeps its digits at any size. 0 exactly when the views are equal. The
/// same bits for every number of threads and every split of the batch.
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
/// let logits = array![[[0.0, 1.0]], [[0.5, -1.0]]];
/// let (_, grad) = variata_distributions::jensen_shannon_batch_with_grad(&logits, None)?;
/// // Adding a constant to the logits of a row changes nothing.
/// assert!((grad[[0, 0, 0]] + grad[[0, 0, 1]]).abs() < 1e-15);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn jensen_shannon_batch_with_grad<F: Real>(
    logits: &ArrayRef3<F>,
    weights: Option<&ArrayRef1<f64>>,
) -> Result<(Array1<f64>, Array3<F>), Error> {
    let mut values = Array1::zeros(logits.len_of(Axis(1)));
    keep_together::<F>(1, logits.len());
    let mut grad = Array3::from_elem(logits.raw_dim(), F::ZERO);
    run(logits, weights, values.as_slice_mut().unwrap_or_default(), grad.as_slice_mut())?;
    Ok((values, grad))
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
        .map(|grad| grad.chunks_mut(batch * categories).map(|g| g.chunks_mut(per_task * categories)).collect())
        .unwrap_or_default();
    let tasks = values.chunks_mut(per_task).zip(&mut errors).enumerate().map(|(task, (values, error))| Task {
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
        log: vec![0.0; if task.grads.is_empty() { 0 } else { input.len() * width }],
        m: vec![1.0; width],
        kl: vec![0.0; input.len()],
    };
    let w = weights.as_slice().unwrap_or_default();
    for (b, value) in task.values.iter_mut().enumerate() {
        let at = b * categories..(b + 1) * categories;
        let mut grads: Vec<&mut [F]> = task.grads.iter_mut().map(|g| &mut g[at.clone()]).collect();
        let rows: Vec<&[F]> = input.iter().map(|rows| &rows[at.clone()]).collect();
        *value = widest(
            #[inline(always)]
            || one::<F, BLOCK>(&rows, w, &mut work, &mut grads),
        );
        // NaN: outside the range of the vector functions.
        let same = || rows.iter().all(|row| *row == rows[0]);
        if !(*value >= NEAR) && !(*value == 0.0 && same()) {
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
    let view = ArrayView2::from_shape((rows.len(), rows[0].len()), &all).map_err(|_| ArgumentError::Shape {
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
    /// log(p/m), where gradients are wanted.
    log: Vec<f64>,
    /// Their mixture.
    m: Vec<f64>,
    /// KL(pᵢ‖m).
    kl: Vec<f64>,
}

/// Value and gradients of one item; NaN where the vector functions do not reach.
#[inline(always)]
fn one<F: Real, const BLOCK: usize>(rows: &[&[F]], w: &[f64], work: &mut Work, grads: &mut [&mut [F]]) -> f64 {
    let width = work.m.len();
    for (row, p) in rows.iter().zip(work.p.chunks_exact_mut(width)) {
        let (low, high) = ends::<F, BLOCK>(row);
        // Also false for a NaN and for infinite logits.
        if !(high - low <= SPREAD) {
            return f64::NAN;
        }
        for (to, from) in p.iter_mut().zip(*row) {
            *to = exp(from.to_f64() - high);
        }
        let scale = 1.0 / lanes_sum(&p[..row.len()]);
        for to in &mut p[..row.len()] {
            *to *= scale;
        }
    }
    let (first, others) = work.p.split_at(width);
    work.m.copy_from_slice(first);
    // Not Σ wᵢpᵢ: equal views have to give their mixture exactly.
    for (p, &w) in others.chunks_exact(width).zip(&w[1..]) {
        for ((m, p), first) in work.m.iter_mut().zip(p).zip(first) {
            *m += w * (p - first);
        }
    }
    let with_grad = !grads.is_empty();
    for (i, p) in work.p.chunks_exact(width).enumerate() {
        let mut sums = [0.0; 8];
        let (p, m) = (p.as_chunks::<BLOCK>().0, work.m.as_chunks::<BLOCK>().0);
        for (block, (p, m)) in p.iter().zip(m).enumerate() {
            let mut terms = [0.0; BLOCK];
            let mut logs = [0.0; BLOCK];
            for j in 0..BLOCK {
                let found = compare(p[j], m[j]);
                let r = found.excess;
                terms[j] = m[j] * ((1.0 + r) * found.log1pmx + r * r);
                logs[j] = r + found.log1pmx;
            }
            add(&mut sums, &terms);
            if with_grad {
                let at = i * width + block * BLOCK;
                work.log[at..at + BLOCK].copy_from_slice(&logs);
            }
        }
        work.kl[i] = reduce(sums);
    }
    if with_grad {
        for (i, grad) in grads.iter_mut().enumerate() {
            let (p, log) = (&work.p[i * width..], &work.log[i * width..]);
            let (w, kl) = (w[i], work.kl[i]);
            for ((to, p), log) in grad.iter_mut().zip(p).zip(log) {
                *to = F::from_f64(w * p * (log - kl));
            }
        }
    }
    work.kl.iter().zip(w).map(|(kl, w)| kl * w).sum()
}

/// The least and the largest logit; NaN if one is.
#[inline(always)]
fn ends<F: Real, const BLOCK: usize>(row: &[F]) -> (f64, f64) {
    let (mut low, mut high, mut bad) = ([row[0]; BLOCK], [row[0]; BLOCK], [false; BLOCK]);
    let (chunks, rest) = row.as_chunks::<BLOCK>();
    for chunk in chunks {
        for j in 0..BLOCK {
            let x = chunk[j];
            low[j] = if x < low[j] { x } else { low[j] };
            high[j] = if x > high[j] { x } else { high[j] };
            bad[j] |= x.partial_cmp(&x).is_none();
        }
    }
    for (j, &x) in rest.iter().enumerate() {
        low[j] = if x < low[j] { x } else { low[j] };
        high[j] = if x > high[j] { x } else { high[j] };
        bad[j] |= x.partial_cmp(&x).is_none();
    }
    if bad.contains(&true) {
        return (f64::NAN, f64::NAN);
    }
    let least = low.iter().fold(f64::INFINITY, |a, b| a.min(b.to_f64()));
    (least, high.iter().fold(f64::NEG_INFINITY, |a, b| a.max(b.to_f64())))
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

#[inline(always)]
fn reduce([a, b, c, d, e, f, g, h]: [f64; 8]) -> f64 {
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
