#![doc = include_str!("../README.md")]

mod density;
mod diagonal;
mod error;
mod factorisation;
mod gradient;
mod kernel;
mod low_rank_mvn;
mod matrices;
mod panel;
mod sampling;
mod slopes;
mod storage;
mod transpose;

pub use diagonal::CovDiag;
pub use error::Error;
pub use gradient::{LogProbAndEntropy, LowRankMvnGrad, LowRankMvnLogProbGrad};
pub use low_rank_mvn::LowRankMvn;
pub use storage::Storage;
