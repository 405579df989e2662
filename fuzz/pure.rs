//! The modules that take bytes and texts from strangers, under the names that they have in veille.

#[path = "../src/classifier/mod.rs"]
pub mod classifier;
#[path = "../src/feed/mod.rs"]
pub mod feed;
#[path = "../src/model/mod.rs"]
pub mod model;
#[path = "../src/query/mod.rs"]
pub mod query;
