//! Digests: membership, periods, issues.
