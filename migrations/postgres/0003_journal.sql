-- Events by their time, for what has to be sent to the journal again. Time grows with the rows, so an index of ranges is
-- enough and costs nearly nothing to keep.
CREATE INDEX events_by_time ON events USING brin (at) WITH (pages_per_range = 32);
