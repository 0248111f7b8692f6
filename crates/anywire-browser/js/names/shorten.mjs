// Looks for letters with which gzip finds more: changes some, keeps what is not larger, many times.
// Writes them beside itself, where build.mjs takes them from, and builds. A source may change without that: what is new
// gets the next letter that is free.
//
//   npm run shorten [-- <changes to try for each build> [<build>]]
//
// After many changes of the sources it may find more where it begins anew: with `{}` in the build's file.

import { readFileSync, writeFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { createRandom } from '../test/support/random.js';
import { BUILDS, build, compress, wishesFile } from '../build.mjs';
import { LETTERS, chooseLetters, printer, toWishes } from './program.mjs';

const CHANGES = 300000;
const TOLD_EVERY = 20000;

const changes = +process.argv[2] || CHANGES;
for (const name of process.argv[3] ? [process.argv[3]] : Object.keys(BUILDS)) {
  const program = await compress(name);
  const wishes = JSON.parse(readFileSync(wishesFile(name), 'utf8'));
  const letters = shorten(program, chooseLetters(program, wishes), (tried, bytes) => {
    process.stdout.write(`\r${name}: ${bytes} bytes after ${tried} of ${changes} changes`);
  });
  process.stdout.write('\n');
  writeFileSync(wishesFile(name), `${JSON.stringify(toWishes(program, letters), null, 1)}\n`);
}
await build(false);

function shorten(program, first, told) {
  const { names } = program;
  const print = printer(program);
  const size = (letters) => deflateRawSync(print(letters), { level: 9, memLevel: 9 }).length;
  const alike = [...new Set(names.map(({ key }) => key))].map((key) => names.filter((name) => name.key === key));
  // The same sources give the same letters.
  const random = createRandom(1);
  const pick = (list) => list[Math.floor(random() * list.length)];
  let letters = first;
  let bytes = size(letters);
  for (let tried = 1; tried <= changes; tried++) {
    // What is used more already is the better guess.
    const letter = random() < 0.7 ? letters[pick(names).index] : pick(LETTERS);
    const next = change(letters, random() < 0.6 ? [pick(names)] : pick(alike), letter);
    if (next) {
      const nextBytes = size(next);
      if (nextBytes <= bytes) {
        bytes = nextBytes;
        letters = next;
      }
    }
    if (tried % TOLD_EVERY === 0) {
      told(tried, bytes);
    }
  }
  return letters;
}

/** Gives some names a letter, and their rivals that have it the old one. Undefined where that does not work out. */
function change(letters, names, letter) {
  const next = [...letters];
  for (const { index, rivals } of names) {
    const old = next[index];
    if (old !== letter) {
      next[index] = letter;
      for (const rival of rivals) {
        if (next[rival.index] === letter) {
          for (const other of rival.rivals) {
            if (next[other.index] === old) {
              return undefined;
            }
          }
          next[rival.index] = old;
        }
      }
    }
  }
  return next;
}
