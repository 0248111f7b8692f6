-- KEYS: header. ARGV: token, how long to remember the end in ms.
if redis.call('HGET', KEYS[1], 'tk') == ARGV[1] then
  redis.call('DEL', KEYS[1])
  if tonumber(ARGV[2]) > 0 then
    redis.call('HSET', KEYS[1], 'cl', 1)
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
end
return 0
