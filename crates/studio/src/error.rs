//! What may go wrong.

use std::net::SocketAddr;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why the studio cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is taken or not this machine's.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Threads or the event loop cannot be started.
    #[error("cannot run: {source}")]
    Run {
        /// The system's reason.
        source: std::io::Error,
    },
    /// The generator's images cannot be shown.
    #[error("the generator has images of {shape:?}, must be 1 or 3 channels of 1 to 1024 rows and columns")]
    Shape {
        /// Channels, rows, columns.
        shape: [usize; 3],
    },
}

/// Why a request is refused: a status, and a sentence for the person at the page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) reason: String,
}

impl Refused {
    /// The request makes no sense.
    pub(crate) fn bad(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, reason: reason.into() }
    }

    pub(crate) fn unknown_session() -> Self {
        let reason = "this session is not known any more; reload the page to go on from its link".to_owned();
        Self { status: StatusCode::NOT_FOUND, reason }
    }

    /// The model, or the numbers that it gave, failed.
    pub(crate) fn model(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, reason: reason.into() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.reason }))).into_response()
    }
}
