-- Forgets a conversation that SQL has whole, unless something happened in it meanwhile.
--
-- KEYS  1 its hash, 2 its recent log, 3 idle
-- ARGV  1 its id, 2 its score in idle, 3 the last seq that SQL has
-- Answers 1 when it is forgotten.
local head = redis.call('HGET', KEYS[1], 'head')
if redis.call('ZSCORE', KEYS[3], ARGV[1]) ~= ARGV[2] or (head and tonumber(head) > tonumber(ARGV[3])) then
  return 0
end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[1])
return 1
