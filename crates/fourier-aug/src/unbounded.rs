//! Settings that may be infinite, in files: JSON has no number for them and would hold null, which it does not read back.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

/// A finite number as such, others as "inf", "-inf" and "NaN"; in formats of bytes all as numbers.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
pub(crate) fn serialize<S: Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if x.is_finite() || !serializer.is_human_readable() {
        return serializer.serialize_f64(*x);
    }
    serializer.collect_str(x)
}

/// What [`serialize`] writes, TOML's `inf`, and null, as JSON had it for infinity.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    if deserializer.is_human_readable() {
        return deserializer.deserialize_any(Number);
    }
    deserializer.deserialize_f64(Number)
}

struct Number;

impl Visitor<'_> for Number {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, \"inf\", \"-inf\" or \"NaN\"")
    }

    fn visit_f64<E: Error>(self, x: f64) -> Result<f64, E> {
        Ok(x)
    }

    fn visit_i64<E: Error>(self, x: i64) -> Result<f64, E> {
        Ok(x as f64)
    }

    fn visit_u64<E: Error>(self, x: u64) -> Result<f64, E> {
        Ok(x as f64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        match text {
            "inf" => Ok(f64::INFINITY),
            "-inf" => Ok(f64::NEG_INFINITY),
            "NaN" => Ok(f64::NAN),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<f64, E> {
        Ok(f64::INFINITY)
    }
}

/// Ranges whose ends may be infinite.
pub(crate) mod range {
    use std::ops::RangeInclusive;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// The names are those by which serde writes the range itself.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Ends {
        #[serde(with = "super")]
        start: f64,
        #[serde(with = "super")]
        end: f64,
    }

    pub(crate) fn serialize<S: Serializer>(
        x: &RangeInclusive<f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Ends { start: *x.start(), end: *x.end() }.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<RangeInclusive<f64>, D::Error> {
        let Ends { start, end } = Ends::deserialize(deserializer)?;
        Ok(start..=end)
    }
}
