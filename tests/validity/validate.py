"""Validates published documents: `validate.py FILE…`, by extension .atom, .rss, .json, .opml.

Prints a line a fault and exits 1 if there was one. Beside the grammars here it checks what a grammar
cannot say: the MUSTs of RFC 4287 sections 4.1 and 4.2, unique ids, dates that exist, addresses of the
document itself, HTML that closes what it opens and runs nothing, and that feedparser finds nothing odd.

Then the warnings that the W3C feed validator documents, each as far as it can befall documents like ours:
MissingSourceElement, NeedDescriptionBeforeContent, ImplausibleDate, NotBlank, NotHtml (by html5lib, strictly, as
it does), BadCharacters, NonCanonicalURI, InvalidUriChar and its kin, MissingCurrentInArchive, ImageUrlFormat,
MissingOutlineType, UnregisteredAtomLinkRel. Not checked, as a publisher's words or days may call for them:
ContainsHTML and ContainsUndeclaredHTML (a title about markup), DuplicateUpdated (two entries of one instant), and
ArchiveIncomplete, which the first part of an archive gets: a link to the next would change it later.
"""
import email.utils
import json
import pathlib
import re
import sys
import datetime
from html.parser import HTMLParser

import feedparser
import html5lib
import jsonschema
from lxml import etree

HERE = pathlib.Path(__file__).parent
ATOM = "{http://www.w3.org/2005/Atom}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
VOID = {"area", "br", "col", "embed", "hr", "img", "input", "link", "source", "track", "wbr"}


class Markup(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.faults = [], []

    def handle_starttag(self, tag, attributes):
        if tag in {"script", "style", "iframe", "object", "embed", "form", "base", "meta"}:
            self.faults.append(f"<{tag}> in content")
        for name, value in attributes:
            if name.startswith("on") or name == "style":
                self.faults.append(f"attribute {name} in content")
            if name in {"href", "src"} and not re.match(r"https?://|mailto:", value or ""):
                self.faults.append(f"{name} is not absolute: {value}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes what is not open")


def markup_faults(html):
    markup = Markup()
    markup.feed(html)
    markup.close()
    return markup.faults + [f"<{tag}> is never closed" for tag in markup.open] + html_faults(html)


def html_faults(html):
    parser = html5lib.HTMLParser(strict=False)
    parser.parseFragment(html)
    return [f"HTML at {place}: {html5lib.constants.E[code] % details}" for place, code, details in parser.errors]


URI = re.compile(r"[a-zA-Z][0-9a-zA-Z+.-]*:(//)?([0-9a-zA-Z;/?:@&=+$.\-_!~*'(),#]|%[0-9a-fA-F]{2})+")


def uri_faults(uris):
    """What the validator's pattern for addresses does not take."""
    return [f"no URI: {uri}" for uri in uris if not URI.fullmatch(uri)]


def character_faults(tree):
    texts = [text for element in tree.iter() for text in [element.text or "", *element.attrib.values()]]
    return ["a control character of the second block" for text in texts if re.search("[\x7f-\x9f]", text)]


def date_faults(dates):
    """Before 1990 a date is a default value."""
    return [f"implausible date: {date}" for date in dates if date.year < 1990]


RELATIONS = {"alternate", "current", "enclosure", "first", "hub", "next", "prev-archive", "previous", "self"}


def link_faults(tree):
    links = list(tree.iter(ATOM + "link"))
    faults = [f"no registered relation: {link.get('rel')}" for link in links if link.get("rel") not in RELATIONS]
    is_archive = tree.find(".//{http://purl.org/syndication/history/1.0}archive") is not None
    if is_archive and not any(link.get("rel") == "current" for link in links):
        faults.append("an archive's document leads to the current one")
    return faults + uri_faults([link.get("href") for link in links]) + character_faults(tree)


def twice(ids):
    return [f"id stands twice: {one}" for one in sorted(set(ids)) if ids.count(one) > 1]


def grammar_faults(tree, name):
    grammar = etree.RelaxNG(etree.parse(str(HERE / f"{name}.rng")))
    if grammar.validate(tree):
        return []
    return [f"line {error.line}: {error.message}" for error in grammar.error_log]


def atom_faults(tree):
    root = tree.getroot()
    faults = grammar_faults(tree, "atom") + twice([entry.findtext(ATOM + "id") for entry in root.iter(ATOM + "entry")])
    links = [link for link in root.findall(ATOM + "link")]
    if sum(link.get("rel") == "self" for link in links) != 1:
        faults.append("a feed has one link to itself")
    for holder in [root, *root.iter(ATOM + "entry")]:
        alternates = [(link.get("type"), link.get("hreflang")) for link in holder.findall(ATOM + "link")
                      if link.get("rel", "alternate") == "alternate"]
        if len(set(alternates)) < len(alternates):
            faults.append("two alternates of one type and language")
    for entry in root.iter(ATOM + "entry"):
        name = entry.findtext(ATOM + "id")
        content = entry.find(ATOM + "content")
        has_alternate = any(link.get("rel", "alternate") == "alternate" for link in entry.findall(ATOM + "link"))
        if content is None and not has_alternate:
            faults.append(f"{name}: an entry without content must have an alternate")
        if content is not None:
            faults += [f"{name}: {fault}" for fault in markup_faults(content.text or "")]
        for source in entry.findall(ATOM + "source"):
            faults += [f"{name}: its source has no {part}" for part in ["id", "title", "updated"]
                       if not source.findtext(ATOM + part)]
        if entry.findtext(ATOM + "updated") < entry.findtext(ATOM + "published", ""):
            faults.append(f"{name}: updated before it was published")
    for element in root.iter(*[ATOM + tag for tag in ["title", "subtitle", "summary", "content", "name", "generator"]]):
        if not (element.text or "").strip():
            faults.append(f"blank {etree.QName(element).localname}")
    dates = [instant(element.text) for element in root.iter(ATOM + "updated", ATOM + "published")]
    ids = [element.text for element in root.iter(ATOM + "id")]
    canonical = [f"not canonical: {uri}" for uri in ids if re.match("https?://[^/]*[A-Z]|https?://[^/]*$", uri)]
    return faults + date_faults(dates) + uri_faults(ids) + canonical + link_faults(tree)


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def rss_faults(tree):
    channel = tree.getroot().find("channel")
    items = channel.findall("item")
    faults = grammar_faults(tree, "rss") + twice([item.findtext("guid") for item in items])
    if sum(link.get("rel") == "self" for link in channel.findall(ATOM + "link")) != 1:
        faults.append("a channel has one link to itself")
    for date in [*channel.iter("pubDate"), *channel.iter("lastBuildDate")]:
        at = email.utils.parsedate_to_datetime(date.text)
        if at.strftime("%a") != date.text[:3]:
            faults.append(f"{date.text} is no {date.text[:3]}")
    for item in items:
        for element in ["description", CONTENT]:
            faults += [f"{item.findtext('guid')}: {fault}" for fault in markup_faults(item.findtext(element) or "")]
        names = [element.tag for element in item]
        if "description" not in names or CONTENT in names[:names.index("description")]:
            faults.append(f"{item.findtext('guid')}: a description comes before the content")
    for element in channel.iter("title", "description", "category", "source", CONTENT):
        if not (element.text or "").strip():
            faults.append(f"blank {element.tag}")
    for url in channel.findall("image/url"):
        if not re.search(r"\.(gif|jpe?g|png)$", url.text):
            faults.append(f"no image that RSS knows: {url.text}")
    dates = [email.utils.parsedate_to_datetime(date.text) for date in channel.iter("pubDate", "lastBuildDate")]
    uris = [link.text for link in channel.iter("link", "docs")] + [source.get("url") for source in channel.iter("source")]
    uris += [enclosure.get("url") for enclosure in channel.iter("enclosure")]
    return faults + date_faults(dates) + uri_faults(uris) + link_faults(tree)


def opml_faults(tree):
    untyped = [outline.get("text") for outline in tree.iter("outline") if "type" not in outline.attrib
               and {"description", "htmlUrl", "language", "title", "version", "xmlUrl"} & set(outline.attrib)]
    uris = [outline.get(name) for outline in tree.iter("outline") for name in ["xmlUrl", "htmlUrl"] if outline.get(name)]
    faults = [f"an outline without a type: {text}" for text in untyped]
    return grammar_faults(tree, "opml") + faults + uri_faults(uris) + character_faults(tree)


def json_faults(document):
    schema = json.loads((HERE / "json_feed.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    faults = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)]
    items = document.get("items", [])
    for item in items:
        for name in ["date_published", "date_modified"]:
            faults += date_faults([instant(item[name])])
        faults += uri_faults([item["url"]] if "url" in item else [])
        faults += [f"{item['id']}: {fault}" for fault in markup_faults(item.get("content_html", ""))]
    return faults + twice([item["id"] for item in items])


def faults_of(path):
    data = path.read_bytes()
    if path.suffix == ".json":
        return json_faults(json.loads(data))
    if not data.startswith(b'<?xml version="1.0" encoding="utf-8"?>'):
        return ["no XML declaration"]
    tree = etree.fromstring(data, etree.XMLParser(resolve_entities=False)).getroottree()
    if path.suffix == ".opml":
        return opml_faults(tree)
    faults = atom_faults(tree) if path.suffix == ".atom" else rss_faults(tree)
    parsed = feedparser.parse(data)
    if parsed.bozo:
        faults.append(f"feedparser: {parsed.bozo_exception}")
    return faults


def main():
    found = 0
    for path in map(pathlib.Path, sys.argv[1:]):
        for fault in faults_of(path):
            print(f"{path.name}: {fault}")
            found += 1
    print(f"{len(sys.argv) - 1} documents, {found} faults")
    return 1 if found or len(sys.argv) == 1 else 0


if __name__ == "__main__":
    sys.exit(main())
