-- Where a partition's log ends and what is in it after a position, seen in one moment.
--
-- KEYS  1 log, 2 end
-- ARGV  1 after (exclusive, as `(ms-n`), 2 limit
return { redis.call('GET', KEYS[2]) or '0 0-0', redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2]) }
