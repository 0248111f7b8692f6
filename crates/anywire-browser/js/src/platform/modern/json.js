/**
 * Owns reading JSON, which the engine does. The modern build's; legacy/json.js has the same name where there is none.
 */

export var parse = JSON.parse;
