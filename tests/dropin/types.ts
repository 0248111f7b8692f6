// Checked by `make dropin`, never run: each library takes an Anywire where its types ask for a WebSocket.

import { createClient } from 'graphql-ws';
import ReconnectingWebSocket from 'reconnecting-websocket';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import Anywire from '../../crates/anywire-browser/js/index.mjs';

const doc = new Y.Doc();
createClient({ url: '/graphql', webSocketImpl: Anywire });
new WebsocketProvider('/yjs', 'garden', doc, { WebSocketPolyfill: Anywire });
new ReconnectingWebSocket('/chat', 'chat', { WebSocket: Anywire });
