-- Each first document of a feed asks which feeds have left the config: few, among all that there are.
CREATE INDEX feeds_removed ON feeds (feed_id) WHERE state = 'removed';
