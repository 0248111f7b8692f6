// What engines do otherwise than their documents say, each by a fake that does it.

import { test } from 'node:test';
import assert from 'node:assert';
import { createScene } from './support/scene.js';
import { load } from './support/engine.js';

/** Runs with other globals than there are. */
function withGlobals(globals, work) {
  const before = Object.fromEntries(Object.keys(globals).map((name) => [name, globalThis[name]]));
  Object.assign(globalThis, globals);
  try {
    return work();
  } finally {
    Object.assign(globalThis, before);
  }
}

test('base64 is right where btoa and atob go through UTF-8', () => {
  const globals = {
    btoa: (text) => Buffer.from(text, 'utf8').toString('base64'),
    atob: (text) => Buffer.from(text, 'base64').toString('utf8'),
  };
  withGlobals(globals, () => {
    const { fromBase64, toBase64 } = load({ Uint8Array, URL });
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (let length = 0; length <= 256; length++) {
      const part = bytes.subarray(256 - length);
      const text = Buffer.from(part).toString('base64');
      assert.equal(toBase64(part), text);
      assert.deepEqual(fromBase64(text), new Uint8Array(part));
    }
  });
});

test('a view is sent from where it begins also where a copy of one begins at 0', () => {
  // As in KHTML: the copy of a view is the beginning of its buffer.
  const { Uint8Array: Real } = globalThis;
  const globals = {
    Uint8Array: class extends Real {
      constructor(source, offset, length) {
        if (ArrayBuffer.isView(source)) {
          super(source.buffer.slice(0, source.length));
        } else {
          super(source, offset, length);
        }
      }
    },
  };
  withGlobals(globals, () => {
    const { Anywire } = load({ Uint8Array, URL });
    const scene = createScene({ Anywire, transports: ['poll'], encoding: 'text' });
    scene.advance(100);
    scene.client.send(new Real([1, 2, 3, 4]).subarray(1, 3));
    scene.advance(100);
    assert.deepEqual([...scene.session.inbox[0]], [2, 3]);
  });
});

test('requests that are objects of the system, and take no members, carry the session', () => {
  let Request;
  const names = [];
  function ActiveXObject(name) {
    names.push(name);
    const request = new Request();
    return new Proxy(request, {
      set(_, member, value) {
        assert.equal(member, 'onreadystatechange');
        request[member] = value;
        value();
        return true;
      },
      get(_, member) {
        if (request.readyState < 4 && /^(status|responseText)$/.test(member)) {
          throw new Error('not yet');
        }
        const value = request[member];
        return typeof value === 'function' && member !== 'onreadystatechange' ?
          value.bind(request) : value;
      },
    });
  }
  const { Anywire } = load({ ActiveXObject, URL });
  const scene = createScene({
    Anywire: function (url, protocols, options) {
      Request = options.XMLHttpRequest;
      return new Anywire(url, protocols, { ...options, XMLHttpRequest: undefined });
    },
    transports: ['poll'],
  });
  scene.advance(100);
  scene.client.send('up');
  scene.session.send('down');
  scene.advance(100);
  assert.deepEqual(scene.session.inbox, ['up']);
  assert.deepEqual(scene.seen.messages, ['down']);
  scene.network.plan.poll = () => 'hangs';
  scene.client.send('lost');
  scene.advance(100000);
  scene.network.plan.poll = () => 503;
  scene.advance(10000);
  scene.network.plan.poll = () => 'ok';
  scene.advance(30000);
  assert.deepEqual(scene.session.inbox, ['up', 'lost']);
  assert.deepEqual([...new Set(names)], ['Microsoft.XMLHTTP']);
});

test('where NUL comes as a space, and text in another normal form, messages come unchanged', () => {
  const text = 'a\u0000b\r\n\r % %00 \u0000';
  const scene = createScene({ transports: ['poll'], encoding: 'text' });
  const { finish } = scene.network.XMLHttpRequest.prototype;
  const { send } = scene.network.XMLHttpRequest.prototype;
  scene.network.XMLHttpRequest.prototype.finish = function (status, answer, headers) {
    finish.call(this, status, answer.replace(/\0/g, ' ').replace(/\r\n?/g, '\n'), headers);
  };
  scene.network.XMLHttpRequest.prototype.send = function (body) {
    send.call(this, body.normalize('NFC').split('\0')[0]);
  };
  scene.advance(100);
  scene.client.send(text + 'e\u0301');
  scene.session.send(text);
  scene.advance(100);
  assert.deepEqual(scene.session.inbox, [text + 'e\u0301']);
  assert.deepEqual(scene.seen.messages, [text]);
});

test('without JSON the session goes, and what is no JSON is not run', () => {
  const { Anywire, readJson } = load({ Uint8Array, URL });
  const scene = createScene({ Anywire, transports: ['poll'], protocols: ['chat'] });
  scene.advance(100);
  scene.client.send('"\\\u2028');
  scene.advance(100);
  assert.deepEqual(scene.session.inbox, ['"\\\u2028']);
  assert.deepEqual(scene.server.errors, []);
  globalThis.hacked = false;
  for (const text of ['hacked = true', '{"a":hacked=true}', '[alert()]', '{"a":1']) {
    assert.deepEqual(readJson(text, ['a']), {});
  }
  assert.equal(globalThis.hacked, false);
  delete globalThis.hacked;
});
