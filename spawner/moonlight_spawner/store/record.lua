-- One change or look at the records of a portal's sessions, as one step of Redis's.
--
-- ARGV: what is to be done, the prefix of all keys, the user, the session, seconds that an ended
-- session is kept; then what the step itself needs.
-- Only keys below the prefix are named here; they are not in KEYS, because a record leads to its key.
--
--   session:<id>  a hash: `user`, its parts, `<part>@` with the time of each in microseconds,
--                 `@` with that of the last change, `@<part>` with a part's rank, `secret:<name>`
--   user:<user>   ids, sorted by when they are forgotten (`inf`: not yet known)
--   users         users, sorted by when their last session is forgotten
--   live          ids of sessions that have not ended
local step, prefix, user, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local keep = tonumber(ARGV[5])
local given = {unpack(ARGV, 6)}
-- Of one user; his side has fewer in an answer, and what a side says of one more session costs it nothing.
local most = 256

local time = redis.call('TIME')
local seconds = tonumber(time[1])
local moment = time[1] .. string.format('%06d', tonumber(time[2]))

local session = prefix .. 'session:' .. id
local of_user, users, live = prefix .. 'user:' .. user, prefix .. 'users', prefix .. 'live'

local function has(part) return redis.call('HEXISTS', session, part) == 1 end

local function settle(fresh_end)
  local until_then = 'inf'
  if has('end') then
    if not fresh_end then return end
    until_then = seconds + keep
    redis.call('EXPIRE', session, keep)
    redis.call('ZREM', live, id)
    for _, name in ipairs(redis.call('HKEYS', session)) do
      if string.sub(name, 1, 7) == 'secret:' then redis.call('HDEL', session, name) end
    end
  else
    redis.call('ZADD', live, 'NX', seconds, id)
  end
  redis.call('ZADD', of_user, until_then, id)
  local last = redis.call('ZREVRANGE', of_user, 0, 0, 'WITHSCORES')
  redis.call('ZADD', users, last[2], user)
end

-- Every change has another time: who has read that one has read all before it.
local function changed()
  while redis.call('HGET', session, '@') == moment do moment = moment .. '+' end
  redis.call('HSET', session, '@', moment)
end

local function write(field, value)
  redis.call('HSET', session, field, value, field .. '@', moment, 'user', user)
  changed()
  settle(field == 'end')
end

local function current(index)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', '(' .. time[1])
  return redis.call('ZRANGE', index, 0, -1)
end

if step == 'ids' then
  return current(of_user)
end
if step == 'live' then
  local found = {}
  for _, one in ipairs(redis.call('ZRANGE', live, 0, -1)) do
    local owner = redis.call('HGET', prefix .. 'session:' .. one, 'user')
    if owner then
      found[#found + 1] = owner
      found[#found + 1] = one
    else -- its record was taken by other hands
      redis.call('ZREM', live, one)
    end
  end
  return found
end
if step == 'versions' then
  local found = {}
  for _, one in ipairs(user ~= '' and {user} or current(users)) do
    local told = {} -- as one text: neither has a space in it, and of 10,000 answers each would cost
    for _, name in ipairs(current(prefix .. 'user:' .. one)) do
      local said = redis.call('HMGET', prefix .. 'session:' .. name, 'user', '@')
      if said[1] == one and said[2] then
        told[#told + 1] = name
        told[#told + 1] = said[2]
      end
    end
    found[#found + 1] = one
    found[#found + 1] = table.concat(told, ' ')
  end
  return found
end

local owner = redis.call('HGET', session, 'user')
if owner and owner ~= user then return 'not yours' end
local function full(ids) return #ids >= most end
-- Those whose time is over count no more. Looked at first: a step that has written is not told that there
-- is no memory for the rest.
if not owner and step == 'adopt' and full(redis.call('ZRANGE', of_user, 0, -1)) and full(current(of_user)) then
  return 'too many'
end

if step == 'newer' then -- of a session on record, unless what is there ranks as high
  local rank = redis.call('HGET', session, '@' .. given[1])
  if not has('facts') or (rank and given[3] ~= '' and rank >= given[3]) then return 0 end
  if given[3] ~= '' then redis.call('HSET', session, '@' .. given[1], given[3]) end
  write(given[1], given[2])
  return 1
end
if step == 'adopt' then -- parts and what they are now, empty for none; the same again is no change
  local differs, fresh_end = false, false
  for i = 1, #given, 2 do
    local part, value = given[i], given[i + 1]
    local old = redis.call('HGET', session, part)
    if value == '' and old then
      redis.call('HDEL', session, part, part .. '@')
      differs = true
    elseif value ~= '' and value ~= old then
      redis.call('HSET', session, part, value, part .. '@', moment, 'user', user)
      differs, fresh_end = true, fresh_end or part == 'end'
    end
  end
  if differs then
    changed()
    settle(fresh_end)
  end
  return differs and 1 or 0
end
if step == 'secret' then -- one that has ended has none
  if has('end') or not has('facts') then return 0 end
  write('secret:' .. given[1], given[2])
  return 1
end
if step == 'reseal' then -- the same in another cover: no change, unless it has changed meanwhile
  if redis.call('HGET', session, given[1]) ~= given[3] then return 0 end
  redis.call('HSET', session, given[1], given[2])
  return 1
end
if step == 'remove' then
  redis.call('DEL', session)
  redis.call('ZREM', live, id)
  redis.call('ZREM', of_user, id)
  local last = redis.call('ZREVRANGE', of_user, 0, 0, 'WITHSCORES')
  if last[2] then redis.call('ZADD', users, last[2], user) else redis.call('ZREM', users, user) end
  return 1
end
return redis.error_reply('ERR there is no step ' .. step)
