-- Appends events of one partition (where one server has all of them: of several), all or none: de-duplicates, numbers,
-- keeps and publishes them.
--
-- KEYS  of each partition: log, end, idle; then of each conversation: its hash, its recent log
-- ARGV  1 format of records, 2 how many events recent logs keep, 3 how many partitions, then the channel of each, then of
--       each event: number of its partition and of its conversation (1, 2 …), its key's field, base, rest of its record
-- Answers status, seq, at of each event, then of each partition how many events it has had and (if any of these was kept)
-- the two numbers of the last one's position. Status: 0 kept, 1 its key was there, 2 ask SQL about its key and pass what it
-- has of the conversation (the last seq) as base. No event goes before an earlier one of its conversation.
local format, keep, many = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local function number(value)
  return string.format('%.0f', value)
end

-- A server that lost the end of its data must not give a position again, hence the time; a clock that was put back
-- must not either, hence the last one given.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local partitions = {}
for p = 1, many do
  local place = redis.call('GET', KEYS[3 * p - 1]) or '0 0-0'
  local count, ms, last = string.match(place, '^(%d+) (%d+)%-(%d+)$')
  local of = { log = KEYS[3 * p - 2], at = now, n = 0, count = tonumber(count), lines = {} }
  if tonumber(ms) >= now then
    of.at, of.n = tonumber(ms), last + 1
  end
  of.text = number(of.at)
  partitions[p] = of
end

-- What is below `cut` may leave the recent log once SQL has it: the log is trimmed no further than SQL has come, so
-- what is older than all of the log is in SQL.
local function shorten(log, recent, cut)
  local oldest = redis.call('XRANGE', recent, number(cut) .. '-0', number(cut) .. '-0')[1]
  local first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  if oldest and first then
    local kept = tonumber(string.match(oldest[2][2], '^%d+ %d+ (%d+)'))
    if kept < tonumber(string.match(first[1], '^%d+')) then
      redis.call('XTRIM', recent, 'MINID', '=', number(cut + 1) .. '-0')
    end
  end
end

local answer, cold = {}, {}
for i = 4 + many, #ARGV, 5 do
  local p, which = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local field, base, rest = ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local of, hash, recent = partitions[p], KEYS[3 * many + 2 * which - 1], KEYS[3 * many + 2 * which]
  local status, seq, at = 2, 0, 0
  if not cold[which] then
    local known = redis.call('HMGET', hash, 'head', 'base', field)
    if known[3] then
      status = 1
      seq, at = string.match(known[3], '^(%d+) (%d+)$')
      seq, at = tonumber(seq), tonumber(at)
    elseif base == '' and (known[2] or not known[1]) then
      cold[which] = true
    else
      status, seq, at = 0, tonumber(known[1] or base) + 1, of.at
      local said = number(seq)
      local id = of.text .. '-' .. number(of.n)
      local record = format .. ' ' .. said .. ' ' .. of.text .. ' ' .. rest
      of.n = of.n + 1
      redis.call('XADD', of.log, id, 'r', record)
      redis.call('XADD', recent, said .. '-0', 'r', record)
      redis.call('HSET', hash, 'head', said, field, said .. ' ' .. of.text)
      if not known[1] and base ~= '0' then
        redis.call('HSET', hash, 'base', base)
      end
      redis.call('ZADD', KEYS[3 * p], of.text, string.match(rest, '^%d+'))
      if seq % 32 == 0 and seq > keep then
        shorten(of.log, recent, seq - keep)
      end
      of.lines[#of.lines + 1] = id .. ' ' .. record
    end
  end
  answer[#answer + 1] = status
  answer[#answer + 1] = seq
  answer[#answer + 1] = at
end
for p, of in ipairs(partitions) do
  local lines = #of.lines
  if lines > 0 then
    local place = number(of.count + lines) .. ' ' .. of.text .. '-' .. number(of.n - 1)
    redis.call('SET', KEYS[3 * p - 1], place)
    redis.call('SPUBLISH', ARGV[3 + p], place .. ' ' .. lines .. '\n' .. table.concat(of.lines, '\n'))
  end
  answer[#answer + 1] = of.count + lines
  answer[#answer + 1] = of.at
  answer[#answer + 1] = math.max(of.n - 1, 0)
end
return answer
