//! What is in force at a place of a document: namespaces, base address, language.

use super::super::lexer::Tag;
use super::super::vocabulary::Namespace;
use super::{MAX_DEPTH, resolved};
use std::borrow::Cow;

/// `xml:base` inside `xml:base`; each costs a URL join (feed-rs needs 9 s for a megabyte of them).
const MAX_BASES: usize = 8;

/// What is in force at a place of the document: namespaces, base address, language.
pub(super) struct Scope<'a> {
    namespaces: Vec<(usize, &'a str, Namespace)>,
    pub bases: Vec<String>,
    /// Depth and index into `bases`.
    base_stack: Vec<(usize, usize)>,
    document_base: Option<url::Url>,
    pub language: Option<Cow<'a, str>>,
    language_depth: usize,
}

impl<'a> Scope<'a> {
    pub fn new(base_url: &str) -> Self {
        Scope {
            namespaces: Vec::new(),
            bases: Vec::new(),
            base_stack: Vec::new(),
            document_base: url::Url::parse(base_url).ok(),
            language: None,
            language_depth: 0,
        }
    }

    pub fn base(&self) -> Option<usize> {
        self.base_stack.last().map(|(_, index)| *index)
    }

    pub fn enter(&mut self, tag: &Tag<'a>, depth: usize) {
        if tag.raw_attributes().len() < "xml".len() || !tag.raw_attributes().contains("xml") {
            return;
        }
        for (name, value) in tag.attributes() {
            if let Some(prefix) = name.strip_prefix("xmlns") {
                // The default namespace of the root is the document's own dialect, whatever it claims to be.
                let is_default = prefix.is_empty();
                if is_default && depth <= 2 || self.namespaces.len() >= MAX_DEPTH {
                    continue;
                }
                let prefix = prefix.strip_prefix(':').unwrap_or(prefix);
                self.namespaces.push((depth, prefix, Namespace::of_uri(value)));
            } else if name == "xml:base" {
                self.enter_base(&resolved(value), depth);
            } else if name == "xml:lang" && depth > 1 && !value.is_empty() {
                self.language = Some(resolved(value));
                self.language_depth = depth;
            }
        }
    }

    fn enter_base(&mut self, value: &str, depth: usize) {
        if self.base_stack.len() >= MAX_BASES || value.trim().is_empty() {
            return;
        }
        let outer = self.base().and_then(|index| url::Url::parse(&self.bases[index]).ok());
        let base = match outer.as_ref().or(self.document_base.as_ref()) {
            Some(outer) => outer.join(value.trim()).ok(),
            None => url::Url::parse(value.trim()).ok(),
        };
        let Some(base) = base else { return };
        if self.bases.last().map(String::as_str) != Some(base.as_str()) {
            self.bases.push(base.into());
        }
        self.base_stack.push((depth, self.bases.len() - 1));
    }

    pub fn leave(&mut self, depth: usize) {
        while self.namespaces.last().is_some_and(|(at, ..)| *at > depth) {
            self.namespaces.pop();
        }
        while self.base_stack.last().is_some_and(|(at, _)| *at > depth) {
            self.base_stack.pop();
        }
        if self.language_depth > depth {
            self.language = None;
            self.language_depth = 0;
        }
    }

    /// Namespace and lower-case local name of a qualified name.
    pub fn resolve(&self, name: &'a str) -> (Namespace, Cow<'a, str>) {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let local = if local.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(local.to_ascii_lowercase())
        } else {
            Cow::Borrowed(local)
        };
        let declared = self.namespaces.iter().rev().find(|(_, known, _)| *known == prefix);
        let namespace = match declared {
            Some((_, _, namespace)) => *namespace,
            None if prefix.is_empty() => Namespace::Native,
            None => Namespace::of_prefix(prefix),
        };
        (namespace, local)
    }
}
