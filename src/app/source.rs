//! Where the config comes from.

use crate::config::{self, Edit, Environment, Refused, Settings};
use crate::http::ConfigFiles;
use crate::model::without_queries;
use crate::refresh::Watch;
use std::path::{Path, PathBuf};

/// The config's entry point and its environment; asked again at each reload.
#[derive(Debug, Clone)]
pub struct ConfigSource {
    path: PathBuf,
    environment: Environment,
}

impl ConfigSource {
    /// The config at `path`, else the first of the usual places that has one.
    ///
    /// # Errors
    /// There is none; names the places.
    pub fn of(path: Option<&Path>, data_dir: Option<PathBuf>) -> anyhow::Result<Self> {
        let environment = Environment::new(std::env::vars_os()).with_data_dir(data_dir);
        Ok(Self { path: config::find(path, &environment)?, environment })
    }

    /// For a command that has no use for secrets.
    #[must_use]
    pub fn without_secrets(self) -> Self {
        Self { environment: self.environment.without_secrets(), ..self }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the workbench reads rules from and writes them to.
    #[must_use]
    pub fn files(&self) -> ConfigFiles {
        ConfigFiles { path: self.path.clone(), environment: self.environment.clone() }
    }

    /// Reads the config, and logs what is doubtful in it.
    ///
    /// # Errors
    /// Everything that is wrong with it, as `veille check` prints it.
    pub fn load(&self) -> anyhow::Result<Settings> {
        self.load_edited(&[])
    }

    /// The config made ready for a daemon, with its rules compiled: no visit is to wait for them.
    ///
    /// # Errors
    /// As [`Self::load`], or the client cannot be made.
    pub fn watch(&self) -> anyhow::Result<Watch> {
        let watch = Watch::compile(self.load()?)?;
        watch.classifier();
        Ok(watch)
    }

    /// The same, as it would be with these edits.
    ///
    /// # Errors
    /// Everything that would be wrong with it.
    pub fn load_edited(&self, edits: &[Edit]) -> anyhow::Result<Settings> {
        let loaded =
            config::load_edited(&self.path, &self.environment, edits).map_err(|Refused { errors, .. }| {
                let plural = if errors.len() == 1 { "" } else { "s" };
                anyhow::anyhow!("the config has {} error{plural}\n{errors}", errors.len())
            })?;
        for warning in loaded.warnings.lines() {
            tracing::warn!("{}", without_queries(&warning));
        }
        Ok(loaded.settings)
    }
}
