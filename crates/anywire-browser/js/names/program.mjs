// A program whose names can be chosen: its variables, and the members that only its own objects have.
//
// gzip finds more where one thing has one name, in whatever function it stands. A minifier that names by scope alone
// cannot know that; see shorten.mjs.

import { parse } from 'acorn';

const LETTERS = [...'ertnoaicusfldhvpwbygmMkxEOTASCUNDRL$qBIPjzGJHWXZKQVYF_'];
// For what finds no letter free; none of them is a word of the language.
const SPARE = LETTERS.map((letter) => `_${letter}`);

/**
 * @param {string} code ECMAScript without patterns, classes, `let` and labels
 * @param {string[][]} shapes the members to be named too, for each kind of object that has them
 * @param {boolean} isOld whether what `catch` names belongs to the whole function, as in JScript
 */
export function readProgram(code, shapes, isOld) {
  const members = [...new Set(shapes.flat())];
  const names = [];
  const places = [];
  const memberNames = new Map();
  const references = [];

  class Scope {
    constructor(outer) {
      this.outer = outer;
      this.variables = new Map();
    }

    declare(word) {
      if (!this.variables.has(word)) {
        const variable = newName(word);
        variable.scope = this;
        variable.seenFrom = new Set([this]);
        this.variables.set(word, variable);
      }
    }
  }

  function newName(word) {
    const name = { word, key: word.replace(/\$\d+$/, ''), index: names.length, uses: 0, rivals: new Set() };
    names.push(name);
    return name;
  }

  /** What the statements of a function declare, also in its blocks, but not in functions within. */
  function declareAll(node, scope) {
    if (node.type === 'VariableDeclaration') {
      node.declarations.forEach(({ id }) => scope.declare(wordOf(id)));
    } else if (node.type === 'FunctionDeclaration') {
      scope.declare(node.id.name);
      return;
    } else if (/Function/.test(node.type)) {
      return;
    } else if (node.type === 'CatchClause' && isOld && node.param) {
      scope.declare(wordOf(node.param));
    }
    children(node).forEach((child) => declareAll(child, scope));
  }

  function visit(node, scope) {
    if (/Function/.test(node.type)) {
      if (node.type === 'FunctionDeclaration') {
        references.push([node.id, scope]);
      } else if (node.id) {
        throw new Error(`a function expression has a name: ${node.id.name}`);
      }
      const inner = new Scope(scope);
      node.params.forEach((param) => inner.declare(wordOf(param)));
      declareAll(node.body, inner);
      node.params.forEach((param) => references.push([param, inner]));
      visit(node.body, inner);
    } else if (node.type === 'CatchClause') {
      const inner = isOld ? scope : new Scope(scope);
      if (node.param) {
        inner.declare(wordOf(node.param));
        references.push([node.param, inner]);
      }
      visit(node.body, inner);
    } else if (node.type === 'MemberExpression' && !node.computed) {
      visit(node.object, scope);
      visitMember(node.property);
    } else if (node.type === 'MemberExpression' && isQuoted(node.property)) {
      visit(node.object, scope);
      places.push({ start: node.property.start - 1, end: node.end, text: `.${node.property.value}` });
    } else if (node.type === 'Property' && !node.computed) {
      visitMember(node.key);
      visit(node.value, scope);
    } else if (node.type === 'Identifier') {
      references.push([node, scope]);
    } else {
      children(node).forEach((child) => visit(child, scope));
    }
  }

  /** Only so that it is not taken for a member of ours, or by a constant: it can do without. */
  function isQuoted({ value }) {
    return members.includes(value) || typeof value === 'string' && /^[a-zA-Z]$/.test(value);
  }

  function visitMember(node) {
    if (isQuoted(node)) {
      places.push({ start: node.start, end: node.end, text: node.value });
    } else if (members.includes(node.name)) {
      if (!memberNames.has(node.name)) {
        const name = newName(node.name);
        name.key = `.${node.name}`;
        memberNames.set(node.name, name);
      }
      use(memberNames.get(node.name), node);
    }
  }

  function use(name, { start, end }) {
    name.uses++;
    places.push({ start, end, name });
  }

  const program = parse(code, { ecmaVersion: 2020 });
  const global = new Scope(null);
  program.body.forEach((statement) => visit(statement, global));

  for (const [node, from] of references) {
    const crossed = [];
    let scope = from;
    while (scope && !scope.variables.has(node.name)) {
      crossed.push(scope);
      scope = scope.outer;
    }
    if (scope) {
      const variable = scope.variables.get(node.name);
      crossed.forEach((inner) => variable.seenFrom.add(inner));
      use(variable, node);
    }
  }
  for (const one of names) {
    for (const other of names) {
      const areRivals = one.scope && other.scope ?
        one.seenFrom.has(other.scope) || other.seenFrom.has(one.scope) :
        !one.scope && !other.scope && shapes.some((shape) => shape.includes(one.word) && shape.includes(other.word));
      if (one !== other && areRivals) {
        one.rivals.add(other);
      }
    }
  }
  places.sort((a, b) => a.start - b.start);
  return { code, names, places };
}

/**
 * A letter for each name: what is wished if no rival has it, else the next that is free.
 * @param {{ names: any[] }} program
 * @param {{ [key: string]: string }} wishes the letters of all names with a key, in the order of the program, with spaces
 */
export function chooseLetters({ names }, wishes) {
  const seen = {};
  const letters = [];
  const wished = names.map(({ key }) => {
    seen[key] = (seen[key] ?? -1) + 1;
    return wishes[key]?.split(' ')[seen[key]];
  });
  const isFree = (name, letter) => ![...name.rivals].some((rival) => letters[rival.index] === letter);
  const byUses = [...names].sort((a, b) => b.uses - a.uses);
  for (const name of [...byUses.filter(({ index }) => wished[index]), ...byUses]) {
    if (!letters[name.index]) {
      const wish = wished[name.index];
      letters[name.index] = wish && isFree(name, wish) ? wish : [...LETTERS, ...SPARE].find((letter) => isFree(name, letter));
      if (!letters[name.index]) {
        throw new Error(`no letter is left for ${name.key}: add to SPARE`);
      }
    }
  }
  return letters;
}

/** The letters as `chooseLetters` takes them. */
export function toWishes({ names }, letters) {
  const wishes = {};
  for (const { key, index } of names) {
    wishes[key] = (key in wishes ? `${wishes[key]} ` : '') + letters[index];
  }
  return wishes;
}

/** Makes a function that prints the program with other letters, quickly. */
export function printer({ code, places }) {
  const texts = [];
  const indexes = [];
  let text = '';
  let at = 0;
  for (const { start, end, name, text: fixed } of places) {
    text += code.slice(at, start);
    at = end;
    if (name) {
      texts.push(text);
      indexes.push(name.index);
      text = '';
    } else {
      text += fixed;
    }
  }
  const rest = text + code.slice(at);
  return (letters) => {
    let printed = '';
    for (let i = 0; i < texts.length; i++) {
      printed += texts[i] + letters[indexes[i]];
    }
    return printed + rest;
  };
}

export { LETTERS };

function wordOf(node) {
  if (node.type !== 'Identifier') {
    throw new Error(`a name was expected: ${node.type}`);
  }
  return node.name;
}

function children(node) {
  return Object.values(node).flat().filter((value) => value && typeof value.type === 'string');
}
