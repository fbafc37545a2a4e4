//! What JPEG loses: colour transform, chroma subsampling, quantised cosines, and back.
//!
//! Source: ITU-T T.81, annexes A and K (tables), JFIF (colours). All in the integers of libjpeg, which Pillow encodes and decodes with, so
//! that each value is the same: colours with 16 bits behind the point, cosines with 13 by Loeffler, Ligtenberg, Moschytz, "Practical fast
//! 1-D DCT algorithms with 11 multiplications" (1989).

use super::planes::Planes;

/// Table K.1, by rows.
const LUMINANCE: [i32; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17,
    22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78,
    87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
/// Table K.2, by rows: what is not listed is 99.
const CHROMINANCE: [[i32; 4]; 4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]];

/// The level of no colour.
const MIDDLE: i32 = 128;

/// 8×8 numbers by rows.
type Block = [i32; 64];

/// One channel of samples 0 … 255.
struct Plane {
    height: usize,
    width: usize,
    data: Vec<i32>,
}

impl Plane {
    fn row(&self, y: usize) -> &[i32] {
        &self.data[y * self.width..(y + 1) * self.width]
    }

    /// Mean of 2×2 samples; halves go up and down in turn. As wide as whole blocks need: libjpeg repeats the last column before it halves.
    fn halved(&self) -> Self {
        let (height, width) = (self.height.div_ceil(2), 8 * self.width.div_ceil(16));
        let mut data = Vec::with_capacity(height * width);
        for y in 0..height {
            let (upper, lower) = (self.row(2 * y), self.row((2 * y + 1).min(self.height - 1)));
            let pair = |x: usize| upper[x.min(self.width - 1)] + lower[x.min(self.width - 1)];
            data.extend((0..width).map(|x| (pair(2 * x) + pair(2 * x + 1) + 1 + (x % 2) as i32) >> 2));
        }
        Self { height, width, data }
    }

    /// Its first columns.
    fn narrowed(&self, width: usize) -> Self {
        let data = (0..self.height).flat_map(|y| &self.row(y)[..width]).copied().collect();
        Self { height: self.height, width, data }
    }

    /// Twice the size: ¾ of the nearer and ¼ of the farther sample along each axis; of at most two columns each sample four times, as
    /// libjpeg does.
    fn doubled(&self, height: usize, width: usize) -> Self {
        let mut data = Vec::with_capacity(height * width);
        let mut columns = vec![0; self.width];
        for y in 0..height {
            let near = self.row(y / 2);
            if self.width <= 2 {
                data.extend((0..width).map(|x| near[x / 2]));
                continue;
            }
            let far = if y.is_multiple_of(2) {
                (y / 2).saturating_sub(1)
            } else {
                (y / 2 + 1).min(self.height - 1)
            };
            for (sum, (near, far)) in columns.iter_mut().zip(near.iter().zip(self.row(far))) {
                *sum = 3 * near + far;
            }
            let mixed = |x: usize| {
                let (at, even) = (x / 2, x.is_multiple_of(2));
                let far = if even { at.saturating_sub(1) } else { (at + 1).min(self.width - 1) };
                (3 * columns[at] + columns[far] + if even { 8 } else { 7 }) >> 4
            };
            data.extend((0..width).map(mixed));
        }
        Self { height, width, data }
    }

    /// Quantised and restored in blocks of 8×8; past the ends the last sample is repeated.
    fn quantised(&self, table: &Block) -> Self {
        let mut result = Self { height: self.height, width: self.width, data: vec![0; self.data.len()] };
        for top in (0..self.height).step_by(8) {
            for left in (0..self.width).step_by(8) {
                let (rows, columns) = ((self.height - top).min(8), (self.width - left).min(8));
                let mut block = [0; 64];
                for (y, to) in block.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                    let from = &self.row(top + y.min(rows - 1))[left..left + columns];
                    *to = std::array::from_fn(|x| from[x.min(columns - 1)] - MIDDLE);
                }
                restored(&mut block, table);
                for (y, from) in block.as_chunks::<8>().0.iter().enumerate().take(rows) {
                    let at = (top + y) * self.width + left;
                    for (to, from) in result.data[at..at + columns].iter_mut().zip(from) {
                        *to = (from + MIDDLE).clamp(0, 255);
                    }
                }
            }
        }
        result
    }
}

/// To cosines, to whole multiples of the table, and back.
fn restored(block: &mut Block, table: &Block) {
    rows(block, |line| forward(line, false));
    columns(block, |line| forward(line, true));
    for (value, step) in block.iter_mut().zip(table) {
        // The transform has a factor of 8.
        let step_8 = 8 * step;
        let count = (value.abs() + step_8 / 2) / step_8;
        *value = value.signum() * count * step;
    }
    columns(block, |line| inverse(line, BITS - SPARE));
    rows(block, |line| inverse(line, BITS + SPARE + 3));
}

fn rows(block: &mut Block, pass: impl Fn([i32; 8]) -> [i32; 8]) {
    for row in block.as_chunks_mut::<8>().0 {
        *row = pass(*row);
    }
}

fn columns(block: &mut Block, pass: impl Fn([i32; 8]) -> [i32; 8]) {
    for x in 0..8 {
        for (y, value) in pass(std::array::from_fn(|y| block[8 * y + x])).into_iter().enumerate() {
            block[8 * y + x] = value;
        }
    }
}

/// Bits of the constants behind the point.
const BITS: u32 = 13;
/// Bits that the first of two passes keeps behind the point.
const SPARE: u32 = 2;

/// A number with some bits behind the point.
const fn fixed(x: f64, bits: u32) -> i32 {
    (x * (1u32 << bits) as f64 + 0.5) as i32
}

/// x/2ᵇ to the nearest, halves up.
fn rounded(x: i32, bits: u32) -> i32 {
    (x + (1 << (bits - 1))) >> bits
}

/// Eight samples to √8 times their orthonormal cosines; twice, 8 times those of a block, of which the first pass keeps its spare bits.
fn forward(v: [i32; 8], last: bool) -> [i32; 8] {
    let sums: [i32; 4] = std::array::from_fn(|i| v[i] + v[7 - i]);
    let gaps: [i32; 4] = std::array::from_fn(|i| v[i] - v[7 - i]);
    let (outer, inner) = (sums[0] + sums[3], sums[1] + sums[2]);
    let whole = |x: i32| if last { rounded(x, SPARE) } else { x << SPARE };
    let fraction = |x: i32| rounded(x, if last { BITS + SPARE } else { BITS - SPARE });
    let [c2, c6] = rotated(sums[0] - sums[3], sums[1] - sums[2]).map(fraction);
    let [c1, c3, c5, c7] = odd(gaps).map(fraction);
    [whole(outer + inner), c1, c2, c3, whole(outer - inner), c5, c6, c7]
}

/// The transpose, divided by 2ᵇ.
///
/// Cosines of a block, in multiples of 151 at most, have a norm of no more than 8·128 + 8·76: no sum here reaches 2³¹.
fn inverse(v: [i32; 8], bits: u32) -> [i32; 8] {
    let (plus, minus) = ((v[0] + v[4]) << BITS, (v[0] - v[4]) << BITS);
    let [c2, c6] = rotated(v[2], v[6]);
    let even = [plus + c2, minus + c6, minus - c6, plus - c2];
    let odd = odd([v[1], v[3], v[5], v[7]]);
    std::array::from_fn(|i| {
        let at = i.min(7 - i);
        rounded(if i < 4 { even[at] + odd[at] } else { even[at] - odd[at] }, bits)
    })
}

/// c₂a + c₆b and c₆a − c₂b with cₖ = √2 cos(kπ/16).
fn rotated(a: i32, b: i32) -> [i32; 2] {
    let both = (a + b) * const { fixed(0.541196100, BITS) }; // c₆
    // c₂ − c₆ and c₂ + c₆.
    [both + a * const { fixed(0.765366865, BITS) }, both - b * const { fixed(1.847759065, BITS) }]
}

/// c₁a + c₃b + c₅c + c₇d, c₃a − c₇b − c₁c − c₅d, c₅a − c₁b + c₇c + c₃d, c₇a − c₅b + c₃c − c₁d: a matrix that is its own transpose.
fn odd([a, b, c, d]: [i32; 4]) -> [i32; 4] {
    let both = (a + b + c + d) * const { fixed(1.175875602, BITS) }; // c₃
    let ad = (a + d) * const { -fixed(0.899976223, BITS) }; // c₇ − c₃
    let bc = (b + c) * const { -fixed(2.562915447, BITS) }; // −c₁ − c₃
    let bd = (b + d) * const { -fixed(1.961570560, BITS) } + both; // −c₃ − c₅
    let ac = (a + c) * const { -fixed(0.390180644, BITS) } + both; // c₅ − c₃
    [
        a * const { fixed(1.501321110, BITS) } + ad + ac, // c₁ + c₃ − c₅ − c₇
        b * const { fixed(3.072711026, BITS) } + bc + bd, // c₁ + c₃ + c₅ − c₇
        c * const { fixed(2.053119869, BITS) } + bc + ac, // c₁ + c₃ − c₅ + c₇
        d * const { fixed(0.298631336, BITS) } + ad + bd, // −c₁ + c₃ + c₅ − c₇
    ]
}

/// Bits of colours behind the point.
const COLOR: u32 = 16;
/// What rounds them to the nearest.
const HALF: i32 = 1 << (COLOR - 1);

/// Weights of red, green and blue.
const fn weights(of: [f64; 3]) -> [i32; 3] {
    let mut all = [0; 3];
    let mut i = 0;
    while i < 3 {
        all[i] = if of[i] < 0.0 { -fixed(-of[i], COLOR) } else { fixed(of[i], COLOR) };
        i += 1;
    }
    all
}

const TO_Y: [i32; 3] = weights([0.299, 0.587, 0.114]);
const TO_BLUE: [i32; 3] = weights([-0.168735892, -0.331264108, 0.5]);
const TO_RED: [i32; 3] = weights([0.5, -0.418687589, -0.081312411]);

/// Red, green and blue of a pixel; libjpeg has these factors with five digits only.
fn rgb(y: i32, cb: i32, cr: i32) -> [i32; 3] {
    let red = const { fixed(1.402, COLOR) } * cr;
    let green = const { -fixed(0.34414, COLOR) } * cb - const { fixed(0.71414, COLOR) } * cr;
    let blue = const { fixed(1.772, COLOR) } * cb;
    [red, green, blue].map(|shift| (y + ((shift + HALF) >> COLOR)).clamp(0, 255))
}

/// A table at a quality of 1 to 100.
fn scaled(of: impl Fn(usize) -> i32, quality: i32) -> Block {
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    std::array::from_fn(|i| ((of(i) * percent + 50) / 100).clamp(1, 255))
}

/// Compressed and decompressed.
pub(super) fn compressed(image: &Planes, level: usize) -> Planes {
    let quality = [80, 65, 58, 50, 40][level];
    let luminance = scaled(|i| LUMINANCE[i], quality);
    let (height, width) = (image.height, image.width);
    // JPEG is a format of 8 bits: images in f32 are rounded to them first.
    let samples: Vec<i32> = image.data.iter().map(|x| (x * 255.0).round() as i32).collect();
    let finish = |x: i32| f64::from(x) / 255.0;
    if image.channels == 1 {
        let plane = Plane { height, width, data: samples }.quantised(&luminance);
        return Planes { data: plane.data.into_iter().map(finish).collect(), ..*image };
    }
    let chrominance =
        scaled(|i| CHROMINANCE.get(i / 8).and_then(|row| row.get(i % 8)).copied().unwrap_or(99), quality);
    let mixed = |[r, g, b]: [i32; 3], shift: i32| {
        let pixels = samples.as_chunks::<3>().0.iter();
        let data =
            pixels.map(|pixel| (r * pixel[0] + g * pixel[1] + b * pixel[2] + shift) >> COLOR).collect();
        Plane { height, width, data }
    };
    let y = mixed(TO_Y, HALF).quantised(&luminance);
    let color = |weights| {
        // Halves go down, so that the largest is 255.
        let halved = mixed(weights, (MIDDLE << COLOR) + HALF - 1).halved().quantised(&chrominance);
        halved.narrowed(width.div_ceil(2)).doubled(height, width)
    };
    let (blue, red) = (color(TO_BLUE), color(TO_RED));
    let mut data = Vec::with_capacity(image.data.len());
    for ((y, cb), cr) in y.data.iter().zip(&blue.data).zip(&red.data) {
        data.extend(rgb(*y, cb - MIDDLE, cr - MIDDLE).map(finish));
    }
    Planes { data, ..*image }
}
