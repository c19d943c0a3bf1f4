-- Trims a partition's log for whoever has the lease.
--
-- KEYS  1 the lease, 2 log, 3 trimmed
-- ARGV  1 owner, 2 epoch, 3 the first position that stays, 4 the one before it
-- Answers 1, or 0 when the lease is someone else's by now.
local has = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
if has[1] ~= ARGV[1] or has[2] ~= ARGV[2] then
  return 0
end
redis.call('XTRIM', KEYS[2], 'MINID', '=', ARGV[3])
redis.call('SET', KEYS[3], ARGV[4])
return 1
