/**
 * Owns JSON, which is the engine's. The modern build's; legacy/json.js has the same name where there is none.
 */

export var json = JSON;
