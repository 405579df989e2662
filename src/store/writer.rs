//! The one thread that writes.
//!
//! Jobs that wait together are committed together (measured: 280,000 writes/s against 25,000 with a
//! mutex around a connection), and one failure leaves the others whole. A job is answered only after the commit.
//!
//! A savepoint for each job sees to that, at the price of a copy of every page that the job changes. Jobs that can run
//! again do without: when one of them fails, all are rolled back, and run again each in a savepoint. A job that panics has
//! failed, and the thread goes on.

mod session;

use super::{StoreError, WriteTx};
use rusqlite::Connection;
use session::{Session, caught};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

/// Most jobs in one commit: bounds how long the first of them waits for the last.
const JOBS_PER_COMMIT: usize = 256;

enum Job {
    Repeatable(Box<dyn Repeatable>),
    InTransaction(TransactionJob),
    Alone(LoneJob),
    Bulk(LoneJob),
}

/// Shares no transaction; is told whether others wait.
type LoneJob = Box<dyn FnOnce(&Session, &dyn Fn() -> bool) + Send>;

/// A job that keeps the result of its last run until the commit is known.
trait Repeatable: Send {
    /// Whether it succeeded.
    fn run(&mut self, tx: &WriteTx<'_>) -> bool;
    fn run_in_savepoint(&mut self, session: &Session);
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct RepeatableJob<F, T> {
    job: F,
    result: Result<T, StoreError>,
    sender: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Repeatable for RepeatableJob<F, T>
where
    T: Send,
    F: FnMut(&WriteTx<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, tx: &WriteTx<'_>) -> bool {
        self.result = caught(|| (self.job)(tx));
        self.result.is_ok()
    }

    fn run_in_savepoint(&mut self, session: &Session) {
        self.result = session.in_savepoint(&mut self.job);
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        // The caller may have been cancelled; what it asked for is stored all the same.
        let _ = self.sender.send(committed.and(self.result));
    }
}

/// Runs a job and keeps its result until the commit is known.
type TransactionJob = Box<dyn FnOnce(&Session) -> Answer + Send>;
/// Hands the result over, or why the commit failed.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Counts the transactions, those in bulk apart, each after it has ended.
    ended: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Self {
        let (jobs, mut queue) = channel(JOBS_PER_COMMIT);
        let ended = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&ended);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || write_until_closed(connection, &mut queue, &counter))
            .expect("a thread can be started at start-up");
        Self { jobs: Some(jobs), thread: Mutex::new(Some(thread)), ended }
    }

    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.send(Job::InTransaction(Box::new(move |session| {
            let result = session.in_savepoint(job);
            Box::new(move |committed| {
                // The caller may have been cancelled; what it asked for is stored all the same.
                let _ = sender.send(committed.and(result));
            })
        })))
        .await?;
        receiver.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) async fn run_repeatable<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&WriteTx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job = RepeatableJob { job, result: Err(StoreError::Closed), sender };
        self.send(Job::Repeatable(Box::new(job))).await?;
        receiver.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs a long job in a transaction of its own.
    pub(super) async fn run_at_length<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTx<'_>, &dyn Fn() -> bool) -> Result<T, StoreError> + Send + 'static,
    {
        self.alone(Job::Alone, move |session, others_wait| session.in_own_transaction(|tx| job(tx, others_wait))).await
    }

    /// As [`Writer::run_at_length`], while SQLite does not look up what rows refer to. The job learns how many
    /// transactions have ended, those in bulk apart: none does while it runs.
    pub(super) async fn run_in_bulk<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTx<'_>, &dyn Fn() -> bool, u64) -> Result<T, StoreError> + Send + 'static,
    {
        let ended = Arc::clone(&self.ended);
        self.alone(Job::Bulk, move |session, others_wait| {
            session.connection.pragma_update(None, "foreign_keys", false)?;
            let ended = ended.load(Ordering::SeqCst);
            let done = session.in_own_transaction(|tx| job(tx, others_wait, ended));
            session.connection.pragma_update(None, "foreign_keys", true)?;
            done
        })
        .await
    }

    /// Runs what SQLite does only outside a transaction.
    pub(super) async fn outside_transaction<F>(&self, job: F) -> Result<(), StoreError>
    where
        F: FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static,
    {
        self.alone(Job::Alone, move |session, _| caught(|| job(&session.connection))).await
    }

    /// How many transactions other than those in bulk have ended.
    pub(super) fn ended(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }

    async fn alone<T, F>(&self, kind: fn(LoneJob) -> Job, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Session, &dyn Fn() -> bool) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.send(kind(Box::new(move |session, others_wait| {
            // Nobody waits for it any more: it is done all the same.
            let _ = sender.send(job(session, others_wait));
        })))
        .await?;
        receiver.await.map_err(|_| StoreError::Closed)?
    }

    async fn send(&self, job: Job) -> Result<(), StoreError> {
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(job).await.map_err(|_| StoreError::Closed)
    }
}

/// The thread ends once all that was sent is written. Nobody waits for it where a job held the store last, whose
/// caller was cancelled: that is the thread itself.
impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let thread = self.thread.get_mut().ok().and_then(Option::take);
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id())
            && thread.join().is_err()
        {
            tracing::error!("the store's writer ended by a panic");
        }
    }
}

fn write_until_closed(connection: Connection, queue: &mut Receiver<Job>, ended: &AtomicU64) {
    let session = Session::new(connection);
    let mut next = queue.blocking_recv();
    while let Some(job) = next {
        let in_bulk = matches!(job, Job::Bulk(_));
        next = match job {
            Job::Repeatable(job) => session.write_repeatable(job, queue),
            Job::InTransaction(job) => session.write_batch(job, queue),
            Job::Alone(job) | Job::Bulk(job) => {
                job(&session, &|| !queue.is_empty());
                None
            }
        };
        ended.fetch_add(u64::from(!in_bulk), Ordering::SeqCst);
        next = next.or_else(|| queue.blocking_recv());
    }
}

impl Session {
    /// Commits this job and those that wait behind it. Returns the one that cannot share their transaction.
    fn write_batch(&self, first: TransactionJob, queue: &mut Receiver<Job>) -> Option<Job> {
        let begun = self.begin();
        let mut answers = vec![first(self)];
        let mut other = None;
        while answers.len() < JOBS_PER_COMMIT {
            match queue.try_recv() {
                Ok(Job::InTransaction(job)) => answers.push(job(self)),
                Ok(job) => {
                    other = Some(job);
                    break;
                }
                Err(_) => break,
            }
        }
        let committed = begun.and_then(|()| self.commit());
        for answer in answers {
            answer(committed.clone());
        }
        other
    }

    /// As [`Self::write_batch`], for jobs that can run again.
    fn write_repeatable(&self, first: Box<dyn Repeatable>, queue: &mut Receiver<Job>) -> Option<Job> {
        let mut begun = self.begin();
        let tx = self.tx();
        let mut jobs = vec![first];
        let mut other = None;
        let mut succeeded = begun.is_ok() && jobs[0].run(&tx);
        while succeeded && jobs.len() < JOBS_PER_COMMIT {
            match queue.try_recv() {
                Ok(Job::Repeatable(mut job)) => {
                    succeeded = job.run(&tx);
                    jobs.push(job);
                }
                Ok(job) => {
                    other = Some(job);
                    break;
                }
                Err(_) => break,
            }
        }
        if begun.is_ok() && !(succeeded && tx.finish().is_ok()) {
            begun = self.roll_back().and_then(|()| self.begin());
            jobs.iter_mut().for_each(|job| job.run_in_savepoint(self));
        }
        let committed = begun.and_then(|()| self.commit());
        for job in jobs {
            job.answer(committed.clone());
        }
        other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ItemId;
    use crate::store::Store;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use tokio::task::yield_now;

    fn store() -> (tempfile::TempDir, Arc<Store>) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = Arc::new(Store::open(directory.path()).expect("opens"));
        (directory, store)
    }

    /// Inserts a row, and fails then if it is to fail.
    fn insert(tx: &WriteTx<'_>, name: &str, fails: bool) -> Result<(), StoreError> {
        tx.connection.execute("INSERT INTO facts (name, value) VALUES ('test ' || ?1, '')", [name])?;
        if fails { Err(StoreError::Other("on purpose".into())) } else { Ok(()) }
    }

    /// The rows inserted, in order.
    async fn names(writer: &Writer) -> Vec<String> {
        let names = writer.run(|tx| {
            let mut statement =
                tx.connection.prepare("SELECT name FROM facts WHERE name LIKE 'test %' ORDER BY name")?;
            let names = statement.query_map([], |row| row.get::<_, String>(0))?;
            Ok(names.collect::<Result<Vec<_>, _>>()?)
        });
        names.await.expect("the rows")
    }

    #[tokio::test]
    async fn a_job_that_panics_has_failed_alone_and_the_thread_goes_on() {
        let (_directory, store) = store();
        let writer = &store.writer;
        let (go, wait) = mpsc::channel();
        let hold = writer.outside_transaction(move |_| wait.recv().map_err(|_| StoreError::Closed));
        let panics = |tx: &WriteTx<'_>| -> Result<(), StoreError> {
            insert(tx, "lost", false)?;
            panic!("on purpose")
        };
        let release = async { go.send(()).expect("the thread waits") };
        let (held, a, repeatable, once, b, at_length, outside, c, ()) = tokio::join!(
            hold,
            writer.run_repeatable(|tx| insert(tx, "a", false)),
            writer.run_repeatable(panics),
            writer.run(panics),
            writer.run(|tx| insert(tx, "b", false)),
            writer.run_at_length(move |tx, _| panics(tx)),
            writer.outside_transaction(|_| panic!("on purpose")),
            writer.run(|tx| insert(tx, "c", false)),
            release
        );
        held.expect("the job ran");
        assert!([a, b, c].iter().all(Result::is_ok));
        for failed in [repeatable, once, at_length, outside] {
            assert!(failed.unwrap_err().to_string().contains("panic"));
        }
        assert_eq!(names(writer).await, ["test a", "test b", "test c"]);
    }

    #[tokio::test]
    async fn a_job_that_fails_takes_nothing_of_those_with_it_in_the_commit() {
        let (_directory, store) = store();
        let writer = &store.writer;
        let (go, wait) = mpsc::channel();
        // While the thread waits here, all the jobs come to stand behind.
        let hold = writer.outside_transaction(move |_| wait.recv().map_err(|_| StoreError::Closed));
        let runs = Arc::new(AtomicUsize::new(0));
        let repeatable = |name: &'static str, fails| {
            let runs = Arc::clone(&runs);
            writer.run_repeatable(move |tx| {
                runs.fetch_add(1, Ordering::Relaxed);
                insert(tx, name, fails)
            })
        };
        let once = |name: &'static str, fails| writer.run(move |tx| insert(tx, name, fails));
        let release = async { go.send(()).expect("the thread waits") };
        let (held, a, failed, c, failed_once, e, f, ()) = tokio::join!(
            hold,
            repeatable("a", false),
            repeatable("b", true),
            repeatable("c", false),
            once("d", true),
            once("e", false),
            repeatable("f", false),
            release
        );
        held.expect("the job ran");
        assert!([a, c, e, f].iter().all(Result::is_ok));
        assert!(failed.is_err() && failed_once.is_err());
        // a and b ran together, then each again; c, behind the failure, and f ran once.
        assert_eq!(runs.load(Ordering::Relaxed), 6);
        assert_eq!(names(writer).await, ["test a", "test c", "test e", "test f"]);
    }

    #[tokio::test]
    async fn a_job_learns_whether_anything_was_undone_since_another() {
        let (_directory, store) = store();
        let writer = &store.writer;
        let look = || writer.run(|tx| Ok(tx.rollbacks()));
        let before = look().await.expect("reads");
        writer.run(|tx| insert(tx, "a", false)).await.expect("stored");
        assert_eq!(look().await.expect("reads"), before, "what was stored stays");
        assert!(writer.run(|tx| insert(tx, "b", true)).await.is_err());
        let after_a_job = look().await.expect("reads");
        assert_ne!(after_a_job, before, "undone alone");
        // The commit itself fails: a deferred foreign key is looked at only then.
        let orphan = writer.run(|tx| {
            tx.connection
                .execute_batch("PRAGMA defer_foreign_keys = ON; INSERT INTO corrections VALUES (77, 'ai', 1, 0)")?;
            Ok(())
        });
        assert!(orphan.await.is_err());
        assert_ne!(look().await.expect("reads"), after_a_job, "undone with its commit");
    }

    #[tokio::test]
    async fn a_job_may_hold_the_store_last() {
        let (_directory, store) = store();
        let ((go, wait), (let_go, dropped)) = (mpsc::channel(), mpsc::channel());
        let cancelled = {
            let (store, held) = (Arc::clone(&store), Arc::clone(&store));
            let job = move |_: &WriteTx<'_>| {
                wait.recv().expect("sent");
                drop(held);
                let_go.send(()).map_err(|_| StoreError::Closed)
            };
            tokio::spawn(async move { store.write(job).await })
        };
        yield_now().await;
        cancelled.abort();
        assert!(cancelled.await.is_err_and(|error| error.is_cancelled()));
        drop(store);
        go.send(()).expect("received");
        dropped.recv().expect("the thread goes on");
    }

    #[tokio::test]
    async fn a_long_job_learns_that_others_wait() {
        let (_directory, store) = store();
        let ((started, begun), (go, wait)) = (oneshot::channel(), mpsc::channel());
        let long = {
            let store = Arc::clone(&store);
            let job = move |_: &WriteTx<'_>, others_wait: &dyn Fn() -> bool| {
                let at_first = others_wait();
                started.send(()).expect("awaited");
                wait.recv().expect("sent");
                Ok((at_first, others_wait()))
            };
            tokio::spawn(async move { store.write_at_length(job).await })
        };
        begun.await.expect("it starts");
        let other = {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.write(|tx| tx.set_retagged_until("rules", ItemId(7))).await })
        };
        yield_now().await;
        go.send(()).expect("received");
        assert_eq!(long.await.expect("ends").expect("commits"), (false, true));
        other.await.expect("ends").expect("commits");
        assert_eq!(store.read(|tx| tx.retagged_until("rules")).await.expect("reads"), ItemId(7));
    }

    #[tokio::test]
    async fn of_a_long_job_that_fails_nothing_is_stored() {
        let (_directory, store) = store();
        let failed = store.write_at_length(|tx, _| {
            tx.set_retagged_until("rules", ItemId(7))?;
            Err::<(), _>(StoreError::Closed)
        });
        assert!(failed.await.is_err());
        assert_eq!(store.read(|tx| tx.retagged_until("rules")).await.expect("reads"), ItemId(0));
        store.write(|tx| tx.set_retagged_until("rules", ItemId(3))).await.expect("and the writer goes on");
    }

    #[tokio::test]
    async fn after_a_bulk_job_references_are_looked_up_again() {
        let (_directory, store) = store();
        let dangling = "INSERT INTO item_tags (item_id, tag, score, rule_hash, origin, evidence, tagged_at) \
                        VALUES (1, 'tag', 1.0, '', 'rule', '[]', 0)";
        let stored = store.write_in_bulk(move |tx, _, _| Ok(tx.connection.execute(dangling, [])?));
        assert_eq!(stored.await.expect("not looked up"), 1);
        let failed = store.write_in_bulk(|_, _, _| Err::<(), _>(StoreError::Closed)).await;
        assert!(failed.is_err());
        let refused = store.write(move |tx| {
            tx.connection.execute("DELETE FROM item_tags", [])?;
            Ok(tx.connection.execute(dangling, [])?)
        });
        assert!(refused.await.is_err());
    }

    #[tokio::test]
    async fn a_bulk_job_learns_whether_others_have_written_since() {
        let (_directory, store) = store();
        let before = store.transactions();
        let seen = |store: Arc<Store>| async move {
            store.write_in_bulk(|_, _, transactions| Ok(transactions)).await.expect("commits")
        };
        assert_eq!(seen(Arc::clone(&store)).await, before);
        assert_eq!(seen(Arc::clone(&store)).await, before, "bulk jobs do not count");
        store.write(|tx| tx.set_retagged_until("rules", ItemId(2))).await.expect("commits");
        store.write_at_length(|tx, _| tx.set_retagged_until("rules", ItemId(3))).await.expect("commits");
        store.write_repeatable(|tx| tx.set_retagged_until("rules", ItemId(4))).await.expect("commits");
        assert_eq!(seen(Arc::clone(&store)).await, before + 3);
    }

    #[tokio::test]
    async fn what_another_process_commits_shows_and_what_we_commit_does_not() {
        let (directory, store) = store();
        let version = || store.write_in_bulk(|tx, _, _| tx.others_version());
        let before = version().await.expect("reads");
        store.write(|tx| tx.set_retagged_until("rules", ItemId(1))).await.expect("commits");
        assert_eq!(version().await.expect("reads"), before);
        let another = Connection::open(directory.path().join(crate::store::DATABASE_NAME)).expect("opens");
        another.execute("INSERT INTO facts (name, value) VALUES ('another', '')", []).expect("commits");
        assert_ne!(version().await.expect("reads"), before);
    }
}
