-- KEYS: topic, its log. ARGV: the number behind which to begin. Returns epoch, number, and the messages that are left.
local topic = redis.call('HMGET', KEYS[1], 'e', 's')
if not topic[1] then
  return {}
end
local wanted = tonumber(topic[2]) - tonumber(ARGV[1])
if wanted <= 0 then
  return {topic[1], topic[2]}
end
local messages = redis.call('LRANGE', KEYS[2], -wanted, -1)
table.insert(messages, 1, topic[2])
table.insert(messages, 1, topic[1])
return messages
