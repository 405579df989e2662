-- What is pushed: to webhooks, by mail, and to WebSub hubs and subscribers.
--
-- A delivery is noted in the transaction that makes the change it tells of, and worked off later: a
-- receiver that is down, or a daemon that is killed, delays a delivery and loses none.

-- Who is told of a digest's changes. Webhooks, mail and hubs come from the config; subscriptions from
-- readers, who ask the built-in hub and are let go when their lease ends.
CREATE TABLE outputs (
    output_id     INTEGER PRIMARY KEY AUTOINCREMENT,
    digest        TEXT    NOT NULL REFERENCES digests,
    kind          TEXT    NOT NULL CHECK (kind IN ('webhook', 'email', 'hub', 'subscription')),
    target        TEXT    NOT NULL,                      -- an address of the web, or of mail
    topic         TEXT    NOT NULL DEFAULT '',           -- of a subscription: its document, as in `weekly.atom`
    secret        TEXT,                                  -- of a subscription: the subscriber's own
    expires_at    INTEGER,                               -- of a subscription: the end of its lease
    stopped_at    INTEGER,                               -- it said that it wants nothing more (410)
    UNIQUE (digest, kind, target, topic)
) STRICT;

-- A webhook is sent an entry or an issue, a mail is an issue; hubs and subscribers are told of the
-- document, once for all changes that came while they waited.
CREATE TABLE deliveries (
    delivery_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    output_id     INTEGER NOT NULL REFERENCES outputs ON DELETE CASCADE,
    what          TEXT    NOT NULL CHECK (what IN ('entry', 'issue', 'document')),
    subject       TEXT    NOT NULL,                      -- the id of the entry or the issue; of a document: ''
    version       INTEGER NOT NULL DEFAULT 0,            -- of the digest, when it was last noted
    state         TEXT    NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'given_up')),
    created_at    INTEGER NOT NULL,
    next_try_at   INTEGER NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    last_error    TEXT,
    ended_at      INTEGER,                               -- when it was delivered or given up
    UNIQUE (output_id, what, subject)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (next_try_at) WHERE state = 'waiting';

-- What readers asked of the built-in hub, until it has asked back whether they meant it.
CREATE TABLE subscription_requests (
    callback      TEXT    NOT NULL,
    topic         TEXT    NOT NULL,
    digest        TEXT    NOT NULL REFERENCES digests,
    mode          TEXT    NOT NULL CHECK (mode IN ('subscribe', 'unsubscribe')),
    secret        TEXT,
    lease_s       INTEGER NOT NULL,
    host          TEXT    NOT NULL,                      -- of the callback
    requested_at  INTEGER NOT NULL,
    PRIMARY KEY (callback, topic)
) STRICT, WITHOUT ROWID;
CREATE INDEX subscription_requests_by_time ON subscription_requests (requested_at);

-- What entered in a month, in its order: for the archives of digests (RFC 5005).
CREATE INDEX digest_entries_by_entry ON digest_entries (digest, entered_at, sequence);
