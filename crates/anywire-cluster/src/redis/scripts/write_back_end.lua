-- KEYS: header. ARGV: how long to remember the end in ms.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'cl', 1)
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return 1
