/**
 * Owns the limits that more transports than one keep.
 * Leaves those of one transport to its own file, and the server's to the session.
 */

/** No line is thought to carry less. */
export var SLOW_BYTES_PER_MS = 16;

/** So many messages or bytes are acknowledged at once. */
export var MAX_UNACKED = 128;
export var MAX_UNACKED_BYTES = 131072;
