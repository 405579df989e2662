//! Feed documents: bytes in, normalised items out.
