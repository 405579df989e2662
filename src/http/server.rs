//! The server's outer shell: accepts connections, bounds their number, and ends the slow ones.
//!
//! `axum::serve` has no deadlines: half a header, an idle kept-alive connection or a reader of a byte
//! a second stay for ever. This loop knows nothing of what the site answers.

use futures_util::FutureExt as _;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::patience::{PatientStream, PatientTimer};
use super::site::Site;

/// Bytes that hyper may buffer of a request head. More than a head may have, so that the guard sees
/// an address or a header that is too long, and can say which of the two it was. Lines are bounded by hyper
/// itself: it answers 431 to more than 100.
const HEAD_BUFFER_BYTES: usize = 80 * 1024;
/// After a failed accept (no file descriptor left), before the next.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// That none can be accepted is told so often.
const TELL_AGAIN: Duration = Duration::from_mins(1);

/// How many connections, and how long each may take for what.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// For a whole request head, counted from the answer before it: the wait on a kept-alive connection is part of it.
    pub head: Duration,
    /// For a client to take its next 64 KiB of an answer.
    pub write: Duration,
    /// For answers in flight when the server is told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 900, // Below the 1,024 file descriptors that a service has by default.
            head: Duration::from_secs(15),
            write: Duration::from_secs(20),
            drain: Duration::from_secs(3),
        }
    }
}

/// Serves `site` on `listener` until `shutdown` resolves; then lets answers in flight end, for as
/// long as [`Limits::drain`] at most, and returns.
pub async fn serve(listener: TcpListener, site: Site, limits: Limits, shutdown: impl Future<Output = ()>) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let stop = CancellationToken::new();
    let connections = TaskTracker::new();
    tokio::pin!(shutdown);
    let mut told_at = None;
    loop {
        let (stream, peer, slot) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &slots, &mut told_at) => accepted,
        };
        connections.spawn(converse(stream, peer, site.clone(), limits.clone(), stop.clone(), slot));
    }
    drop(listener);
    stop.cancel();
    connections.close();
    if tokio::time::timeout(limits.drain, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "http: clients too slow to finish in time are cut off");
    }
}

/// The next connection, once there is room for it. That none can be accepted, as when there are no descriptors left, is
/// told once a minute.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    told_at: &mut Option<Instant>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, slot),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if told_at.is_none_or(|at| at.elapsed() > TELL_AGAIN) {
                    tracing::warn!(%error, "http: cannot accept connections; trying again until it can");
                    *told_at = Some(Instant::now());
                }
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// A client that left before it was accepted says nothing about the listener.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One connection, from its first request to its close.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    site: Site,
    limits: Limits,
    stop: CancellationToken,
    _slot: OwnedSemaphorePermit,
) {
    // Answers are written whole: waiting for more to send only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "http: connection lost");
        return;
    }
    let service = service_fn(|request| site.answer(request, peer.ip()).map(Ok::<_, Infallible>));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(PatientTimer::default())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BUFFER_BYTES)
        .serve_connection(TokioIo::new(PatientStream::new(stream, limits.write)), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // What a client does to its own connection is no event for the operator.
        tracing::debug!(%error, %peer, "http: connection ended early");
    }
}
