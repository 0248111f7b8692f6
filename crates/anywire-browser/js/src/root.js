/**
 * Owns the global object, also where it has no name of its own. In a script it is `self`, see bundle.mjs.
 */

/** @type {any} */
var root = typeof self !== 'undefined' ? self : typeof global !== 'undefined' ? global : this;

export default root;
