//! The workbench: a tag's rule as text, and what it would do to the newest items. Trying changes nothing; saving needs
//! the login.

use super::layout::{Section, Site, page as whole_page};
use super::{marks, parts, style};
use crate::config::RuleTextError;
use crate::http::login;
use crate::http::operations::unread;
use crate::http::representation::content_hash;
use crate::http::site::Parameters;
use crate::http::visitor::Visitor;
use crate::http::workbench::{self, Fault, Hit, Hits, Preview, Trial};
use crate::http::{AppState, PAGE_POLICY, refuse, until_search_deadline};
use crate::model::{Field, TagName};
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::{Extension, Form};
use maud::{Markup, html};
use serde::Deserialize;
use tokio::sync::Semaphore;

/// Previews at once: each may take a core for half a second.
static PREVIEWS: Semaphore = Semaphore::const_new(2);

/// Characters of a text shown around the evidence.
const EXCERPT_CHARS: usize = 240;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    tag: Option<String>,
    saved: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Written {
    tag: String,
    rule: String,
    /// Hash of the text that the writer began with.
    #[serde(default)]
    began_with: String,
    #[serde(default)]
    action: String,
}

/// What stands below the editor.
enum Below {
    Nothing,
    Saved,
    Faults(String),
    Tried(Box<Trial>, Preview),
}

pub(super) async fn show(State(state): State<AppState>, Parameters(asked): Parameters<Asked>, uri: Uri) -> Response {
    let site = Site::new(&state);
    let first = site.settings.rules.tags.first().map(|rule| rule.name.clone());
    let Some(tag) = asked.tag.map(TagName).or(first) else {
        let main =
            html! { h1 { "Rules" } p { "The config has no tags yet: write one under " code { "[tags.NAME]" } "." } };
        return answer(whole_page(&site, Section::Rules, "Rules", &html! {}, &main), StatusCode::OK);
    };
    if !site.settings.rules.tags.iter().any(|rule| rule.name == tag) {
        return refuse(&uri, StatusCode::NOT_FOUND, "there is no such tag in the config");
    }
    let found = workbench::text_of(&site.settings, &tag);
    let below = match &found {
        _ if asked.saved.is_some() => Below::Saved,
        Ok(_) => Below::Nothing,
        Err(error) => Below::Faults(state.config.for_all(&error.to_string())),
    };
    let text = found.as_ref().map(|found| found.as_str()).unwrap_or_default();
    answer(editor(&site, &tag, text, &content_hash(text.as_bytes()), &below), StatusCode::OK)
}

pub(super) async fn write(
    State(state): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    uri: Uri,
    headers: HeaderMap,
    written: Result<Form<Written>, FormRejection>,
) -> Response {
    let Ok(Form(written)) = written else {
        return refuse(&uri, StatusCode::BAD_REQUEST, "send the form's fields `tag` and `rule`");
    };
    let saving = written.action == "save";
    if saving && let Err(denial) = login::check(&state.settings().http, &headers, visitor.address, &state.bad_tries) {
        return denial.answer(&uri);
    }
    let Ok(_permit) = PREVIEWS.acquire().await else {
        return refuse(&uri, StatusCode::SERVICE_UNAVAILABLE, "veille is stopping");
    };
    let site = Site::new(&state);
    let tag = TagName(written.tag.clone());
    let tried = {
        let (state, settings, tag, rule) = (state.clone(), site.settings.clone(), tag.clone(), written.rule.clone());
        tokio::task::spawn_blocking(move || {
            let current = workbench::text_of(&settings, &tag).map_err(Fault::Text)?;
            let trial = workbench::try_rule(&state, &current, &tag, &rule)?;
            Ok::<_, Fault>((content_hash(current.as_str().as_bytes()), trial))
        })
        .await
    };
    let Ok(tried) = tried else {
        return refuse(&uri, StatusCode::INTERNAL_SERVER_ERROR, "this is a defect of veille; the log has more");
    };
    let faults = |text: String| {
        let below = Below::Faults(state.config.for_all(&text));
        editor(&site, &tag, &written.rule, &written.began_with, &below)
    };
    let (found, trial) = match tried {
        Ok(tried) => tried,
        Err(fault) => return answer(faults(fault.lines()), StatusCode::OK),
    };
    if saving {
        if found != written.began_with {
            let text = "The rule was changed elsewhere since you opened this page, so nothing was saved.".to_owned();
            return answer(faults(text), StatusCode::CONFLICT);
        }
        return match trial.edit.save() {
            Ok(()) => {
                tracing::info!(tag = tag.0, file = %trial.edit.path.display(), "rules: saved from the workbench");
                Redirect::to(&format!("/rules?tag={}&saved=1", tag.0)).into_response()
            }
            Err(error @ RuleTextError::Changed(_)) => {
                answer(faults(format!("Not saved: {error}")), StatusCode::CONFLICT)
            }
            Err(error) => answer(faults(format!("Not saved: {error}")), StatusCode::INTERNAL_SERVER_ERROR),
        };
    }
    match preview(&state, &site, &tag, trial).await {
        Ok((trial, preview)) => {
            let below = Below::Tried(Box::new(trial), preview);
            answer(editor(&site, &tag, &written.rule, &written.began_with, &below), StatusCode::OK)
        }
        Err(error) => unread(&uri, &error),
    }
}

async fn preview(
    state: &AppState,
    site: &Site,
    tag: &TagName,
    trial: Trial,
) -> Result<(Trial, Preview), crate::store::StoreError> {
    let (in_force, tag, now) = ((state.rules)(), tag.clone(), site.now);
    state
        .store
        .read(move |tx| {
            let preview = workbench::preview(tx, (&in_force, &trial), &tag, now, until_search_deadline())?;
            Ok((trial, preview))
        })
        .await
}

/// The page is for one reader at one moment.
fn answer(markup: Markup, status: StatusCode) -> Response {
    let mut response = (status, markup.into_string()).into_response();
    let policy = format!("{PAGE_POLICY}; script-src 'self'; connect-src 'self'");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::try_from(policy).expect("ASCII"));
    response
}

fn editor(site: &Site, tag: &TagName, text: &str, began_with: &str, below: &Below) -> Markup {
    let can_save = site.settings.http.login.is_some();
    let script = html! { script src=(style::script_path()) defer {} };
    let rows = text.lines().count().clamp(8, 28);
    let main = html! {
        h1 { "Rules" }
        nav.tags-nav aria-label="Tags" {
            ul.tags {
                @for rule in &site.settings.rules.tags {
                    li { a href={ "/rules?tag=" (rule.name.0) } aria-current=[(rule.name == *tag).then_some("page")] { (rule.title) } }
                }
            }
        }
        div.workbench {
            form.rule method="post" action="/rules" {
                input type="hidden" name="tag" value=(tag.0);
                input type="hidden" name="began_with" value=(began_with);
                label for="rule" { "The rule of " code { (tag.0) } ", as its file has it" }
                textarea id="rule" name="rule" rows=(rows) spellcheck="false" autocapitalize="off" autocomplete="off" wrap="soft" {
                    "\n" (text)
                }
                p.actions-row {
                    button type="submit" { "Try it" }
                    @if can_save { button.secondary type="submit" name="action" value="save" { "Save and reload" } }
                    @else { span.hint { "Trying changes nothing. To save from here, set " code { "login" } " under " code { "[http]" } "." } }
                }
            }
            div id="preview" aria-live="polite" { (self::below(site, below)) }
        }
    };
    whole_page(site, Section::Rules, &format!("Rule of {}", site.tag_title(tag)), &script, &main)
}

fn below(site: &Site, below: &Below) -> Markup {
    match below {
        Below::Nothing => html! { p.quiet { "Change the rule to see what it would tag." } },
        Below::Saved => html! { p.good role="status" { "Saved. The archive is being tagged anew in the background." } },
        Below::Faults(text) => html! {
            section.notice aria-label="What is wrong with the rule" { p { "This is not a rule yet." } pre { (text) } }
        },
        Below::Tried(trial, preview) => tried(site, trial, preview),
    }
}

fn tried(site: &Site, trial: &Trial, preview: &Preview) -> Markup {
    let looked_at = preview.looked_at;
    html! {
        p.lead role="status" {
            b.good { "+" (preview.gained.count) } " gained, " b.bad { "−" (preview.lost.count) } " lost, "
            (preview.kept.count) " kept among "
            @if preview.is_whole { "all " (looked_at) " items." }
            @else { "the newest " (looked_at) " items; " code { "veille diff" } " looks through all." }
        }
        @if !trial.failed_examples.is_empty() {
            section.notice aria-label="Examples" { p { "Examples of the rule that do not hold" } pre { (trial.failed_examples) } }
        }
        @if !trial.doubts.is_empty() { details { summary { "Doubts" } pre { (trial.doubts) } } }
        (hits(site, "Gained", &preview.gained))
        (hits(site, "Lost", &preview.lost))
        (hits(site, "Kept", &preview.kept))
    }
}

fn hits(site: &Site, title: &str, hits: &Hits) -> Markup {
    html! {
        @if hits.count > 0 {
            section aria-label=(title) {
                h2 { (title) " " span.quiet { (hits.count) } }
                ol.stories { @for hit in &hits.first { li { (hit_in_list(site, hit)) } } }
                @if hits.count > hits.first.len() { p.quiet { "and " (hits.count - hits.first.len()) " more" } }
            }
        }
    }
}

fn hit_in_list(site: &Site, hit: &Hit) -> Markup {
    let item = &hit.item;
    let spans = |field| marks::spans(&hit.evidence, field);
    let title = match item.title.trim() {
        "" => html! { (parts::first_line(["", &item.summary, &item.content_text]).unwrap_or(parts::NO_TITLE)) },
        _ => marks::marked(&item.title, &spans(Field::Title)),
    };
    html! {
        article {
            h3 lang=[item.language.as_deref()] dir="auto" {
                a href={ "/items/" (item.id.0) } { (title) }
            }
            (excerpt(&item.summary, &spans(Field::Summary)))
            (excerpt(&item.content_text, &spans(Field::Content)))
            p.meta { bdi { (item.feed.title) } " · " (parts::time(site, item.ordered_at)) }
        }
    }
}

/// The text around the first evidence in it; nothing where there is none.
fn excerpt(text: &str, spans: &[(usize, usize)]) -> Markup {
    let Some(first) = spans.iter().map(|(start, _)| *start).min() else { return html! {} };
    let from = first.saturating_sub(EXCERPT_CHARS / 3);
    let shown: String = text.chars().skip(from).take(EXCERPT_CHARS).collect();
    let is_cut = text.chars().nth(from + EXCERPT_CHARS).is_some();
    let spans: Vec<(usize, usize)> = spans
        .iter()
        .filter(|(_, end)| *end > from)
        .map(|(start, end)| (start.saturating_sub(from), end - from))
        .collect();
    html! { div.excerpt { @if from > 0 { "… " } (marks::marked_paragraphs(&shown, &spans)) @if is_cut { " …" } } }
}
