-- KEYS: header. ARGV: token, life in ms.
if redis.call('HGET', KEYS[1], 'tk') == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
