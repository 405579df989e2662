//! Serving: feeds, pages, API, metrics. Reads, formats, answers; never fetches.
