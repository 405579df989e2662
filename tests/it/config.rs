//! Loading a config: what is right becomes settings, what is wrong is shown where it stands.

use std::path::Path;
use veille::config::{Environment, load};

#[test]
fn probe() {
    match load(Path::new("/tmp/cfg/veille.toml"), &Environment::new([("HOME", "/home/x")])) {
        Ok(loaded) => println!("{}\n{:#?}", loaded.warnings, loaded.settings),
        Err(errors) => println!("{errors}\n{}", serde_json::to_string_pretty(&errors.placed()).unwrap()),
    }
}
