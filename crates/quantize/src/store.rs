//! Codebooks in files: through serde, and as safetensors.

#[cfg(feature = "serde")]
mod through_serde {
    use ndarray::Array2;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use variata_distributions::lanes::Compute;

    use crate::codebook::{Codebook, Metric};

    #[derive(Serialize)]
    #[serde(rename = "Codebook")]
    struct Borrowed<'a, T> {
        metric: Metric,
        codes: &'a Array2<T>,
    }

    #[derive(Deserialize)]
    #[serde(rename = "Codebook")]
    struct Owned<T> {
        metric: Metric,
        codes: Array2<T>,
    }

    impl<T: Compute + Serialize> Serialize for Codebook<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            Borrowed { metric: self.metric(), codes: self.codes() }.serialize(serializer)
        }
    }

    impl<'de, T: Compute + Deserialize<'de>> Deserialize<'de> for Codebook<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let Owned { metric, codes } = Owned::<T>::deserialize(deserializer)?;
            // A file may hold what no codebook does.
            Self::new(codes, metric).map_err(D::Error::custom)
        }
    }
}

#[cfg(feature = "safetensors")]
mod as_safetensors {
    use std::collections::HashMap;
    use std::fmt::Display;
    use std::fs;
    use std::io::Write;
    use std::path::Path;

    use ndarray::Array2;
    use safetensors::tensor::TensorView;
    use safetensors::{Dtype, SafeTensors};
    use variata_distributions::lanes::Compute;

    use crate::codebook::{Codebook, Metric};
    use crate::error::Error;

    /// Name of the tensor, and of the entry of the header that holds the metric.
    const NAME: &str = "codebook";
    const METRIC: &str = "metric";
    const METRICS: [(&str, Metric); 2] =
        [("squared_euclidean", Metric::SquaredEuclidean), ("cosine", Metric::Cosine)];

    fn error(path: &Path, what: impl Display) -> Error {
        Error::File { path: path.to_path_buf(), what: what.to_string() }
    }

    impl<T: Compute> Codebook<T> {
        /// Writes the codes as tensor `codebook` [K, D] of a safetensors file, with the metric in its header; first under a temporary name
        /// beside it, so that no reader meets half a file.
        ///
        /// # Errors
        /// [`Error::File`] if the file cannot be written; one that was there before stays then.
        pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
            let path = path.as_ref();
            let (dtype, bytes): (_, Vec<u8>) = if T::SINGLE {
                (Dtype::F32, self.codes().iter().flat_map(|v| (v.to_f64() as f32).to_le_bytes()).collect())
            } else {
                (Dtype::F64, self.codes().iter().flat_map(|v| v.to_f64().to_le_bytes()).collect())
            };
            let shape = self.codes().shape().to_vec();
            let view = TensorView::new(dtype, shape, &bytes).map_err(|e| error(path, e))?;
            let metric =
                METRICS.iter().find(|(_, metric)| *metric == self.metric()).map_or("", |(name, _)| name);
            let header = HashMap::from([(METRIC.to_owned(), metric.to_owned())]);
            let file = safetensors::serialize([(NAME, view)], Some(header)).map_err(|e| error(path, e))?;
            variata_files::replace(path, |to| to.write_all(&file)).map_err(|e| error(path, e))
        }

        /// Reads what [`save`](Self::save) wrote, or tensor `codebook` [K, D] of any safetensors file, of type F16, BF16, F32 or F64 (F64 only
        /// into a codebook of f64). Without an entry `metric` in the header the metric is squared Euclidean.
        ///
        /// # Errors
        /// [`Error::File`] if the file cannot be read or holds something else, and as [`Codebook::new`].
        pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
            let path = path.as_ref();
            let bytes = fs::read(path).map_err(|e| error(path, e))?;
            let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| error(path, e))?;
            let metric = match header.metadata().as_ref().and_then(|entries| entries.get(METRIC)) {
                None => Metric::SquaredEuclidean,
                Some(name) => METRICS
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, metric)| *metric)
                    .ok_or_else(|| error(path, format!("metric `{name}` is not known")))?,
            };
            let tensors = SafeTensors::deserialize(&bytes).map_err(|e| error(path, e))?;
            let tensor = tensors.tensor(NAME).map_err(|e| error(path, e))?;
            let [count, dimensions] = tensor.shape() else {
                return Err(error(
                    path,
                    format!("`{NAME}` has shape {:?}, must be [codes, dimensions]", tensor.shape()),
                ));
            };
            let values = numbers::<T>(tensor.dtype(), tensor.data());
            let values = values.filter(|_| tensor.dtype() != Dtype::F64 || !T::SINGLE);
            let values = values.ok_or_else(|| {
                error(
                    path,
                    format!("`{NAME}` has type {:?}, which {} does not hold", tensor.dtype(), T::NAME),
                )
            })?;
            let codes = Array2::from_shape_vec((*count, *dimensions), values).map_err(|e| error(path, e))?;
            Self::new(codes, metric)
        }
    }

    /// Numbers of a type, from little-endian bytes.
    fn numbers<T: Compute>(dtype: Dtype, data: &[u8]) -> Option<Vec<T>> {
        let wide = T::from_f64;
        Some(match dtype {
            Dtype::F64 => data.as_chunks::<8>().0.iter().map(|b| wide(f64::from_le_bytes(*b))).collect(),
            Dtype::F32 => {
                data.as_chunks::<4>().0.iter().map(|b| wide(f64::from(f32::from_le_bytes(*b)))).collect()
            }
            Dtype::BF16 => {
                let single = |b: &[u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16);
                data.as_chunks::<2>().0.iter().map(|b| wide(f64::from(single(b)))).collect()
            }
            Dtype::F16 => {
                data.as_chunks::<2>().0.iter().map(|b| wide(half_precision(u16::from_le_bytes(*b)))).collect()
            }
            _ => return None,
        })
    }

    /// The value of an f16.
    fn half_precision(bits: u16) -> f64 {
        let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
        let size = match exponent {
            0 => fraction * 2f64.powi(-24),
            31 if fraction == 0.0 => f64::INFINITY,
            31 => f64::NAN,
            _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
        };
        if bits >> 15 == 1 { -size } else { size }
    }
}
