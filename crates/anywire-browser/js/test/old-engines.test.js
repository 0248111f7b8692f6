// The traps of old engines, each by an engine that has it.

import { test } from 'node:test';
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import v8 from 'node:v8';
import vm from 'node:vm';
import * as acorn from 'acorn';
import { createScene } from './support/scene.js';
import { Anywire } from './support/builds.js';
import { engine, load } from './support/engine.js';
import { createPage } from './support/page.js';

const always = (fate) => () => fate;
const last = (list) => list[list.length - 1];

for (const [name, fire] of [
  ['an error and no close', (socket) => socket.onerror({})],
  ['a close and no error', (socket) => socket.onclose({ code: 1006 })],
  ['both', (socket) => {
    const { onerror, onclose } = socket;
    onerror({});
    onclose({ code: 1006 });
  }],
]) {
  test(`a WebSocket that ends with ${name} is lost once`, () => {
    const scene = createScene();
    scene.advance(100);
    scene.websocket.link.onclose();
    fire(scene.websocket);
    scene.advance(100);
    assert.equal(scene.client.transport, 'poll');
    const lost = scene.client.trace.filter(({ result }) => /^closed/.test(result));
    assert.equal(lost.length, 1);
  });
}

test('a WebSocket of a draft is refused at once', () => {
  let made = 0;
  const scene = createScene({ WebSocket: class { constructor() { made++; } } });
  scene.advance(50);
  assert.equal(scene.client.transport, 'poll');
  assert.equal(made, 0);
});

/** What an engine has that knows nothing but its language of old. */
function oldEngine() {
  const { Uint8Array, ArrayBuffer } = globalThis;
  return { Uint8Array, ArrayBuffer, URL };
}

test('without JSON, bind, typed arrays in Blobs and a timeout of requests, text goes', () => {
  const { bind } = Function.prototype;
  delete Function.prototype.bind;
  try {
    const { Anywire } = load(oldEngine());
    const scene = createScene({ Anywire, transports: ['poll'], protocols: ['chat'] });
    scene.advance(100);
    scene.client.send('e\u0301\u0000é\ud800');
    scene.session.send('back "\\\u2028');
    scene.advance(100);
    assert.deepEqual(scene.session.inbox, ['e\u0301\u0000é\ufffd']);
    assert.deepEqual(scene.seen.messages, ['back "\\\u2028']);
    for (const { body } of scene.network.requests) {
      assert.match(body, /^[\x21-\x7e]*$/, 'nothing but ASCII goes up');
    }
    assert.deepEqual(scene.server.errors, []);
  } finally {
    Object.defineProperty(Function.prototype, 'bind', {
      value: bind, writable: true, configurable: true,
    });
  }
});

test('without JSON, what is no JSON is not run', () => {
  const { readJson } = load(oldEngine());
  globalThis.hacked = false;
  for (const text of ['hacked = true', '(hacked = true)', '{"a":hacked=true}', '[alert()]', '{"a":1']) {
    assert.deepEqual(readJson(text, ['a']), {});
  }
  assert.equal(globalThis.hacked, false);
  delete globalThis.hacked;
  assert.deepEqual(readJson('{"a":[1,true,null,"\\u0041\\""],"b":{"c":-1.5}}', ['a', 'b']),
    { a: [1, true, null, 'A"'], b: { c: -1.5 } });
});

test('an engine whose Blobs turn bytes into "[object …]" sends none in requests', () => {
  const { Anywire } = load(engine({
    Blob: class {
      constructor(parts) {
        this.size = `${Object.prototype.toString.call(parts[0])}`.length;
      }
    },
  }));
  const scene = createScene({ Anywire, transports: ['poll'] });
  scene.advance(100);
  scene.client.send(new Uint8Array([0, 255, 3]));
  scene.advance(100);
  assert.ok(scene.network.requests.every(({ body }) => typeof body === 'string'));
  assert.deepEqual([...scene.session.inbox[0]], [0, 255, 3]);
});

test('an engine with one connection gives up the hold for a send', () => {
  const waiting = [];
  let isBusy = false;
  const oneAtATime = (network) => class extends network.XMLHttpRequest {
    send(body) {
      const start = () => {
        isBusy = true;
        super.send(body);
      };
      if (isBusy) {
        waiting.push([this, start]);
      } else {
        start();
      }
      this.body = body;
    }

    free() {
      isBusy = false;
      const next = waiting.shift();
      if (next && !next[0].isAborted) {
        next[1]();
      }
    }

    finish(...answer) {
      if (!this.isAborted) {
        this.free();
        super.finish(...answer);
      }
    }

    abort() {
      const wasHeld = !this.isAborted && this.readyState < 4;
      super.abort();
      if (wasHeld && !waiting.some(([request]) => request === this)) {
        this.free();
      }
    }
  };
  const scene = createScene({
    transports: ['poll'], browser: (network) => ({ XMLHttpRequest: oneAtATime(network) }),
  });
  scene.advance(1000);
  scene.client.send('first');
  scene.advance(2600);
  assert.deepEqual(scene.session.inbox, ['first']);
  for (let i = 0; i < 20; i++) {
    scene.client.send(`more ${i}`);
    scene.session.send(`down ${i}`);
    scene.advance(200);
    assert.equal(scene.session.inbox.length, i + 2, 'no send waits any more');
  }
  assert.equal(scene.seen.messages.length, 20);
  assert.equal(scene.client.readyState, 1);
});

test('a hold that is slow to end does not make an engine narrow', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(1000);
  scene.network.plan.latency = always(2000);
  scene.client.send('slow');
  scene.advance(10000);
  scene.network.plan.latency = always(20);
  scene.advance(30000);
  const { length } = scene.network.requests;
  scene.client.send('fast');
  scene.advance(100);
  assert.equal(scene.network.requests.length, length + 1, 'the hold stays');
});

test('without typed arrays, the base64 of parts is joined', () => {
  const { Anywire } = load({ URL });
  const scene = createScene({ Anywire, transports: ['poll'], server: { answerBytes: 1000, cut: () => 500 } });
  scene.advance(100);
  const bytes = Uint8Array.from({ length: 4000 }, (_, i) => i & 255);
  scene.session.send(bytes);
  scene.session.send('é'.repeat(2000));
  scene.client.send('é'.repeat(100000));
  scene.advance(3000);
  assert.deepEqual(scene.seen.messages, [Buffer.from(bytes).toString('base64'), 'é'.repeat(2000)]);
  assert.deepEqual(scene.session.inbox, ['é'.repeat(100000)]);
  assert.deepEqual(scene.session.can, ['part', 'credential']);
  assert.deepEqual(scene.server.errors, []);
});

/** A page of another origin in an engine whose requests stay at home. */
function scripts(options) {
  const page = createPage();
  const scene = createScene({
    transports: ['jsonp'], browser: (network) => ({ document: page.connect(network) }), ...options,
  });
  return Object.assign(scene, { page });
}

test('script tags and forms carry the session where requests do not', () => {
  const scene = scripts();
  scene.advance(200);
  assert.equal(scene.client.transport, 'jsonp');
  const large = 'é\r\n\u0000'.repeat(1000);
  scene.client.send('small');
  scene.client.send(large);
  scene.session.send('down');
  scene.session.send(new Uint8Array([1, 2]));
  scene.advance(500);
  assert.deepEqual(scene.session.inbox, ['small', large]);
  assert.equal(scene.seen.messages[0], 'down');
  assert.deepEqual([...new Uint8Array(scene.seen.messages[1])], [1, 2]);
  assert.ok(scene.page.forms.length > 0);
  assert.ok(scene.page.scripts.every(({ src }) => src.length < 2000));
  assert.ok(scene.page.elements.length <= 1, 'what was asked is taken away');
  scene.client.close();
  scene.advance(500);
  assert.deepEqual(scene.seen.closes, [{ code: 1000, reason: '', wasClean: true }]);
  assert.deepEqual(scene.server.errors, []);
});

test('a script that cannot be had ends by its own time, or when old engines say it has loaded', () => {
  for (const fate of ['nothing', 'readystatechange', 'error']) {
    const scene = scripts();
    scene.advance(200);
    scene.page.fate = fate;
    scene.client.send('x');
    scene.advance(fate === 'nothing' ? 25000 : 1500);
    assert.equal(scene.client.transport, 'reconnecting', fate);
    scene.page.fate = 'ok';
    scene.advance(45000);
    assert.equal(scene.client.transport, 'jsonp');
    assert.deepEqual(scene.session.inbox, ['x']);
  }
});

test('calls that nobody waits for are ignored', () => {
  const scene = scripts();
  scene.advance(200);
  for (const number of [0, 'hasOwnProperty', 'toString', 999]) {
    globalThis.anywire_jsonp(number, 'x');
  }
  assert.equal(scene.client.readyState, 1);
});

test('a request in flight is not collected, though the application holds nothing', async () => {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc');
  const made = [];
  // As a browser holds them: what has been set and not cleared.
  const timers = new Set();
  class Request {
    constructor() {
      made.push(new WeakRef(this));
    }

    open() {}

    setRequestHeader() {}

    send() {}

    abort() {}
  }
  const open = () => new Anywire('ws://example.test/anywire', [], {
    transports: ['poll'], XMLHttpRequest: Request, encoding: 'text',
    setTimeout: (callback) => {
      const timer = { callback };
      timers.add(timer);
      return timer;
    },
    clearTimeout: (timer) => timers.delete(timer),
  }).readyState;
  assert.equal(open(), 0);
  for (let i = 0; i < 3; i++) {
    await new Promise(setImmediate);
    collect();
  }
  const request = made.map((reference) => reference.deref())
    .find((alive) => alive && alive.onreadystatechange);
  assert.ok(request, 'it can still be answered');
});

test('a page of another origin is told what an answer may lack', () => {
  globalThis.location = { protocol: 'http:', host: 'page.test', href: 'http://page.test/' };
  try {
    const scene = createScene({ transports: ['poll'], plan: { poll: always('lost') } });
    scene.advance(100);
    assert.match(last(scene.client.trace).result, /^closed http 0.*Access-Control-Allow-Origin/);
    const own = createScene({
      transports: ['poll'], url: 'http://page.test/anywire', plan: { poll: always('lost') },
    });
    own.advance(100);
    assert.equal(last(own.client.trace).result, 'closed http 0');
  } finally {
    delete globalThis.location;
  }
});


test('no byte is read behind the end of an array, where an engine throws', () => {
  const { toBase64 } = load(oldEngine());
  for (const length of [0, 1, 2, 3, 4]) {
    const bytes = new Proxy(Uint8Array.from({ length }, (_, i) => 250 + i), {
      get: (array, name) => {
        if (!(name in array)) {
          throw new Error(`${String(name)} is out of bounds`);
        }
        return array[name];
      },
    });
    assert.equal(toBase64(bytes), Buffer.from({ length, ...bytes }).toString('base64'));
  }
});

test('patterns keep to the grammar, which KHTML heeds where others are lenient', () => {
  const patterns = [];
  const source = readFileSync(path.join(import.meta.dirname, '../dist/anywire-full.js'), 'utf8');
  acorn.parse(source, {
    ecmaVersion: 3,
    onToken: ({ type, value }) => {
      if (type === acorn.tokTypes.regexp) {
        patterns.push(value.pattern);
      }
    },
  });
  assert.ok(patterns.length > 10);
  for (const pattern of patterns) {
    // With this flag the engine of today is not lenient either.
    assert.doesNotThrow(() => new RegExp(pattern, 'u'));
  }
});
