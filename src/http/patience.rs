//! Patience with slow clients, and its end: with one that does not take what it asked for, and with one that does
//! not come to the end of its request.
//!
//! The stream watches the writing alone: hyper watches the reading of request heads by the timer, and nothing of ours
//! waits for a request's body without a deadline.

use hyper::rt::Timer;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// What a client must take within its deadline. A deadline for any progress at all would let a byte a
/// second hold an answer, and its memory in the kernel, for weeks.
const PROGRESS_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct PatientStream {
    stream: TcpStream,
    patience: Duration,
    /// Set while the client keeps us waiting.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes taken since the deadline was set.
    progress_bytes: usize,
}

impl PatientStream {
    pub(super) fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, patience, deadline: None, progress_bytes: 0 }
    }

    fn watch(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.progress_bytes += bytes;
                if self.progress_bytes >= PROGRESS_BYTES {
                    self.deadline = None;
                }
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let patience = self.patience;
                let progress_bytes = &mut self.progress_bytes;
                let deadline = self.deadline.get_or_insert_with(|| {
                    *progress_bytes = 0;
                    Box::pin(tokio::time::sleep(patience))
                });
                ready!(deadline.as_mut().poll(context));
                // A reset frees the kernel's buffer at once; a plain close would keep it as long as the client likes.
                // Where it fails the connection is already gone.
                let _ = self.stream.set_zero_linger();
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client is too slow to take its answer")))
            }
        }
    }
}

impl AsyncRead for PatientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for PatientStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes once all it has is written: the client has caught up.
        self.deadline = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The timer of one connection. hyper wants a new deadline for each request head, and almost none is ever met: so all of
/// a connection share one bell of the runtime, which is set anew when it rings too early, instead of for each request.
#[derive(Debug, Clone, Default)]
pub(super) struct PatientTimer {
    bell: Bell,
}

/// Rings at the earliest deadline of late, or earlier.
type Bell = Arc<Mutex<Option<Pin<Box<Sleep>>>>>;

impl Timer for PatientTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Deadline { at: deadline.into(), bell: Arc::clone(&self.bell) })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

struct Deadline {
    at: tokio::time::Instant,
    bell: Bell,
}

impl hyper::rt::Sleep for Deadline {}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        let bell = bell.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.at)));
        if bell.deadline() > self.at {
            bell.as_mut().reset(self.at);
        }
        while bell.as_mut().poll(context).is_ready() {
            if bell.deadline() >= self.at {
                return Poll::Ready(());
            }
            bell.as_mut().reset(self.at);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn w3_deadlines_that_share_a_bell_end_each_at_its_own_time() {
        let timer = PatientTimer::default();
        let in_ms = |ms| timer.now() + Duration::from_millis(ms);
        let mut first = timer.sleep_until(in_ms(10));
        assert!(futures_util::poll!(&mut first).is_pending());
        drop(first);
        // The bell still rings for the first one.
        for at in [in_ms(30), in_ms(3), in_ms(20)] {
            timer.sleep_until(at).await;
            assert!(timer.now() >= at, "none ends before its time");
        }
    }

    #[tokio::test]
    async fn w3_an_early_deadline_does_not_wait_for_the_bell_of_a_late_one() {
        let timer = PatientTimer::default();
        let mut late = timer.sleep(Duration::from_hours(1));
        assert!(futures_util::poll!(&mut late).is_pending());
        timer.sleep(Duration::from_millis(1)).await;
        assert!(futures_util::poll!(&mut late).is_pending());
    }
}
