/**
 * Owns the global object, also where it has no name of its own.
 */

/** @type {any} */
export var root = typeof self !== 'undefined' ? self : typeof global !== 'undefined' ? global : this;
