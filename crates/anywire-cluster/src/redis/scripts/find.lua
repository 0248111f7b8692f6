-- KEYS: header.
local header = redis.call('HMGET', KEYS[1], 'hm', 'tk', 'cl')
if header[3] then
  return {store(), 'ended'}
elseif header[1] then
  return {store(), 'at', header[1], header[2]}
end
return {store(), 'none'}
