// The tests that say nothing of old engines, nor name their builds, on the modern build; and what an application sees of
// both on the scripts, since only those have letters for names.

import { spawnSync } from 'node:child_process';

const SEEN = [
  'bodies', 'close', 'credentials', 'delivery', 'leave', 'negotiation', 'page', 'parts', 'reopen', 'surface', 'tabs', 'trouble',
];

run('modern', [...SEEN, 'session']);
run('modern', SEEN, 'anywire.min.js');
run('default', [...SEEN, 'old-engines', 'streams'], 'anywire-full.min.js');

function run(platform, suites, script = '') {
  console.log(`# ${platform === 'modern' ? 'modern' : 'full'}, ${script || 'sources'}`);
  const files = suites.map((suite) => `${import.meta.dirname}/${suite}.test.js`);
  const { status } = spawnSync(process.execPath, [`--conditions=${platform}`, '--test', ...files], {
    stdio: 'inherit', env: { ...process.env, SCRIPT: script },
  });
  process.exitCode ||= status ?? 1;
}
