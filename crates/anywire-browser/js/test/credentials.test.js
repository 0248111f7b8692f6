// Who the client is: what an open says, what never stands in an address, and how a grant is renewed.

import { test } from 'node:test';
import assert from 'node:assert';
import { testFull } from './support/builds.js';
import { Clock } from './support/clock.js';
import { createPage } from './support/page.js';
import { createScene } from './support/scene.js';
import { decodePayload } from './support/packets.js';
import { withEvents } from './support/streams.js';

const always = (fate) => () => fate;
/** All that JSON, an address and a token must take care of. */
const TOKEN = 'e"y\\J.é€😀\n\u0001 /+=~%22&';

/** A scene over one transport, with all that can be seen of its addresses. */
function over(transport, options = {}) {
  const urls = [];
  const page = createPage();
  const scene = createScene({
    transports: transport === 'events' ? ['events', 'poll'] : transport === 'stream' ? ['stream', 'poll'] : [transport],
    browser: (network, clock, server) => {
      const EventSource = withEvents(network, clock, server);
      return {
        document: page.connect(network),
        ...(transport === 'events' && {
          EventSource: class extends EventSource {
            constructor(url) {
              super(url);
              urls.push(url);
            }
          },
        }),
      };
    },
    ...options,
  });
  const addresses = () => [
    ...urls, ...scene.network.websockets.map(({ url }) => url), ...scene.network.requests.map(({ url }) => url),
    ...page.scripts.map(({ src }) => src), ...page.forms.map(({ action }) => action),
  ];
  return Object.assign(scene, { page, addresses });
}

function assertHidden(scene, ...tokens) {
  const addresses = scene.addresses().map((url) => decodeURIComponent(url));
  const shown = JSON.stringify([addresses, scene.client.trace]);
  assert.ok(addresses.length);
  for (const token of tokens) {
    assert.ok(!shown.includes(JSON.stringify(token).slice(1, -1)), `${token} in ${shown}`);
    assert.ok(!shown.includes(Buffer.from(token).toString('base64url')));
  }
}

const TRANSPORTS = ['websocket', 'poll', 'stream', 'events', 'jsonp'];
const FULL = /stream|events|jsonp/;

for (const transport of TRANSPORTS) {
  const check = FULL.test(transport) ? testFull : test;

  check(`an open says the credential, and no address has it: ${transport}`, () => {
    const scene = over(transport, { authorize: TOKEN });
    scene.advance(5000);
    assert.equal(scene.client.transport, transport);
    const how = transport === 'websocket' ? 'websocket' : 'exchange';
    assert.deepEqual(scene.server.credentials, [{ how, credential: TOKEN }]);
    assert.equal(scene.server.sessions.length, 1);
    scene.client.send('up');
    scene.session.send('down');
    scene.advance(5000);
    assert.deepEqual([scene.session.inbox, scene.seen.messages], [['up'], ['down']]);
    assert.deepEqual(scene.server.errors, []);
    assertHidden(scene, TOKEN);
  });

  check(`a grant is renewed by what authorize gives, and told until that is known: ${transport}`, () => {
    const asked = [];
    const clock = new Clock();
    const scene = over(transport, {
      clock,
      authorize: (why) => {
        asked.push([why, clock.now()]);
        return `token ${asked.length}`;
      },
      server: { judge: (credential) => (/[23]/.test(credential) ? 'later' : undefined) },
    });
    scene.advance(5000);
    const { session } = scene;
    const askedAt = clock.now();
    session.ask(10000);
    scene.advance(4000);
    assert.deepEqual(asked.map(([why]) => why), ['open', 'expiring']);
    // Half of 20 % of what is left, and the way here.
    const waited = asked[1][1] - askedAt;
    assert.ok(waited >= 1000 && waited < 1500, `asked after ${waited} ms`);
    const told = (token) => scene.server.credentials.filter(({ credential }) => credential === token).length;
    assert.ok(told('token 2') >= 1);
    // The same again on another connection, and in each exchange.
    const before = told('token 2');
    scene.websocket?.die(1006);
    scene.client.send('x');
    scene.advance(2000);
    assert.ok(told('token 2') > before);
    assert.equal(asked.length, 2, 'the application is asked once');
    // What cannot tell now asks again.
    session.ask(5000);
    scene.advance(4000);
    assert.equal(asked.length, 3);
    assert.ok(told('token 3') >= 1);
    session.sayRenewal(() => 'ok');
    scene.advance(1000);
    const after = scene.server.credentials.length;
    scene.client.send('x');
    scene.advance(30000);
    assert.equal(scene.server.credentials.length, after, 'told until ok');
    session.ask(5000);
    scene.advance(3000);
    assert.equal(scene.server.credentials.at(-1).credential, 'token 4');
    assert.equal(asked.length, 4);
    assert.deepEqual(scene.server.errors, []);
    assert.equal(scene.client.readyState, 1);
    assertHidden(scene, 'token 1', 'token 2', 'token 3', 'token 4');
  });

  check(`without a credential an exchange without one asks for the renewal: ${transport}`, () => {
    const scene = over(transport, { ...(transport === 'websocket' && { transports: ['websocket', 'poll'] }) });
    scene.advance(5000);
    const before = scene.network.requests.length;
    assert.equal(scene.page.forms.length, 0, 'a form opens with a credential alone');
    scene.server.credentials.length = 0;
    scene.session.ask(10000);
    scene.advance(3000);
    assert.equal(scene.server.credentials[0].how, 'exchange');
    assert.ok(scene.server.credentials.every(({ credential }) => credential === ''));
    assert.equal(scene.client.transport, transport);
    assert.deepEqual(scene.server.errors, []);
    if (transport === 'websocket') {
      const [request, ...more] = scene.network.requests.slice(before);
      assert.equal(more.length, 0);
      assert.match(request.url, /\/poll$/);
      assert.equal(request.withCredentials, true);
      const [attach, ...packets] = decodePayload(request.body);
      assert.match(attach.content, /^[0-9a-f]{32} [0-9a-f]{32} 2 0$/, 'it does not attach');
      assert.deepEqual(packets.filter(({ letter }) => letter !== 'a'), [{ letter: 'k', content: '' }]);
      assert.deepEqual(scene.session.log, ['websocket'], 'the WebSocket is not disturbed');
    }
    scene.client.send('on');
    scene.advance(2000);
    assert.deepEqual(scene.session.inbox, ['on']);
  });
  check(`a text is said again: ${transport}`, () => {
    const scene = over(transport, { authorize: 'lasting' });
    scene.advance(5000);
    scene.server.credentials.length = 0;
    scene.session.ask(10000);
    scene.advance(3000);
    assert.ok(scene.server.credentials.length > 0);
    assert.ok(scene.server.credentials.every(({ credential }) => credential === 'lasting'));
    scene.client.send('on');
    scene.advance(2000);
    assert.deepEqual(scene.session.inbox, ['on']);
  });
}

test('both legs of a race say the credential, and the session is one', () => {
  const scene = createScene({ authorize: 'token', httpDelayMs: 0 });
  scene.advance(1000);
  assert.deepEqual(scene.server.credentials.map(({ credential }) => credential), ['token', 'token']);
  assert.equal(scene.server.sessions.length, 1);
  assert.deepEqual(scene.server.errors, []);
});

test('a text changes nothing of when the legs start; nothing starts before the application has answered', () => {
  const [plain, text, empty] = [undefined, 'token', ''].map((authorize) => createScene({ authorize }));
  assert.deepEqual([plain, text, empty].map(({ network }) => network.websockets.length), [1, 1, 1]);
  empty.advance(100);
  assert.equal(empty.server.credentials[0].credential, undefined, 'an empty one is none');

  let done;
  const scene = createScene({ authorize: (why, answer) => { done = answer; } });
  scene.advance(3000);
  assert.equal(scene.network.websockets.length + scene.network.requests.length, 0);
  done('late');
  scene.advance(100);
  assert.deepEqual(scene.seen.events, ['transport', 'open']);
  done('twice');
  done(null);
  scene.advance(100);
  assert.deepEqual(scene.server.credentials, [{ how: 'websocket', credential: 'late' }]);
  assert.equal(scene.client.readyState, 1);
});

test('a promise is awaited, also one that is no real one, and an undefined one leaves the answer to done', async () => {
  const gives = [
    () => Promise.resolve('token'),
    () => ({ then: (done) => { done('token'); } }),
    async (why, done) => { setTimeout(() => done('token'), 1); },
    (why, done) => { done('token'); },
  ];
  for (const authorize of gives) {
    const scene = createScene({ authorize });
    await new Promise((resolve) => { setTimeout(resolve, 20); });
    scene.advance(100);
    assert.deepEqual(scene.server.credentials, [{ how: 'websocket', credential: 'token' }], `${authorize}`);
  }
});

/** Refuses that often, each time in another way. */
function failing(times) {
  const at = [];
  const thenable = { then: (_, failed) => failed(new Error('no')) };
  const authorize = (why, done) => {
    at.push(authorize.clock?.now());
    if (at.length > times) {
      return 'token';
    }
    if (at.length % 2) {
      authorize.late = done;
      throw new Error('no');
    }
    return thenable;
  };
  return Object.assign(authorize, { at });
}

test('a throw or a rejection is tried again, later each time', () => {
  const authorize = failing(4);
  const scene = createScene({ authorize });
  authorize.clock = scene.clock;
  authorize.late('too late');
  assert.equal(scene.network.websockets.length, 0);
  scene.advance(10000);
  const gaps = authorize.at.slice(2).map((at, i) => at - (authorize.at[i + 1] ?? at));
  assert.deepEqual(gaps, [1250, 2250, 4250], 'the pauses of NEGOTIATION §5.1');
  assert.deepEqual(scene.server.credentials, [{ how: 'websocket', credential: 'token' }]);
  assert.equal(scene.client.readyState, 1);
});

test('an application that never gives one fails to open, as when nothing opens', () => {
  for (const authorize of [failing(Infinity), () => {}]) {
    const scene = createScene({ authorize, connectTimeoutMs: 7000 });
    scene.advance(6900);
    assert.deepEqual(scene.seen.events, []);
    scene.advance(200);
    assert.deepEqual(scene.seen.events, ['error', 'close']);
    assert.equal(scene.seen.closes[0].code, 1006);
    const asked = authorize.at?.length;
    scene.advance(100000);
    assert.equal(authorize.at?.length, asked, 'it is asked no more');
    assert.equal(scene.network.websockets.length + scene.network.requests.length, 0);
  }
});

test('null gives up, when it opens and when it renews', () => {
  const never = createScene({ authorize: () => null });
  assert.deepEqual(never.seen.events, []);
  never.advance(100);
  assert.deepEqual(never.seen.events, ['error', 'close']);
  assert.deepEqual(never.seen.closes, [{ code: 4966, reason: 'no credential', wasClean: false }]);
  assert.equal(never.network.websockets.length, 0);

  const scene = createScene({ authorize: (why) => (why === 'open' ? 'token' : null) });
  scene.advance(100);
  scene.session.ask(1000);
  scene.advance(1000);
  assert.deepEqual(scene.seen.events, ['transport', 'open', 'transport', 'error', 'close']);
  assert.equal(scene.seen.closes[0].code, 4966);
  assert.equal(scene.session.closing.code, 4966, 'the server is told');
});

test('a page that returns, or is unblocked, before the application has answered opens nothing', async () => {
  const { withPage } = await import('./support/page-life.js');
  for (const happens of [
    ({ fire }) => fire('online'), ({ fire }) => fire('pageshow', { persisted: true }), ({ fire }) => fire('visibilitychange'),
    (_, client) => { client.block('websocket'); client.unblock('websocket'); client.block('poll'); client.unblock('poll'); },
  ]) {
    withPage((page) => {
      let done;
      const scene = createScene({ authorize: (why, answer) => { done = answer; } });
      scene.advance(100);
      happens(page, scene.client);
      scene.advance(2000);
      assert.equal(scene.network.websockets.length + scene.network.requests.length, 0);
      done('late');
      scene.advance(1000);
      assert.deepEqual(scene.server.credentials, [{ how: 'websocket', credential: 'late' }]);
      assert.deepEqual(scene.seen.events, ['transport', 'open']);
      happens(page, scene.client);
      scene.client.close();
      scene.advance(1000);
    });
  }
});

test('null at once is told when the page has had its turn, also where events have none of their own', () => {
  const scene = createScene({ authorize: () => null, turns: (pump) => { while (pump()) { /* the next */ } } });
  assert.equal(scene.client.readyState, 0);
  scene.advance(100);
  assert.deepEqual(scene.seen.events, ['error', 'close']);
  assert.equal(scene.seen.closes[0].code, 4966);
});

test('what fails while a grant is renewed is tried again', () => {
  const authorize = failing(3);
  const scene = createScene({ authorize: (why) => (why === 'open' ? 'first' : authorize(why, () => {})) });
  scene.advance(100);
  scene.session.ask(30000);
  scene.advance(20000);
  assert.deepEqual(scene.server.credentials.map(({ credential }) => credential), ['first', 'token']);
  assert.deepEqual(scene.seen.closes, []);
});

test('clients that are asked together answer in the first fifth of the time, not together', () => {
  const times = [];
  for (let i = 0; i < 10; i++) {
    const scene = createScene({ random: always(i / 10), authorize: (why) => why });
    scene.advance(100);
    const from = scene.clock.now();
    scene.session.ask(30000);
    for (let ms = 0; ms < 7000; ms += 100) {
      scene.advance(100);
      if (scene.server.credentials.length > 1) {
        times.push(scene.clock.now() - from);
        break;
      }
    }
  }
  assert.deepEqual(times.map((ms) => Math.floor(ms / 600)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('an exchange beside a WebSocket that is lost, or refused by another, is made again', () => {
  for (const fate of ['lost', 'html', 403, 'unanswered']) {
    const fates = [fate];
    const scene = createScene({ plan: { poll: () => fates.shift() || 'ok' } });
    scene.advance(100);
    scene.session.ask(30000);
    scene.advance(30000);
    assert.ok(scene.server.credentials.some(({ credential }) => credential === ''), fate);
    assert.equal(scene.client.transport, 'websocket');
    assert.deepEqual(scene.seen.transports, ['websocket'], `${fate}`);
    assert.deepEqual(scene.server.errors, []);
    const { length } = scene.network.requests;
    scene.advance(60000);
    assert.equal(scene.network.requests.length, length, 'until ok');
  }
});

test('a credential that is refused ends it, with what the server says', () => {
  for (const [transport, code] of [['websocket', 4966], ['poll', 4966], ['poll', 4969], ['websocket', 4969]]) {
    const scene = createScene({ transports: [transport], authorize: 'wrong', server: { judge: always(code) } });
    scene.advance(1000);
    assert.deepEqual(scene.seen.events, ['error', 'close'], `${transport} ${code}`);
    assert.equal(scene.seen.closes[0].code, code);
    assert.equal(scene.server.sessions.length, 0);
  }
});

test('a credential packet that says nothing known is an error of the protocol', () => {
  for (const content of ['', 'ask', 'ask 01', 'ask 1.5', 'ask 1 2', 'OK', 'ok ']) {
    for (const transport of ['websocket', 'poll']) {
      const scene = createScene({ transports: [transport] });
      scene.advance(1000);
      scene.session.sayRenewal(() => content);
      scene.advance(100);
      assert.equal(scene.seen.closes[0]?.code, 4960, `${content} by ${transport}`);
    }
  }
});

testFull('an engine without JSON, and a page that has changed it, open with the same credential', async () => {
  const { engine, load } = await import('./support/engine.js');
  for (const JSON of [undefined, { parse: globalThis.JSON.parse, stringify: () => '"changed"' }]) {
    const { Anywire } = load(engine({ JSON }));
    const scene = createScene({ Anywire, transports: ['poll'], authorize: TOKEN });
    scene.advance(500);
    assert.equal(scene.server.credentials[0].credential, TOKEN);
  }
});

testFull('over script tags the form opens first, and the address that follows has the same key alone', () => {
  for (const isSilent of [false, true]) {
    const scene = over('jsonp', { authorize: TOKEN });
    const { scripts, forms } = scene.page;
    assert.equal(scripts.length, 0, 'nothing goes ahead of the form');
    assert.equal(forms.length, 1);
    const [open] = decodePayload(forms[0].firstChild.value);
    if (isSilent) {
      forms[0].frame.onload = null;
    }
    scene.advance(isSilent ? 5200 : 200);
    const first = JSON.parse(open.content);
    assert.equal(first.credential, TOKEN);
    assert.equal(first.holdMs, undefined);
    const body = decodeURIComponent(/anywire\.b=(.*)$/.exec(scripts[0].src)[1]);
    const second = JSON.parse(decodePayload(body)[0].content);
    assert.deepEqual({ ...second, credential: TOKEN }, first);
    assert.equal(scene.client.transport, 'jsonp');
    assert.equal(scene.server.sessions.length, 1);
  }
});
