//! A first look at all codes in bf16, at twice the rate of f32 where the processor multiplies pairs of them.
//!
//! What it cannot tell apart for certain is left to f32: by the norms of what rounding took from a vector and from the codes, the
//! error of a score is at most ‖δz‖·‖e‖ + ‖z‖·‖δe‖, about a third of the 2⁻⁸·‖z‖·‖e‖ that the format alone promises.
#![expect(
    unsafe_code,
    reason = "instructions that are called where they were detected, on slices that were cut to their size"
)]

use std::sync::atomic::{AtomicUsize, Ordering};

use variata_distributions::lanes::{Compute, STEP, widest};

use crate::pack::{Packed, ROWS};

/// Fewer codes do not pay for rounding the vectors.
const FEWEST: usize = 64;
/// Bytes of rounded codes that are used for all panels of a task before the next.
const CODES: usize = 1 << 17;
/// Codes from which on their sections are told apart: fewer are all looked at in f32 as soon as some of them one by one in f64.
const MANY: usize = 2048;
/// Pairs of dimensions from which on that costs little beside the products.
const DEEP: usize = 32;
/// About how many sections such codes are in.
const SECTIONS: usize = 512;
/// A row is settled code by code only if at most one of so many codes is a candidate: that costs about as much as all codes in f32.
const FEW: usize = 48;

/// Codes as pairs of bf16.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    /// Pairs of dimensions.
    pairs: usize,
    /// [group][pair][code], negated as in [`Packed`], the lower dimension in the lower half.
    data: Vec<u32>,
    bias: Vec<f32>,
    numbers: Vec<f32>,
    count: usize,
    /// Groups of codes in a section, where sections are told apart.
    section: Option<usize>,
    /// Largest norm of a packed code, and of what rounding took from one.
    reach: f64,
    lost: f64,
}

/// Rows as pairs of bf16, and what was found for them.
#[derive(Debug, Default)]
pub(crate) struct Found {
    panels: Vec<u32>,
    /// Squared norms of what rounding took.
    lost: Vec<f32>,
    /// The three smallest scores of each row, and the positions of two.
    scores: [Vec<f32>; 3],
    positions: [Vec<f32>; 2],
    /// [section][row], the smallest score there.
    smallest: Vec<f32>,
}

/// What a look says of a row: the position of the nearest code, or two or some of which one is it.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    One(usize),
    Two([usize; 2]),
    Few(Vec<usize>),
    Open,
}

/// How many rows were looked at and how many stayed undecided.
#[derive(Debug, Default)]
pub(crate) struct Record {
    seen: AtomicUsize,
    open: AtomicUsize,
}

impl Record {
    /// Rows before which nothing is concluded.
    const FIRST: usize = 1024;

    pub(crate) fn add(&self, seen: usize, open: usize) {
        self.seen.fetch_add(seen, Ordering::Relaxed);
        self.open.fetch_add(open, Ordering::Relaxed);
    }

    /// Whether less than a third stays undecided, so that the look saves time. It does not change what is found.
    pub(crate) fn pays(&self) -> bool {
        let seen = self.seen.load(Ordering::Relaxed);
        seen < Self::FIRST || 3 * self.open.load(Ordering::Relaxed) < seen
    }
}

/// The nearest bf16, as its bits, of a number that is finite; numbers that the processor takes for 0 are 0.
#[inline(always)]
fn round(value: f32) -> u32 {
    let bits = value.to_bits();
    let rounded = (bits.wrapping_add(0x7FFF + ((bits >> 16) & 1))) >> 16;
    if bits & 0x7F80_0000 == 0 { 0 } else { rounded }
}

/// What rounding takes from a number.
#[inline(always)]
fn lost(value: f32, rounded: u32) -> f32 {
    value - f32::from_bits(rounded << 16)
}

/// Whether the processor has the instruction.
fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

impl Screen {
    /// `None` where it is of no use: other elements, few codes, codes of a size that could not be brought near 1, another
    /// processor.
    pub(crate) fn new<T: Compute>(packed: &Packed<T>) -> Option<Self> {
        let count = packed.ids.len();
        let reach = packed.reach();
        if !T::SINGLE
            || packed.step != STEP
            || count < FEWEST
            || !(0.5..4.0).contains(&reach)
            || !is_available()
        {
            return None;
        }
        let (depth, pairs) = (packed.depth, packed.depth.div_ceil(2));
        let mut data = vec![0; packed.bias.len() * pairs];
        let mut largest = 0.0f64;
        for position in 0..count {
            let group = position / STEP * STEP * pairs + position % STEP;
            let mut square = 0.0;
            for d in 0..depth {
                let value = packed.element(position, d).to_f64() as f32;
                let rounded = round(value);
                data[group + d / 2 * STEP] |= rounded << (16 * (d % 2));
                square += f64::from(lost(value, rounded)).powi(2);
            }
            largest = largest.max(square);
        }
        let singles = |values: &[T]| values.iter().map(|v| v.to_f64() as f32).collect();
        let (bias, numbers) = (singles(&packed.bias), singles(&packed.numbers));
        let section = (count >= MANY && pairs >= DEEP).then(|| packed.bias.len().div_ceil(STEP * SECTIONS));
        Some(Self { pairs, data, bias, numbers, count, section, reach, lost: largest.sqrt() })
    }

    /// What is known of row `row`, whose norm is `norm`; `doubt` is how far two scores may be apart while round-off in f32 decides.
    pub(crate) fn verdict(&self, found: &Found, row: usize, norm: f64, doubt: f64) -> Verdict {
        let lost = f64::from(found.lost[row]).sqrt();
        // 1 % for the roundings of the norms.
        let doubt = doubt + 2.02 * (lost * self.reach + (norm + lost) * self.lost);
        let [best, second, third] = [0, 1, 2].map(|k| f64::from(found.scores[k][row]));
        let [first, other] = [0, 1].map(|k| found.positions[k][row] as usize);
        // Scores that are not finite say nothing.
        if second - best > doubt {
            Verdict::One(first)
        } else if third - best > doubt {
            Verdict::Two([first, other])
        } else {
            self.few(found, row, best + doubt).map_or(Verdict::Open, Verdict::Few)
        }
    }

    /// The codes of the sections in which a score of row `row` may be the smallest, unless they are many: at most `limit`.
    fn few(&self, found: &Found, row: usize, limit: f64) -> Option<Vec<usize>> {
        let codes = self.section? * STEP;
        let smallest = found.smallest.chunks_exact(found.lost.len()).map(|of| f64::from(of[row]));
        let open = smallest.enumerate().filter(|(_, smallest)| !(*smallest > limit)).map(|(k, _)| k);
        let open: Vec<usize> = open.collect();
        let positions = |k| k * codes..self.count.min((k + 1) * codes);
        (FEW * open.len() * codes <= self.count).then(|| open.into_iter().flat_map(positions).collect())
    }

    /// Finds the smallest scores of each row of panels [panel][dimension][row].
    pub(crate) fn look<T: Compute>(&self, panels: &[T], depth: usize, found: &mut Found) {
        let rows = panels.len() / depth;
        found.panels.resize(rows * self.pairs, 0);
        found.lost.clear();
        found.lost.resize(rows, 0.0);
        let to = found.panels.chunks_exact_mut(ROWS * self.pairs).zip(found.lost.as_chunks_mut::<ROWS>().0);
        for (panel, (to, squares)) in panels.chunks_exact(ROWS * depth).zip(to) {
            widest(
                #[inline(always)]
                || {
                    let columns = panel.chunks(2 * ROWS).zip(to.as_chunks_mut::<ROWS>().0);
                    for (columns, pairs) in columns {
                        let (low, high) = columns.split_at(ROWS);
                        for ((pair, v), square) in pairs.iter_mut().zip(low).zip(squares.iter_mut()) {
                            let v = v.to_f64() as f32;
                            *pair = round(v);
                            *square += lost(v, *pair) * lost(v, *pair);
                        }
                        for ((pair, v), square) in pairs.iter_mut().zip(high).zip(squares.iter_mut()) {
                            let v = v.to_f64() as f32;
                            let rounded = round(v);
                            *pair |= rounded << 16;
                            *square += lost(v, rounded) * lost(v, rounded);
                        }
                    }
                },
            );
        }
        let Found { scores, positions, .. } = found;
        for (values, start) in
            scores.iter_mut().zip([f32::INFINITY; 3]).chain(positions.iter_mut().zip([0.0; 2]))
        {
            values.clear();
            values.resize(rows, start);
        }
        found
            .smallest
            .resize(self.section.map_or(0, |size| self.bias.len().div_ceil(STEP * size)) * rows, 0.0);
        #[cfg(target_arch = "x86_64")]
        {
            // SAFETY: a `Screen` is made where the instructions were detected.
            unsafe {
                if let Some(section) = self.section {
                    self.smallest::<true>(section, found);
                } else {
                    self.smallest::<false>(1, found);
                }
            };
        }
    }

    /// # Safety
    /// The processor has AVX-512 F and BF16.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn smallest<const SECTIONED: bool>(&self, section: usize, found: &mut Found) {
        use std::arch::x86_64::{
            __m512bh, __m512i, _CMP_LT_OQ, _mm512_cmp_ps_mask, _mm512_dpbf16_ps, _mm512_loadu_ps,
            _mm512_loadu_si512, _mm512_mask_blend_ps, _mm512_max_ps, _mm512_min_ps, _mm512_set1_epi32,
            _mm512_set1_ps, _mm512_storeu_ps,
        };
        // SAFETY: both are 64 bytes without a meaning of their own.
        let halves = |v: __m512i| unsafe { std::mem::transmute::<__m512i, __m512bh>(v) };
        let Self { pairs, data, bias, numbers, .. } = self;
        let group = STEP * pairs;
        // Whole sections.
        let block = (CODES / size_of::<u32>() / group / section).max(1) * section;
        let padded = found.lost.len();
        for (n, data) in data.chunks(block * group).enumerate() {
            let at = n * block * STEP..;
            let columns =
                bias[at.clone()].as_chunks::<STEP>().0.iter().zip(numbers[at].as_chunks::<STEP>().0);
            let [best, second, third] = &mut found.scores;
            let [first, other] = &mut found.positions;
            for (p, panel) in found.panels.chunks_exact(ROWS * pairs).enumerate() {
                let mut here =
                    [&mut *best, second, third, first, other].map(|of| &mut of[p * ROWS..][..ROWS]);
                // SAFETY: here and below, 16 of 32 numbers, from 0 or 16 on.
                let load = |from: &[f32]| [0, 16].map(|v| unsafe { _mm512_loadu_ps(from.as_ptr().add(v)) });
                let [mut b, mut s, mut t, mut i, mut o] = here.each_ref().map(|of| load(of));
                let mut least = [_mm512_set1_ps(f32::INFINITY); 2];
                for (k, (codes, (bias, numbers))) in data.chunks_exact(group).zip(columns.clone()).enumerate()
                {
                    let mut scores = bias.map(|bias| [_mm512_set1_ps(bias); 2]);
                    for (rows, codes) in panel.as_chunks::<ROWS>().0.iter().zip(codes.as_chunks::<STEP>().0) {
                        // SAFETY: as above.
                        let rows = [0, 16]
                            .map(|v| halves(unsafe { _mm512_loadu_si512(rows.as_ptr().add(v).cast()) }));
                        for j in 0..STEP {
                            let code = halves(_mm512_set1_epi32(codes[j].cast_signed()));
                            scores[j][0] = _mm512_dpbf16_ps(scores[j][0], rows[0], code);
                            scores[j][1] = _mm512_dpbf16_ps(scores[j][1], rows[1], code);
                        }
                    }
                    for (scores, &number) in scores.iter().zip(numbers) {
                        let number = _mm512_set1_ps(number);
                        for v in 0..2 {
                            let first = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(scores[v], b[v]);
                            let second = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(scores[v], s[v]);
                            o[v] = _mm512_mask_blend_ps(second, o[v], number);
                            o[v] = _mm512_mask_blend_ps(first, o[v], i[v]);
                            i[v] = _mm512_mask_blend_ps(first, i[v], number);
                            t[v] = _mm512_min_ps(t[v], _mm512_max_ps(scores[v], s[v]));
                            s[v] = _mm512_min_ps(s[v], _mm512_max_ps(scores[v], b[v]));
                            b[v] = _mm512_min_ps(scores[v], b[v]);
                            if SECTIONED {
                                least[v] = _mm512_min_ps(scores[v], least[v]);
                            }
                        }
                    }
                    if SECTIONED && ((k + 1) % section == 0 || (k + 1) * group == data.len()) {
                        let at = (n * block + k) / section * padded + p * ROWS;
                        let to = &mut found.smallest[at..at + ROWS];
                        for (v, least) in least.iter_mut().enumerate() {
                            // SAFETY: as above.
                            unsafe { _mm512_storeu_ps(to.as_mut_ptr().add(16 * v), *least) };
                            *least = _mm512_set1_ps(f32::INFINITY);
                        }
                    }
                }
                for (to, from) in here.iter_mut().zip([b, s, t, i, o]) {
                    for (v, from) in from.into_iter().enumerate() {
                        // SAFETY: as above.
                        unsafe { _mm512_storeu_ps(to.as_mut_ptr().add(16 * v), from) };
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::codebook::Metric;

    #[test]
    fn rounding_is_to_nearest_even_and_flushes() {
        for (value, want) in [
            (1.0f32, 0x3F80),
            (1.0 + 1.0 / 256.0, 0x3F80),
            (1.0 + 3.0 / 256.0, 0x3F82),
            (1.0 + 1.0 / 256.0 + 1e-6, 0x3F81),
            (-1.0 - 3.0 / 256.0, 0xBF82),
            (f32::MAX, 0x7F80),
            (f32::MIN_POSITIVE, 0x0080),
            (f32::MIN_POSITIVE * 0.75, 0),
            (0.0, 0),
        ] {
            assert_eq!(round(value), want, "{value}");
        }
        let value = 1.2345678f32;
        assert!(lost(value, round(value)).abs() <= value / 256.0);
    }

    /// Three codes that bf16 cannot tell apart are looked at with those beside them, not with all.
    #[test]
    fn rows_between_codes_are_settled_among_few() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut codes = Array2::from_shape_simple_fn((3000, 64), || rng.random_range(-1.0f32..1.0));
        let middle = codes.row(1500).to_owned();
        for (k, shift) in [(100, -1e-5), (2999, 1e-5)] {
            codes.row_mut(k).assign(&(&middle + shift));
        }
        let packed = Packed::new(&codes, Metric::SquaredEuclidean, true);
        let Some(screen) = &packed.screen else { return };
        let (mut panels, mut squares, mut found) = (Vec::new(), Vec::new(), Found::default());
        packed.rows(codes.row(1500).as_slice().unwrap(), &mut panels, &mut squares);
        screen.look(&panels, 64, &mut found);
        let norm = f64::from(squares[0]).sqrt();
        let Verdict::Few(few) = screen.verdict(&found, 0, norm, packed.doubt(norm)) else {
            panic!("not settled among few")
        };
        assert!(few.len() <= 3000 / FEW && few.is_sorted());
        let ids: Vec<usize> = few.iter().map(|&position| packed.ids[position]).collect();
        assert!([100, 1500, 2999].iter().all(|k| ids.contains(k)), "{ids:?}");
    }

    #[test]
    fn a_record_stops_what_does_not_pay() {
        let record = Record::default();
        record.add(1000, 1000);
        assert!(record.pays(), "too early to say");
        record.add(100, 0);
        assert!(!record.pays());
        record.add(3000, 100);
        assert!(record.pays());
    }
}
