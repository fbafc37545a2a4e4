//! The page and what it asks for.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Query, Request, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::editor::{Editor, Report, View};
use crate::error::{Error, Refused};
use crate::generator::{Generator, Model};
use crate::link;
use crate::picture::Picture;
use crate::serve::serve;
use crate::sessions::Sessions;
use crate::state::{Action, State};

/// Where to listen, and how much to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Address; this machine alone, port 8080. Port 0 takes any that is free.
    pub address: SocketAddr,
    /// Sessions kept; 64. A further one replaces that which was not used for the longest.
    pub sessions: usize,
    /// Seed of codes and samples; 0.
    pub seed: u64,
    /// How long a request may take to arrive, first its head, then its body; 30 s. So long a connection may lie idle, too.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 8080).into(),
            sessions: 64,
            seed: 0,
            patience: Duration::from_secs(30),
        }
    }
}

/// A studio that listens.
#[derive(Debug)]
pub struct Server {
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
    address: SocketAddr,
    patience: Duration,
    app: Router,
}

/// What all requests share.
#[derive(Debug)]
struct Studio {
    model: Model,
    sessions: Sessions,
    patience: Duration,
}

impl Server {
    /// Listens; nothing is answered before [`run`](Self::run).
    ///
    /// # Errors
    /// The address cannot be listened on, the generator's images cannot be shown, or the thread belongs to a tokio runtime, which `bind` and
    /// [`run`](Self::run) would block: give them one of `std::thread::spawn`.
    pub fn bind(generator: impl Generator, options: &Options) -> Result<Self, Error> {
        let shape = generator.shape();
        if !(matches!(shape[0], 1 | 3) && shape[1..].iter().all(|n| (1..=1024).contains(n))) {
            return Err(Error::Shape { shape });
        }
        outside_of_runtimes()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|source| Error::Run { source })?;
        let address = options.address;
        let refused = |source| Error::Listen { address, source };
        let listener = runtime.block_on(TcpListener::bind(address)).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let model = Model::start(generator, options.seed).map_err(|source| Error::Run { source })?;
        // Clocks end before the longest durations do.
        let patience = options.patience.min(LONGEST);
        let studio = Arc::new(Studio { model, sessions: Sessions::new(options.sessions), patience });
        let mut app = router(studio);
        if address.ip().to_canonical().is_loopback() {
            app = app.layer(from_fn(from_here));
        }
        Ok(Self { runtime, listener, address, patience, app })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until Ctrl-C or SIGTERM, or until `stop` says so. What is unfinished then may take three seconds more, or until a signal comes again;
    /// what computes even then is not waited for.
    ///
    /// # Errors
    /// The system refuses to go on, or as [`bind`](Self::bind) of the thread.
    pub fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        outside_of_runtimes()?;
        let served = self.runtime.block_on(serve(self.listener, self.app, self.patience, stop));
        // Dropped, the runtime would wait for every computation.
        self.runtime.shutdown_background();
        served.map_err(|source| Error::Run { source })
    }
}

/// The longest patience.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Refuses to block a thread of somebody's runtime, where a second one panics.
fn outside_of_runtimes() -> Result<(), Error> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Ok(());
    }
    let reason = "this thread belongs to a tokio runtime: use one of `std::thread::spawn`";
    Err(Error::Run { source: io::Error::other(reason) })
}

fn router(studio: Arc<Studio>) -> Router {
    // A link is longer than a stroke over the whole image.
    let largest = link::longest(studio.model.area()) + (1 << 16);
    let file = |kind: &'static str, text: &'static str| {
        get(
            move || async move { ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text) },
        )
    };
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("../assets/studio.html")))
        .route("/studio.css", file("text/css; charset=utf-8", include_str!("../assets/studio.css")))
        .route("/studio.js", file("text/javascript; charset=utf-8", include_str!("../assets/studio.js")))
        .route("/api/sessions", post(begin))
        .route("/api/sessions/{name}", post(act))
        .route("/api/sessions/{name}/image.png", get(save))
        .fallback(|| async {
            Refused { status: StatusCode::NOT_FOUND, reason: "there is no such page".into() }
        })
        .method_not_allowed_fallback(|| async {
            Refused {
                status: StatusCode::METHOD_NOT_ALLOWED,
                reason: "the page is asked for in another way".into(),
            }
        })
        .layer(DefaultBodyLimit::max(largest))
        .with_state(studio)
}

/// Refuses what a page of somebody else's sends to this machine by a name of its own.
async fn from_here(headers: HeaderMap, request: Request, next: Next) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_loopback(host) {
        return next.run(request).await;
    }
    let reason = format!("the studio listens to this machine alone, not to `{host}`");
    Refused { status: StatusCode::FORBIDDEN, reason }.into_response()
}

/// Whether a host of a request, with a port or without, is this machine by a name that nobody else can take.
fn is_loopback(host: &str) -> bool {
    let address = host.parse::<SocketAddr>().map(|address| address.ip());
    let bare = || host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address.or_else(|_| bare()) {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => host.rsplit_once(':').map_or(host, |(name, _)| name).eq_ignore_ascii_case("localhost"),
    }
}

/// A body that is not JSON, or not what is asked for.
impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        Self { status: rejection.status(), reason: rejection.body_text() }
    }
}

impl From<QueryRejection> for Refused {
    fn from(rejection: QueryRejection) -> Self {
        Self { status: rejection.status(), reason: rejection.body_text() }
    }
}

impl From<PathRejection> for Refused {
    fn from(rejection: PathRejection) -> Self {
        Self { status: rejection.status(), reason: rejection.body_text() }
    }
}

/// What a request's body says, if it arrives in time.
async fn said<T: DeserializeOwned>(request: Request, studio: &Studio) -> Result<T, Refused> {
    let read = Json::from_request(request, &());
    let Ok(read) = tokio::time::timeout(studio.patience, read).await else {
        let reason = format!("the request did not arrive within {} s", studio.patience.as_secs_f64());
        return Err(Refused { status: StatusCode::REQUEST_TIMEOUT, reason });
    };
    let Json(said) = read?;
    Ok(said)
}

/// Runs what takes processor time where it holds nobody else up.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Refused::model("the computation stopped; the session is as it was")))
}

/// Length of the JSON text as four bytes, lowest first; the text; the pixels.
fn framed(text: &impl Serialize, picture: &Picture) -> Result<Response, Refused> {
    let text = serde_json::to_vec(text).map_err(|e| Refused::model(e.to_string()))?;
    let mut bytes = Vec::with_capacity(4 + text.len() + picture.rgba.len());
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text);
    bytes.extend(&picture.rgba);
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// A session to begin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    /// The text of a link; empty for a new image.
    #[serde(default)]
    link: String,
    #[serde(default)]
    view: View,
}

/// What a new session is told.
#[derive(Debug, Serialize)]
struct Begun {
    session: String,
    description: String,
    shape: [usize; 3],
    #[serde(flatten)]
    report: Report,
}

async fn begin(Shared(studio): Shared<Arc<Studio>>, request: Request) -> Result<Response, Refused> {
    let Begin { link, view } = said(request, &studio).await?;
    aside(move || {
        let area = studio.model.area();
        let state = if link.is_empty() { State::default() } else { link::read(&link, area)? };
        let mut editor = Editor::new(studio.model.clone(), state)?;
        let (report, picture) = editor.act(None, false, view)?;
        let (description, shape) = (studio.model.description.clone(), studio.model.shape);
        let session = studio.sessions.add(editor);
        framed(&Begun { session, description, shape, report }, &picture)
    })
    .await
}

/// Something to do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    /// Nothing, to look at what there is.
    #[serde(default)]
    action: Option<Action>,
    /// Part of the gesture that the last action began, and undone with it.
    #[serde(default)]
    more: bool,
    #[serde(default)]
    view: View,
}

async fn act(
    Shared(studio): Shared<Arc<Studio>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refused> {
    let Path(name) = name?;
    let editor = studio.sessions.get(&name)?;
    let Act { action, more, view } = said(request, &studio).await?;
    aside(move || {
        let (report, picture) =
            editor.lock().unwrap_or_else(PoisonError::into_inner).act(action, more, view)?;
        framed(&report, &picture)
    })
    .await
}

/// What to save.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Save {
    #[serde(default)]
    view: View,
}

async fn save(
    Shared(studio): Shared<Arc<Studio>>,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<Save>, QueryRejection>,
) -> Result<Response, Refused> {
    let Path(name) = name?;
    let editor = studio.sessions.get(&name)?;
    let Query(Save { view }) = query?;
    aside(move || {
        let (_, picture) = editor.lock().unwrap_or_else(PoisonError::into_inner).act(None, false, view)?;
        let headers = [
            (header::CONTENT_TYPE, "image/png"),
            (header::CONTENT_DISPOSITION, "attachment; filename=\"studio.png\""),
        ];
        Ok((headers, picture.png()?).into_response())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn this_machine_has_several_names_and_no_others() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1",
            "127.0.0.2:8080",
            "[::1]",
            "[::1]:8080",
            "::1",
            "[::ffff:127.0.0.1]:80",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "example.org:8080",
            "127.0.0.1.example.org",
            "localhost.example.org",
            "10.0.0.1:80",
            "[::2]",
            "[fe80::1]:8080",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
