//! The classifier: compiles rules once, then says which tags a text gets and why.
