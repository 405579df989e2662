-- Since when the markup of a feed's documents is broken: meanwhile the validators of the last whole one go out. 0: always.
ALTER TABLE feeds ADD COLUMN broken_since_at INTEGER;
