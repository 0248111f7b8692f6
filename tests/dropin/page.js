// What the page of the test runs: `dropin.run('yjs', 'poll')` takes a library through its own happy path with one
// constructor, and gives what came of it, line by line. In the paths that constructor is called `Anywire`, as it is for who
// reads them, also where it is the browser's own.

import { bereaved, graphql } from './graphql.js';
import { reconnecting } from './reconnecting.js';
import { isCarriedBy, traces, ways } from './ways.js';
import { yjs } from './yjs.js';

const paths = { bereaved, graphql, reconnecting, yjs };

window.dropin = {
  run: async (path, way) => {
    const told = [];
    const until = async (condition) => {
      const deadline = performance.now() + DEADLINE_MS;
      while (!condition()) {
        if (performance.now() > deadline) throw new Error(`not true: ${condition}; told: ${told.join('; ')}\n${traces()}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await paths[path](ways[way], {
      until,
      tell: (line) => told.push(line),
      untilTold: (start) => until(() => told.some((line) => line.startsWith(start))),
      untilCarried: () => until(() => isCarriedBy(way)),
    });
    return told;
  },
};

const DEADLINE_MS = 20_000;
