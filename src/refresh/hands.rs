//! A few threads for work that takes processor time: as many as there are processors.
//!
//! Not the runtime's threads for blocking work, of which there are as many as names are looked up at once: what reading
//! and classifying keep for a thread (buffers, caches of patterns) would be kept by hundreds.
//!
//! They give way to the other threads: to the one that writes, which everything waits for when thousands of documents come
//! at once (measured on two cores: a tenth off the whole), and to those that answer readers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Of 19; a thread that gets a tenth of what one of 0 gets beside it (setpriority(2), on Linux of a thread alone).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// The threads. They end when this is dropped and their work is done.
#[derive(Debug)]
pub(super) struct Hands {
    jobs: Mutex<Sender<Job>>,
}

impl Default for Hands {
    fn default() -> Self {
        let (jobs, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            let waiting = Arc::clone(&waiting);
            let started = std::thread::Builder::new().name("reader".into()).spawn(move || work_until_closed(&waiting));
            started.expect("a thread can be started at start-up");
        }
        Self { jobs: Mutex::new(jobs) }
    }
}

impl Hands {
    /// Runs `work` on one of the threads. `None`: it ended by a panic.
    pub(super) async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(move || {
            // Who asked may be gone: then nobody needs the result.
            let _ = sender.send(work());
        });
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).send(job).expect("the threads live as long as this");
        receiver.await.ok()
    }
}

fn work_until_closed(waiting: &Mutex<Receiver<Job>>) {
    // Where it is refused, as by the systemd unit, they work as the others do.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICENESS);
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // The panic's message was printed; the sender that it dropped tells who waits. The thread goes on.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_and_the_threads_go_on() {
        let hands = Hands::default();
        for _ in 0..50 {
            assert_eq!(hands.work(|| panic!("on purpose")).await, None::<()>);
        }
        assert_eq!(hands.work(|| 6 * 7).await, Some(42));
    }
}
