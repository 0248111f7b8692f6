// graphql-ws: texts with a sub-protocol, a ping of its own, and a subscription that outlives its socket.

import { createClient } from 'graphql-ws';

export async function graphql(Anywire, { tell, until, untilTold, untilCarried }) {
  const heard = new Set();
  const habits = { lazy: false, keepAlive: 50, retryWait: async () => {}, connectionParams: { token: 'é🦀' } };
  const client = createClient({ url: '/graphql', webSocketImpl: Anywire, ...habits });
  client.on('opened', (socket) => tell(`opened ${socket.protocol}`));
  client.on('connected', (socket, payload, isRetry) => tell(`connected ${payload.token}${isRetry ? ' again' : ''}`));
  client.on('closed', (event) => tell(`closed ${event.code} ${event.reason} ${event.wasClean}`));
  client.on('error', (event) => tell(`error ${event.type}`));
  client.on('ping', (wasReceived) => heard.add(wasReceived ? 'their ping' : 'our ping'));
  client.on('pong', (wasReceived) => heard.add(wasReceived ? 'their pong' : 'our pong'));
  await untilTold('connected é🦀');
  await untilCarried();

  // The answers of an operation, one by one; what ends it is told too.
  const run = (query, variables) => client.iterate({ query, variables });
  const one = async (query, variables) => (await run(query, variables).next()).value;

  tell(`hello ${(await one('query ($name: String) { hello(name: $name) }', { name: '\u2028 "x" \0' })).data.hello === 'hello \u2028 "x" \0'}`);
  try {
    await one('query { nothing }');
  } catch (errors) {
    tell(`refused ${errors[0].message}`);
  }
  await until(() => heard.size === 4);
  tell('pinged and ponged, both');

  const posts = run('subscription { posts }');
  const next = posts.next();
  const post = (text) => one('mutation ($text: String) { post(text: $text) }', { text });
  await post('first');
  tell(`post ${(await next).value.data.posts}`);
  await post('x'.repeat(100_000));
  tell(`post of ${(await posts.next()).value.data.posts.length}`);

  const after = posts.next();
  await one('mutation { hangUp }');
  await untilTold('connected é🦀 again');
  await untilCarried();
  await post('after it came back');
  tell(`post ${(await after).value.data.posts}`);
  await posts.return();

  await client.dispose();
  await untilTold('closed 1000');
}

// The server ends, with all that it knew, and another takes its place. The library takes a subscription up again after a
// close, but not after an error.
export async function bereaved(Anywire, { tell, untilTold }) {
  const habits = { lazy: false, retryWait: async () => {} };
  const client = createClient({ url: '/graphql', webSocketImpl: Anywire, ...habits });
  client.on('connected', (socket, payload, isRetry) => tell(isRetry ? 'connected again' : 'connected'));
  client.on('closed', (event) => tell(`lost, cleanly: ${event.wasClean}`));
  client.on('error', (event) => tell(event.type));
  const posts = client.iterate({ query: 'subscription { posts }' });
  const post = posts.next();
  await untilTold('connected again');
  await client.iterate({ query: 'mutation ($text: String) { post(text: $text) }', variables: { text: 'after' } }).next();
  tell(`post ${(await post).value.data.posts}`);
}
