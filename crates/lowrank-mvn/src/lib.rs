#![doc = include_str!("../README.md")]

mod components;
mod condition;
mod density;
mod diagonal;
mod error;
mod factorisation;
mod fit;
mod gradient;
mod grid;
mod kernel;
mod kl;
mod kl_dense;
mod kl_pair;
mod low_rank_mvn;
mod matrices;
mod panel;
mod path;
mod posterior;
mod reflections;
mod roots;
mod rows;
mod sampling;
mod session;
mod slopes;
mod sparse_precision;
mod storage;
#[cfg(feature = "torch")]
pub mod torch;
mod transpose;
mod wasserstein;

pub use components::PrincipalComponents;
pub use condition::Observation;
pub use diagonal::CovDiag;
pub use error::Error;
pub use fit::{FactorAnalysis, FitOptions, OnlinePpca, Pca, fit_factor_analysis, fit_ppca, pca};
pub use gradient::{LogProbAndEntropy, LowRankMvnEntropyGrad, LowRankMvnLogProbGrad};
pub use grid::{Offset, PixelGrid};
pub use kl::LowRankMvnGrad;
pub use low_rank_mvn::LowRankMvn;
pub use path::{lerp, slerp, slerp_grid, slerp_path};
pub use posterior::Posterior;
pub use session::EditSession;
pub use sparse_precision::{SparsePrecisionNormal, SparsePrecisionNormalLogProbGrad};
pub use storage::Storage;
