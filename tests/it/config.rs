//! Loading a config: what is right becomes settings, what is wrong is shown where it stands.

use std::path::Path;
use veille::config::{Environment, load};

#[test]
fn probe() {
    for path in ["config/veille.toml"] {
        match load(Path::new(path), &Environment::new([("HOME", "/home/x")])) {
            Ok(loaded) => println!(
                "{}\n{} feeds {} tags {:?}",
                loaded.warnings,
                loaded.settings.feeds.len(),
                loaded.settings.rules.tags.len(),
                loaded.settings.digests.iter().map(|d| (&d.spec.name.0, &d.spec.kind)).collect::<Vec<_>>()
            ),
            Err(errors) => println!("{errors}"),
        }
    }
}
