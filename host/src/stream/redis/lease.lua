-- Takes, renews or gives back a lease.
--
-- KEYS  1 the lease: owner, epoch, until (ms by this server's clock)
-- ARGV  1 owner, 2 how long from now (ms), 3 epoch: only of this lease, '' to take one
-- Answers the epoch, or nothing when someone else has it. Epochs are no smaller than the time (µs): they grow also when
-- this server has lost all its data.
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local owner, ttl = ARGV[1], tonumber(ARGV[2])
local has = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'until')
local epoch, runs = tonumber(has[2] or 0), tonumber(has[3] or 0) > now
if ARGV[3] ~= '' and (ARGV[3] ~= has[2] or has[1] ~= owner) then
  return false
end
if runs and has[1] ~= owner then
  return false
end
if ARGV[3] == '' and not runs then
  epoch = math.max(epoch + 1, micros)
end
local number = string.format
redis.call('HSET', KEYS[1], 'owner', owner, 'epoch', number('%.0f', epoch), 'until', number('%.0f', now + ttl))
return epoch
