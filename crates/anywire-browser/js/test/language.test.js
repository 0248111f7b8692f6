// Pages that change the language, as frameworks of 2005 to 2012 did, before the client is loaded and after it. Each
// has a realm of its own.

import { test } from 'node:test';
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { createScene } from './support/scene.js';
import { isFull } from './support/builds.js';

const dist = path.join(import.meta.dirname, '../dist');
const script = readFileSync(path.join(dist, isFull ? 'anywire-full.min.js' : 'anywire.min.js'), 'utf8');

/** What methods and members frameworks gave to everything, in their manner. */
const FRAMEWORK = `
  // Lists that write themselves as text, for JSON, and texts that do it too.
  Array.prototype.toJSON = function () { return '[' + this.join(', ') + ']'; };
  String.prototype.toJSON = function () { return '"' + this + '"'; };
  Number.prototype.toJSON = function () { return '' + this; };
  // Members of all objects, which every loop finds: among them names that the client uses.
  Object.prototype.extend = function (more) { for (var name in more) this[name] = more[name]; return this; };
  ['drop', 'poll', 'websocket', 'start', 'code', 'message', 'send', 'hold', 'proof', 'once', 'first', 'protocol', 'limits',
    'version', 'url', 'carrier', 'remember', 'forget', 'lost'
  ].concat('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('')).forEach(function (name) { Object.prototype[name] = function () { throw new Error('not yours: ' + name); }; });
  Array.prototype.each = function (work) { for (var i = 0; i < this.length; i++) work(this[i]); };
  Array.prototype.first = function () { return this[0]; };
  // Methods with other meanings than those that came later.
  Array.prototype.reduce = function () { return this.length > 1 ? this : this[0]; };
  Array.prototype.map = Array.prototype.filter = Array.prototype.find = function () { return null; };
  Array.from = undefined;
  String.prototype.startsWith = String.prototype.endsWith = String.prototype.test = function () { return false; };
  Function.prototype.bind = function () {
    var method = this, some = Array.prototype.slice.call(arguments), object = some.shift();
    return function () { return method.apply(object, some.concat(Array.prototype.slice.call(arguments))); };
  };
`;

/** No method works any more, but `exec`: the language's own `replace` looks that up. */
const WRECK = `
  function broken() { throw new Error('the page has changed this'); }
  var types = [Array, String, RegExp, Number, Function, Date, Promise];
  for (var i = 0; i < types.length; i++) {
    var names = Object.getOwnPropertyNames(types[i].prototype);
    for (var j = 0; j < names.length; j++) {
      var property = Object.getOwnPropertyDescriptor(types[i].prototype, names[j]);
      if (names[j] !== 'constructor' && names[j] !== 'exec' && typeof property.value === 'function' && property.writable) {
        types[i].prototype[names[j]] = broken;
      }
    }
  }
  Math.random = Math.max = Math.min = Math.floor = Math.round = Math.pow = broken;
  JSON = { parse: broken, stringify: broken };
  Object.prototype.then = broken;
  setTimeout = clearTimeout = Date = encodeURIComponent = decodeURIComponent = broken;
  Uint8Array = TextEncoder = TextDecoder = Blob = URL = Event = EventTarget = DOMException = WebSocket = broken;
`;

/** The page's Anywire, with what a browser has beside the language. */
function load(before) {
  const realm = vm.createContext({});
  const lent = {
    TextEncoder, TextDecoder, URL, Blob, Event, EventTarget, DOMException, performance, crypto, FileReader, atob, btoa,
    setTimeout, clearTimeout, WebSocket: Object.assign(class {}, { CLOSING: 2 }),
  };
  Object.assign(realm, lent);
  vm.runInContext('var self = this;', realm);
  vm.runInContext(before, realm);
  vm.runInContext(script, realm);
  return realm;
}

function carriesEverything(realm, transport) {
  const scene = createScene({ Anywire: realm.Anywire, transports: [transport], protocols: ['chat', 'b'], authorize: 'é"' });
  scene.advance(1000);
  assert.equal(scene.client.transport, transport);
  assert.equal(scene.server.credentials[0].credential, 'é"');
  for (const message of ['text', '', '\u0010\u0000é😀', 'x'.repeat(20000)]) {
    scene.client.send(message);
    scene.session.send(message);
    scene.advance(1000);
    assert.equal(scene.session.inbox.at(-1), message);
    assert.equal(scene.seen.messages.at(-1), message);
  }
  scene.client.send(Uint8Array.from([0, 1, 255]));
  scene.session.send(Uint8Array.from([255, 1, 0]));
  scene.advance(1000);
  assert.deepEqual([...scene.session.inbox.at(-1)], [0, 1, 255]);
  assert.deepEqual([...new Uint8Array(scene.seen.messages.at(-1))], [255, 1, 0]);
  // It is lost, and comes back.
  scene.network.plan[transport] = () => (transport === 'poll' ? 'lost' : 'refused');
  scene.websocket?.die(1006);
  scene.client.send('late');
  scene.advance(2000);
  scene.network.plan[transport] = () => 'ok';
  scene.advance(30000);
  assert.equal(scene.session.inbox.at(-1), 'late');
  scene.client.close(3000, 'bye');
  scene.advance(1000);
  assert.deepEqual(scene.seen.closes, [{ code: 3000, reason: 'bye', wasClean: true }]);
  assert.deepEqual(scene.server.errors, []);
}

for (const transport of ['websocket', 'poll']) {
  test(`a page that a framework changed before the client was loaded: ${transport}`, () => {
    carriesEverything(load(FRAMEWORK), transport);
  });

  test(`a page that a framework changes after the client was loaded: ${transport}`, () => {
    const realm = load('');
    vm.runInContext(FRAMEWORK, realm);
    carriesEverything(realm, transport);
  });

  test(`a page that breaks the language after the client was loaded: ${transport}`, () => {
    const realm = load('');
    vm.runInContext(WRECK, realm);
    carriesEverything(realm, transport);
  });
}

test('a page that puts the client in the place of its WebSocket has its sessions on the real one', () => {
  const scene = createScene();
  const realm = load('');
  realm.made = [];
  vm.runInContext('WebSocket = function () { made.push(this); }; WebSocket.CLOSING = 2;', realm);
  vm.runInContext(script, realm);
  vm.runInContext('WebSocket = Anywire;', realm);
  const { clock } = scene;
  const client = new realm.WebSocket('ws://h/a', [], {
    transports: ['websocket'], now: clock.now, setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout,
  });
  assert.equal(realm.made.length, 1);
  assert.equal(client.readyState, 0);
});
