//! Composition: the only file that knows every module. Ordered start, reload, shutdown.

use crate::config::{self, Environment, Settings};
use std::path::{Path, PathBuf};

/// Where the config comes from; asked again at each reload.
#[derive(Debug, Clone)]
pub struct ConfigSource {
    path: PathBuf,
    environment: Environment,
}

impl ConfigSource {
    /// The config at `path`, else the first of the usual places that has one.
    pub fn of(path: Option<&Path>, data_dir: Option<PathBuf>) -> anyhow::Result<Self> {
        let environment = Environment::new(std::env::vars_os()).with_data_dir(data_dir);
        Ok(Self { path: config::find(path, &environment)?, environment })
    }

    /// Reads the config, and logs what is doubtful in it.
    pub fn load(&self) -> anyhow::Result<Settings> {
        let loaded = config::load(&self.path, &self.environment).map_err(|errors| {
            let count = errors.len();
            anyhow::anyhow!(
                "the config has {count} error{}\n{}",
                if count == 1 { "" } else { "s" },
                errors.render(false)
            )
        })?;
        for warning in loaded.warnings.lines() {
            tracing::warn!("{warning}");
        }
        Ok(loaded.settings)
    }
}
