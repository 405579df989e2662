//! Stories: which items, of several feeds, tell the same news.
//!
//! Pure. An item's [`Signature`] says what its title and text are about in some sixty bytes; [`join`]
//! decides which story, if any, an arriving item joins, among the [`RecentItems`] that have its link or a band
//! of its signature. It would rather leave two tellings apart than put two stories together: a
//! wrong join hides news, a missed one only shows it twice.

mod common_words;
mod join;
mod recent;
mod signature;
mod text;
mod title;

pub use join::{Arrival, Candidate, WINDOW, is_in_window, join};
pub use recent::{RecentItems, Teller};
pub use signature::{Signature, SignatureView};
