-- KEYS: header. ARGV: home, token, life in ms.
local header = redis.call('HMGET', KEYS[1], 'hm', 'tk', 'cl')
if header[3] then
  return {'ended'}
elseif header[1] then
  return {'at', header[1], header[2]}
end
redis.call('HSET', KEYS[1], 'hm', ARGV[1], 'tk', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {'at', ARGV[1], ARGV[2]}
