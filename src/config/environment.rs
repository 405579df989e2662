//! What the config takes from outside its files: environment variables and command-line overrides.
//!
//! Handed in as a value, so that reading a config depends on nothing that a test cannot give.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment of a config.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
    /// `--data-dir`: wins over the file.
    data_dir: Option<PathBuf>,
    spares_secrets: bool,
}

/// Variables may be secrets, so only their names are shown.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.variables.keys().collect();
        let Self { data_dir, spares_secrets, .. } = self;
        f.debug_struct("Environment")
            .field("variables", &names)
            .field("data_dir", data_dir)
            .field("spares_secrets", spares_secrets)
            .finish()
    }
}

impl Environment {
    /// From pairs, like `std::env::vars_os()`; a name that is not Unicode cannot be asked for and is left out.
    pub fn new<N: Into<OsString>, V: Into<OsString>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let variables = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.into().into_string().ok()?, value.into())))
            .collect();
        Self { variables, data_dir: None, spares_secrets: false }
    }

    #[must_use]
    pub fn with_data_dir(self, data_dir: Option<PathBuf>) -> Self {
        Self { data_dir, ..self }
    }

    /// For who has no use for secrets: one that is not to be had here, as a credential of systemd's in a terminal, is empty.
    #[must_use]
    pub fn without_secrets(self) -> Self {
        Self { spares_secrets: true, ..self }
    }

    pub(super) fn spares_secrets(&self) -> bool {
        self.spares_secrets
    }

    /// A variable that is set to something.
    pub(super) fn variable(&self, name: &str) -> Option<&OsString> {
        self.variables.get(name).filter(|value| !value.is_empty())
    }

    pub(super) fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// systemd's state directory (the first of a list), else the XDG state directory's `veille`.
    pub(super) fn state_dir(&self) -> Option<PathBuf> {
        let path = |name| self.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let systemd = self.variable("STATE_DIRECTORY").and_then(|list| std::env::split_paths(list).next());
        systemd
            .or_else(|| path("XDG_STATE_HOME").map(|state| state.join("veille")))
            .or_else(|| path("HOME").map(|home| home.join(".local/state/veille")))
    }
}

/// Where the config is: the path asked for, else `$VEILLE_CONFIG`, else the first that exists of
/// `./config/veille.toml` and `/etc/veille/veille.toml`.
///
/// # Errors
/// Names the places that were tried, when none holds a config.
pub fn find(asked: Option<&Path>, environment: &Environment) -> Result<PathBuf, NotFound> {
    const PLACES: [&str; 2] = ["./config/veille.toml", "/etc/veille/veille.toml"];
    if let Some(path) = asked {
        return Ok(path.to_owned());
    }
    if let Some(path) = environment.variable("VEILLE_CONFIG") {
        return Ok(PathBuf::from(path));
    }
    PLACES.iter().map(PathBuf::from).find(|path| path.exists()).ok_or(NotFound)
}

/// No config was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no config found: neither ./config/veille.toml nor /etc/veille/veille.toml exists; \
     give one by --config or $VEILLE_CONFIG, or write one by `veille init config`"
)]
pub struct NotFound;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_directory_is_systemds_then_xdgs_then_homes() {
        let check = |variables: &[(&str, &str)], expected: Option<&str>| {
            assert_eq!(Environment::new(variables.iter().copied()).state_dir(), expected.map(PathBuf::from));
        };
        check(&[("STATE_DIRECTORY", "/var/lib/veille:/var/lib/other"), ("HOME", "/h")], Some("/var/lib/veille"));
        check(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")], Some("/s/veille"));
        check(&[("XDG_STATE_HOME", "relative"), ("HOME", "/h")], Some("/h/.local/state/veille"));
        check(&[("STATE_DIRECTORY", "")], None);
    }

    #[test]
    fn an_asked_for_path_wins_over_the_variable() {
        let environment = Environment::new([("VEILLE_CONFIG", "/from/variable.toml")]);
        assert_eq!(find(Some(Path::new("x.toml")), &environment), Ok(PathBuf::from("x.toml")));
        assert_eq!(find(None, &environment), Ok(PathBuf::from("/from/variable.toml")));
    }
}
