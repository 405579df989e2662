//! Export: digests as Atom, RSS, JSON Feed, OPML and HTML.
