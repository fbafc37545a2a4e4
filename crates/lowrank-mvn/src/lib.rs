#![doc = include_str!("../README.md")]

mod density;
mod diagonal;
mod error;
mod factorisation;
mod gradient;
mod low_rank_mvn;
mod matrices;
mod sampling;

pub use diagonal::CovDiag;
pub use error::Error;
pub use gradient::{LowRankMvnGrad, LowRankMvnLogProbGrad};
pub use low_rank_mvn::LowRankMvn;
