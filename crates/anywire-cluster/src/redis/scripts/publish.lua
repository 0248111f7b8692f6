-- KEYS: topic, its log, and an idempotence key if there is one.
-- ARGV: message, an epoch for a topic that has none, messages and bytes in the log, life in ms, life of the key in ms,
-- the command that publishes, the channel, which store this is; empty if the publisher cannot know.
if KEYS[3] then
  local before = redis.call('GET', KEYS[3])
  if before then
    return {string.sub(before, 1, 16), string.sub(before, 17)}
  end
end
local id = ARGV[9]
if id == '' then
  id = store()
end
local topic = redis.call('HMGET', KEYS[1], 'e', 'id', 's', 'b')
local epoch = topic[1]
-- Another store may have forgotten the last messages, so that numbers would be used again.
if topic[2] ~= id then
  epoch = ARGV[2]
  redis.call('HSET', KEYS[1], 'e', epoch, 'id', id, 'pe', topic[1] or '', 'st', topic[3] or 0)
end
local number = string.format('%d', (tonumber(topic[3]) or 0) + 1)
local length = redis.call('RPUSH', KEYS[2], ARGV[1])
local bytes = (tonumber(topic[4]) or 0) + #ARGV[1]
while length > 1 and (length > tonumber(ARGV[3]) or bytes > tonumber(ARGV[4])) do
  bytes = bytes - #redis.call('LPOP', KEYS[2])
  length = length - 1
end
redis.call('HSET', KEYS[1], 's', number, 'b', bytes)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
if KEYS[3] then
  redis.call('SET', KEYS[3], epoch .. number, 'PX', ARGV[6])
end
redis.call(ARGV[7], ARGV[8], epoch .. string.format('%016x', number) .. ARGV[1])
return {epoch, number}
