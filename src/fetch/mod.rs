//! Fetching: one polite, guarded visit to one address.
