//! Connections: how long a request may take to arrive, and how all of them end.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::ctrl_c;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long what is unfinished at the end may go on.
const ENDING: Duration = Duration::from_secs(3);

/// Ctrl-C, or the signal by which systems ask a program to end.
async fn asked_to_end() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            heard = ctrl_c() => heard,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    ctrl_c().await
}

/// Answers until Ctrl-C, SIGTERM or `stop`, then until all is answered, [`ENDING`] is over, or one of the signals comes once more.
pub(crate) async fn serve(
    mut listener: TcpListener,
    app: Router,
    patience: Duration,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let (going_on, ending) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stopped = pin!(async {
        tokio::select! {
            heard = asked_to_end() => heard,
            () = stop => Ok(()),
        }
    });
    let stopped = loop {
        tokio::select! {
            (stream, _) = Listener::accept(&mut listener) => {
                connections.spawn(connection(stream, app.clone(), patience, ending.clone()));
            }
            Some(_) = connections.join_next() => {}
            stopped = &mut stopped => break stopped,
        }
    };
    drop((listener, going_on));
    let answered = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = answered => stopped,
        () = sleep(ENDING) => stopped,
        again = asked_to_end() => stopped.and(again),
    }
}

/// One connection, to its end or to that of its request after `ending`.
async fn connection(stream: TcpStream, app: Router, patience: Duration, mut ending: watch::Receiver<()>) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience);
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app)));
    // What goes wrong here is between the browser and the network: there is nobody to tell.
    tokio::select! {
        _ = served.as_mut() => return,
        _ = ending.changed() => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}
