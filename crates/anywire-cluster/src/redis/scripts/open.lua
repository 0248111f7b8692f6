-- KEYS: header. ARGV: home, token, the store that the node knows, life in ms.
local id = store()
if id ~= ARGV[3] then
  return {'other', id}
end
local header = redis.call('HMGET', KEYS[1], 'hm', 'tk', 'cl')
if header[3] then
  return {'ended'}
elseif header[1] then
  return {'at', header[1], header[2]}
end
redis.call('HSET', KEYS[1], 'hm', ARGV[1], 'tk', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'at', ARGV[1], ARGV[2]}
