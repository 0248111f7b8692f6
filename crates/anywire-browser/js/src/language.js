/**
 * Owns what the client needs of the language, as it was when the client was loaded: a page may change it later.
 * Leaves what it needs of the engine to the platforms.
 */

import { take } from '#platform/take.js';
import root from './root.js';

// Of values, since a page may have replaced the types.
var text = '';
/** @type {any[]} */
var list = [];

/** @type {(text: string, at: number) => string} */
export var charAt = /*#__PURE__*/ take(text.charAt);
/** @type {(text: string, at: number) => number} */
export var charCodeAt = /*#__PURE__*/ take(text.charCodeAt);
/** @type {(text: string, part: string, from?: number) => number} */
export var indexOf = /*#__PURE__*/ take(text.indexOf);
/** @type {(text: string, from: number, to: number) => string} */
export var substring = /*#__PURE__*/ take(text.substring);
/** @type {(text: string, what: RegExp, by: any) => string} */
export var replace = /*#__PURE__*/ take(text.replace);
/** @type {(pattern: RegExp, text: any) => RegExpExecArray | null} */
export var exec = /*#__PURE__*/ take(/x/.exec);
/** @type {(list: any[], by: string) => string} */
export var join = /*#__PURE__*/ take(list.join);
/** @type {<T>(list: T[], from: number, count: number) => T[]} */
export var splice = /*#__PURE__*/ take(list.splice);
/** @type {(object: object, name: PropertyKey) => boolean} */
export var has = /*#__PURE__*/ take({}.hasOwnProperty);

export var max = Math.max;
export var min = Math.min;
export var floor = Math.floor;
export var round = Math.round;
export var random = Math.random;
export var fromCharCode = String.fromCharCode;
export var escape = encodeURIComponent;
export var unescape = decodeURIComponent;
export var pow = Math.pow;
export var Bytes = root.Uint8Array;
export var Encoder = root.TextEncoder;
export var Decoder = root.TextDecoder;
export var PageBlob = root.Blob;
export var PagePromise = root.Promise;
export var later = root.setTimeout;

var PageDate = Date;

/** Milliseconds of the wall clock. */
export function date() {
  return +new PageDate();
}

/**
 * A list with more behind it.
 * @template T
 * @param {T[]} first
 * @param {T[]} more
 * @returns {T[]}
 */
export function append(first, more) {
  for (var i = 0; i < more.length; i++) {
    first[first.length] = more[i];
  }
  return first;
}

/**
 * A member that the object has itself: pages add some to all objects.
 * @param {any} object
 * @param {string} name
 */
export function own(object, name) {
  return has(object, name) ? object[name] : undefined;
}
