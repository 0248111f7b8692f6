/**
 * Owns the opening key (PROTOCOL §2.2).
 * Leaves randomness to the platform.
 */

import { randomBytes } from '#platform/engine.js';
import { charAt } from '../language.js';

var DIGITS = '0123456789abcdef';

export function newKey() {
  var bytes = randomBytes(16);
  var key = '';
  for (var i = 0; i < 16; i++) {
    key += charAt(DIGITS, bytes[i] >> 4) + charAt(DIGITS, bytes[i] & 15);
  }
  return key;
}
