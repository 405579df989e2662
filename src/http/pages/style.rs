//! The one style sheet, the one script and the icon, kept in the binary; addresses name the content.

use crate::http::AppState;
use crate::http::not_found;
use crate::http::representation::{Effort, Representation, content_hash};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use std::sync::LazyLock;

pub(super) const PATH_PATTERN: &str = "/static/{file}";

const CSS: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("workbench.js");
/// The icon of pages and digests.
pub const FAVICON: &str = include_str!("favicon.svg");

static SHEET: LazyLock<Representation> =
    LazyLock::new(|| Representation::new("text/css; charset=utf-8", CSS, Effort::Kept).immutable());
static SHEET_PATH: LazyLock<String> =
    LazyLock::new(|| format!("/static/veille-{}.css", &content_hash(CSS.as_bytes())[..12]));
static SCRIPT_FILE: LazyLock<Representation> =
    LazyLock::new(|| Representation::new("text/javascript; charset=utf-8", SCRIPT, Effort::Kept).immutable());
static SCRIPT_PATH: LazyLock<String> =
    LazyLock::new(|| format!("/static/workbench-{}.js", &content_hash(SCRIPT.as_bytes())[..12]));
static ICON_SHEET: LazyLock<Representation> =
    LazyLock::new(|| Representation::new("image/svg+xml", FAVICON, Effort::Kept).public_for(86_400));

/// Where the style sheet is, as long as it is what it is.
pub(super) fn path() -> &'static str {
    &SHEET_PATH
}

/// Where the workbench's script is.
pub(super) fn script_path() -> &'static str {
    &SCRIPT_PATH
}

pub(super) async fn show(
    State(_): State<AppState>,
    Path(_file): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match uri.path() {
        own if own == path() => SHEET.answer(&headers),
        own if own == script_path() => SCRIPT_FILE.answer(&headers),
        _ => not_found(&uri),
    }
}

pub(super) async fn favicon(headers: HeaderMap) -> Response {
    ICON_SHEET.answer(&headers)
}
