-- An output whose receiver is down or asked for peace gets nothing before, and one of which a try is under way nothing beside
-- it: whatever is noted for it meanwhile, and whichever process goes on.
ALTER TABLE outputs ADD COLUMN held_until_at INTEGER;
