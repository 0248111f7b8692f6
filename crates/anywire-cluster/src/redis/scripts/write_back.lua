-- KEYS: header. ARGV: home, token, the store that the node knows, life in ms. Returns 1 if the header is this token's.
local id = store()
if id ~= ARGV[3] then
  return {'other', id}
end
local header = redis.call('HMGET', KEYS[1], 'tk', 'cl')
if not header[1] and not header[2] then
  redis.call('HSET', KEYS[1], 'hm', ARGV[1], 'tk', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return {'stands'}
elseif header[1] == ARGV[2] then
  return {'stands'}
end
return {'lost'}
