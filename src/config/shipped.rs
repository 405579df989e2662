//! The config that comes along in the binary: the watch of `config/`, complete.

/// A file's path below the config's directory, and its text.
pub type ShippedFile = (&'static str, &'static str);

/// Every file of `config/`, the entry point first.
pub const SHIPPED: [ShippedFile; 15] = [
    ("veille.toml", include_str!("../../config/veille.toml")),
    ("feeds.toml", include_str!("../../config/feeds.toml")),
    ("digests.toml", include_str!("../../config/digests.toml")),
    ("tags/acquisition.toml", include_str!("../../config/tags/acquisition.toml")),
    ("tags/ai-regulation.toml", include_str!("../../config/tags/ai-regulation.toml")),
    ("tags/chips.toml", include_str!("../../config/tags/chips.toml")),
    ("tags/companies.toml", include_str!("../../config/tags/companies.toml")),
    ("tags/french-ai.toml", include_str!("../../config/tags/french-ai.toml")),
    ("tags/funding.toml", include_str!("../../config/tags/funding.toml")),
    ("tags/layoffs.toml", include_str!("../../config/tags/layoffs.toml")),
    ("tags/lists.toml", include_str!("../../config/tags/lists.toml")),
    ("tags/open-source-ai.toml", include_str!("../../config/tags/open-source-ai.toml")),
    ("tags/relocation.toml", include_str!("../../config/tags/relocation.toml")),
    ("tags/talent.toml", include_str!("../../config/tags/talent.toml")),
    ("tags/us-expansion.toml", include_str!("../../config/tags/us-expansion.toml")),
];

#[cfg(test)]
mod tests {
    use super::SHIPPED;
    use std::path::Path;

    #[test]
    fn every_file_of_the_config_is_shipped() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        let mut found = Vec::new();
        let mut directories = vec![root.clone()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).expect("config/ is there") {
                let path = entry.expect("a readable entry").path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    found.push(path.strip_prefix(&root).expect("below config/").display().to_string());
                }
            }
        }
        found.sort();
        let mut shipped = SHIPPED.map(|(name, _)| name.to_owned());
        shipped.sort();
        assert_eq!(found, shipped);
    }
}
