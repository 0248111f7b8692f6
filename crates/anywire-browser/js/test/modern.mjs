// The modern build through the same tests, but for those of old engines, and those that name their builds.

import { spawnSync } from 'node:child_process';

const SUITES = ['close', 'delivery', 'negotiation', 'page', 'session', 'surface', 'trouble'];

const { status } = spawnSync(
  process.execPath,
  ['--conditions=modern', '--test', ...SUITES.map((suite) => `${import.meta.dirname}/${suite}.test.js`)],
  { stdio: 'inherit' });
process.exit(status ?? 1);
