//! A refresh: one visit to one feed, from due to stored.
