/**
 * Owns reading JSON, and writing a text as JSON, which the engine does. The modern build's; legacy/json.js has the same
 * names.
 */

export var parse = JSON.parse;
/** @type {(text: string) => string} */
export var jsonText = JSON.stringify;
