//! Threads for work that takes processor time or waits for a disk: as many as are asked for, each with something of its own.
//!
//! Not the runtime's threads for blocking work, of which there are as many as names are looked up at once: what work keeps
//! for a thread (buffers, caches of patterns) would be kept by hundreds.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

type Job<S> = Box<dyn FnOnce(&S) + Send>;

/// The threads. When this is dropped they do what was asked for, and end.
#[derive(Debug)]
pub(crate) struct Threads<S> {
    queue: Arc<Queue<S>>,
    threads: Vec<JoinHandle<()>>,
}

struct Queue<S> {
    waiting: Mutex<Waiting<S>>,
    /// Something waits, or nothing will any more.
    changed: Condvar,
}

struct Waiting<S> {
    jobs: VecDeque<Job<S>>,
    is_closed: bool,
}

impl<S: 'static> Threads<S> {
    /// A thread for each of these, which makes there what is the thread's own.
    pub(crate) fn start<F>(name: &str, own: impl IntoIterator<Item = F>) -> Self
    where
        F: FnOnce() -> S + Send + 'static,
    {
        let waiting = Mutex::new(Waiting { jobs: VecDeque::new(), is_closed: false });
        let queue = Arc::new(Queue { waiting, changed: Condvar::new() });
        let start = |own: F| {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name(name.into()).spawn(move || queue.work_until_closed(&own()));
            thread.expect("a thread can be started at start-up")
        };
        let threads = own.into_iter().map(start).collect();
        Self { queue, threads }
    }

    /// Runs `work` on one of the threads; not at all, when the caller has gone before its turn. `None`: it ended by a
    /// panic.
    pub(crate) async fn work<T: Send + 'static>(&self, work: impl FnOnce(&S) -> T + Send + 'static) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(move |own: &S| {
            if !sender.is_closed() {
                // Who asked may be gone by now: then nobody needs the result.
                let _ = sender.send(work(own));
            }
        });
        self.queue.lock().jobs.push_back(job);
        self.queue.changed.notify_one();
        receiver.await.ok()
    }
}

impl<S> Queue<S> {
    fn lock(&self) -> MutexGuard<'_, Waiting<S>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work_until_closed(&self, own: &S) {
        loop {
            let nothing = |waiting: &mut Waiting<S>| waiting.jobs.is_empty() && !waiting.is_closed;
            let next =
                self.changed.wait_while(self.lock(), nothing).unwrap_or_else(PoisonError::into_inner).jobs.pop_front();
            let Some(job) = next else { return };
            // The panic's message was printed; the sender that it dropped tells who waits. The thread goes on.
            let _ = catch_unwind(AssertUnwindSafe(|| job(own)));
        }
    }
}

impl<S> Drop for Threads<S> {
    fn drop(&mut self) {
        self.queue.lock().is_closed = true;
        self.queue.changed.notify_all();
        // Not itself, when the last to hold this was one of its own jobs.
        let here = std::thread::current().id();
        for thread in self.threads.drain(..).filter(|thread| thread.thread().id() != here) {
            // It catches the panics of its jobs.
            let _ = thread.join();
        }
    }
}

impl<S> std::fmt::Debug for Queue<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("waiting", &self.lock().jobs.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn a_panic_is_told_and_the_threads_go_on() {
        let threads = Threads::start("test", [|| Cell::new(0), || Cell::new(0)]);
        for _ in 0..50 {
            assert_eq!(threads.work(|_| panic!("on purpose")).await, None::<()>);
        }
        assert_eq!(threads.work(|own| own.replace(7)).await, Some(0));
    }

    #[tokio::test]
    async fn what_was_asked_for_is_done_before_they_end_unless_nobody_waits_for_it() {
        let (begin, may_begin) = std::sync::mpsc::channel::<()>();
        let threads = Threads::start("test", [|| ()]);
        let first = threads.work(move |()| may_begin.recv().is_ok());
        let second = threads.work(|()| "done");
        let mut forsaken = Box::pin(threads.work(|()| unreachable!("nobody waits for it")));
        let asked = async {
            let _ = tokio::time::timeout(std::time::Duration::from_millis(20), &mut forsaken).await;
            drop(forsaken);
            begin.send(()).unwrap();
        };
        let (first, second, ()): (Option<bool>, Option<&str>, ()) = tokio::join!(first, second, asked);
        assert_eq!((first, second), (Some(true), Some("done")));
        drop(threads);
    }
}
