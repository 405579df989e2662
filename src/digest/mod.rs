//! Digests: ids of entries, periods and issues, and what an entry says.
//!
//! Pure: takes stories, memberships and `now`, gives values to publish. It writes no format (that is
//! `export`) and decides nothing about which story matches (that is `classifier`).

mod calendar;
mod cut;
mod document;
mod edit;
mod entry;
mod identity;
mod issue;
mod issue_text;
mod notice;
mod publisher;

pub use calendar::{BadSchedule, Calendar, PERIODS_PER_CALL, Period};
pub use cut::{Cut, assign};
pub use document::document;
pub use edit::{Seen, seen};
pub use entry::{abridged, reason, story_entry};
pub use identity::{delivery_id, feed_id, issue_entry_id, notice_entry_id, story_entry_id};
pub use issue::{issue_entry, issue_groups, issue_list, issue_title, period_label};
pub use issue_text::{IssueGroup, IssueList, issue_html, issue_plain_text};
pub use notice::{feed_health, feed_health_spec};
pub use publisher::Publisher;
