-- Appends events of one partition, all of them or none: de-duplicates, numbers, keeps and publishes them.
--
-- KEYS  1 log, 2 end, 3 idle, then of each conversation: its hash, its recent log
-- ARGV  1 format of records, 2 channel, 3 how many events recent logs keep, then of each event:
--       number of its conversation (1, 2 …), its key's field, base, rest of its record
-- Answers status, seq, at of each event. Status: 0 kept, 1 its key was there, 2 ask SQL about its key and pass what it
-- has of the conversation (the last seq) as base. No event goes before an earlier one of its conversation.
local log, place, idle = KEYS[1], KEYS[2], KEYS[3]
local format, channel, keep = ARGV[1], ARGV[2], tonumber(ARGV[3])

-- A server that lost the end of its data must not give a position again, hence the time; a clock that was put back
-- must not either, hence the last one given.
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
local n = 0
local count, ms, last = string.match(redis.call('GET', place) or '0 0-0', '^(%d+) (%d+)%-(%d+)$')
count, ms = tonumber(count), tonumber(ms)
if ms >= at then
  at, n = ms, last + 1
end

local function number(value)
  return string.format('%.0f', value)
end

-- What is below `cut` may leave the recent log once SQL has it: the log is trimmed no further than SQL has come, so
-- what is older than all of the log is in SQL.
local function shorten(recent, cut)
  local oldest = redis.call('XRANGE', recent, number(cut) .. '-0', number(cut) .. '-0')[1]
  local first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  if oldest and first then
    local kept = tonumber(string.match(oldest[2][2], '^%d+ %d+ (%d+)'))
    if kept < tonumber(string.match(first[1], '^%d+')) then
      redis.call('XTRIM', recent, 'MINID', '=', number(cut + 1) .. '-0')
    end
  end
end

local answer, lines, cold = {}, {}, {}
for i = 4, #ARGV, 4 do
  local which, field, base, rest = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local hash, recent = KEYS[2 + 2 * which], KEYS[3 + 2 * which]
  local status, seq, when = 2, 0, 0
  if not cold[which] then
    local known = redis.call('HMGET', hash, 'head', 'base', field)
    if known[3] then
      status = 1
      seq, when = string.match(known[3], '^(%d+) (%d+)$')
      seq, when = tonumber(seq), tonumber(when)
    elseif base == '' and (known[2] or not known[1]) then
      cold[which] = true
    else
      status, seq, when = 0, tonumber(known[1] or base) + 1, at
      local id = number(at) .. '-' .. number(n)
      local record = table.concat({ format, number(seq), number(at), rest }, ' ')
      n = n + 1
      count = count + 1
      redis.call('XADD', log, id, 'r', record)
      redis.call('XADD', recent, number(seq) .. '-0', 'r', record)
      redis.call('HSET', hash, 'head', number(seq), field, number(seq) .. ' ' .. number(at))
      if not known[1] and base ~= '0' then
        redis.call('HSET', hash, 'base', base)
      end
      redis.call('ZADD', idle, number(at), string.match(rest, '^%d+'))
      if seq % 32 == 0 and seq > keep then
        shorten(recent, seq - keep)
      end
      lines[#lines + 1] = id .. ' ' .. record
    end
  end
  answer[#answer + 1] = status
  answer[#answer + 1] = seq
  answer[#answer + 1] = when
end
if #lines > 0 then
  local where = number(count) .. ' ' .. number(at) .. '-' .. number(n - 1)
  redis.call('SET', place, where)
  redis.call('SPUBLISH', channel, where .. ' ' .. #lines .. '\n' .. table.concat(lines, '\n'))
end
return answer
