-- KEYS: header. ARGV: home, token, life in ms. Returns 1 if the header is this token's.
local header = redis.call('HMGET', KEYS[1], 'tk', 'cl')
if not header[1] and not header[2] then
  redis.call('HSET', KEYS[1], 'hm', ARGV[1], 'tk', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 1
elseif header[1] == ARGV[2] then
  return 1
end
return 0
