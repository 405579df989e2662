//! Stories: which items tell the same news.
