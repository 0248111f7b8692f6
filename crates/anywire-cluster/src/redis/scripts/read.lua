-- KEYS: topic, its log. ARGV: the number behind which to begin. Returns epoch, number, the epoch before and its
-- last number, and the messages that are left.
local topic = redis.call('HMGET', KEYS[1], 'e', 's', 'pe', 'st')
if not topic[1] then
  return {}
end
local wanted = tonumber(topic[2]) - tonumber(ARGV[1])
local messages = {}
if wanted > 0 then
  messages = redis.call('LRANGE', KEYS[2], -wanted, -1)
end
for place = 1, 4 do
  table.insert(messages, place, topic[place])
end
return messages
