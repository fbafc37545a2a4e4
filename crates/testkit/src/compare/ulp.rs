//! Distance counted in representable numbers.

/// How many steps of one representable number lead from `a` to `b`.
///
/// +0 and −0 are the same number, so that the smallest positive and the smallest negative number are 2 apart.
/// `u64::MAX` where no count makes sense: one is NaN, or one is infinite and the other is not that infinity.
///
/// ```
/// use variata_testkit::compare::ulp_distance;
///
/// assert_eq!(ulp_distance(1.0, 1.0 + f64::EPSILON), 1);
/// assert_eq!(ulp_distance(0.0, -0.0), 0);
/// assert_eq!(ulp_distance(f64::MAX, f64::INFINITY), u64::MAX);
/// ```
pub fn ulp_distance(a: f64, b: f64) -> u64 {
    if incomparable(a, b) {
        return u64::MAX;
    }
    // Ordered by value: non-negative numbers keep their bits, negative ones count down from 0.
    let rank = |x: f64| {
        let bits = x.to_bits() as i64;
        if bits < 0 { i64::MIN - bits } else { bits }
    };
    rank(a).abs_diff(rank(b))
}

/// [`ulp_distance`] for `f32`.
///
/// ```
/// assert_eq!(variata_testkit::compare::ulp_distance_f32(1.0, 1.0 + f32::EPSILON), 1);
/// ```
pub fn ulp_distance_f32(a: f32, b: f32) -> u64 {
    if incomparable(a as f64, b as f64) {
        return u64::MAX;
    }
    let rank = |x: f32| {
        let bits = x.to_bits() as i32;
        if bits < 0 { i32::MIN - bits } else { bits }
    };
    u64::from(rank(a).abs_diff(rank(b)))
}

fn incomparable(a: f64, b: f64) -> bool {
    a.is_nan() || b.is_nan() || ((a.is_infinite() || b.is_infinite()) && a != b)
}
