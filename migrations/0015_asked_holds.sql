-- Until when the host itself named a time (Retry-After), which nobody lifts; beyond it the pause is ours, and `--force` lifts it.
ALTER TABLE hosts ADD COLUMN asked_until_at INTEGER NOT NULL DEFAULT 0;
UPDATE hosts SET asked_until_at = held_until_at;
