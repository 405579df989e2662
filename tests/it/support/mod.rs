//! What the black-box tests stand on.

#![allow(dead_code, reason = "each area of the tests uses its own part")]

pub mod app;
pub mod namespace;
pub mod origin;
pub mod politeness;
pub mod polled;

/// Removes what was first seen before an instant, tagged or not, as retention does; how many items that were.
pub async fn prune(store: &veille::store::Store, before: jiff::Timestamp, now: jiff::Timestamp) -> usize {
    let outlived = store.read(move |tx| tx.outlived_items(before, before)).await.unwrap();
    let pruned = store.write(move |tx| {
        tx.forget_tombstones()?;
        tx.prune(&outlived, before, before, now)
    });
    pruned.await.unwrap()
}
