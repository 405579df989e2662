-- Subscriptions that we no longer want: their hubs are asked to end them, and may ask back whether it is we who ask.
CREATE TABLE ended_subscriptions (
    callback_key  TEXT    PRIMARY KEY,
    feed_url      TEXT    NOT NULL,
    hub           TEXT    NOT NULL,
    topic         TEXT    NOT NULL,
    tries         INTEGER NOT NULL DEFAULT 0,
    next_try_at   INTEGER NOT NULL
) STRICT;
