'use strict';
// Whatever letters its names get, a program does the same.

const { test } = require('node:test');
const assert = require('node:assert');
const { createRandom } = require('./support/random.js');

const LETTERS = [...'abcdefghij'];
const MEMBERS = [['first', 'second'], ['second', 'third'], ['fourth']];
const PROGRAMS = {
  'what is shadowed': `
    var one = 1; function inner(two) { var three = one + two; return function (one) { return one * three; }; }
    return inner(4)(3) + one;`,
  'what a catch names': `
    var seen = []; function fails(error) { try { throw error + 1; } catch (caught) { seen.push(caught); } return error; }
    seen.push(fails(1)); try { throw 2; } catch (error) { seen.push(error); } return seen.join();`,
  'what is declared in a block, or later': `
    function outer(count) { if (count) { var late = later(count); } for (var i = 0; i < 3; i++) { late += i; } return late;
      function later(value) { return value * 10; } } return outer(2);`,
  'members, quoted ones, and those of other objects': `
    var box = { first: 1, second: 2 }, other = { second: 3, third: 4 }, last = { fourth: 5, "first": 6 };
    var wire = JSON.parse('{"second":7}'); box.second += other.third;
    return [box.first, box.second, other.second, last.fourth, last["first"], (wire || box)["second"]].join();`,
  'globals that nobody declares': 'var Math2 = Math; return Math2.max(1, Math.min(5, 3)) + typeof nobody;',
};

for (const isOld of [false, true]) {
  for (const [what, code] of Object.entries(PROGRAMS)) {
    test(`${what}, ${isOld ? 'where a catch has no scope' : 'today'}`, async () => {
      const { chooseLetters, printer, readProgram, toWishes } = await import('../names/program.mjs');
      const program = readProgram(`(function () {${code}})`, MEMBERS, isOld);
      const print = printer(program);
      const run = (text) => new Function(`return ${text}()`)();
      const expected = run(print(program.names.map(({ word }) => word)));
      assert.equal(expected, run(`(function () {${code}})`));
      const random = createRandom(1);
      for (let round = 0; round < 200; round++) {
        const wishes = {};
        for (const { key } of program.names) {
          const letter = LETTERS[Math.floor(random() * LETTERS.length)];
          wishes[key] = key in wishes ? `${wishes[key]} ${letter}` : letter;
        }
        const letters = chooseLetters(program, wishes);
        assert.equal(run(print(letters)), expected, print(letters));
        assert.deepEqual(chooseLetters(program, toWishes(program, letters)), letters);
      }
    });
  }
}
