/**
 * Owns one leg as the negotiation sees it, and the durations of NEGOTIATION §8.
 * Leaves what becomes of it to negotiation.js.
 */

import { max, min, pow } from '../language.js';

/** Before a WebSocket is attached, a phase may take so long; after it, the proof at most. */
export var SILENCE_MS = 5000;
export var MIN_PROOF_MS = 1000;
/** How long a WebSocket that seems to have superseded polling may take to say so. */
export var GRACE_MS = 1000;
/** How long answers that know no endpoint are borne, before a session is open and while it lives. */
export var NOT_HERE_MS = 1000;
export var GONE_MS = 15000;
/** After so long a proven WebSocket was worth it. */
export var STEADY_MS = 10000;
/** How long the WebSocket is alone where it was proven before. */
export var MIN_DELAY_MS = 100;
export var MAX_DELAY_MS = 1000;

/**
 * @param {TransportName} transport
 * @param {boolean} isAllowed
 * @returns {LegState}
 */
export function createLegState(transport, isAllowed) {
  return /** @type {LegState} */ ({
    transport_: transport, phase_: '', failures_: 0, isAllowed_: isAllowed, hasStarted_: false, isProven_: false,
    isStalled_: false
  });
}

/** @param {LegState} leg */
export function isAttached(leg) {
  return leg.phase_ === 'proof' || leg.phase_ === 'carry';
}

/**
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
export function clamp(value, least, most) {
  return max(least, min(most, value));
}

/**
 * The pause after so many failures in a row (NEGOTIATION §5.1). With full jitter above a floor, clients that were cut off
 * together do not come back together.
 * @param {NegotiationSettings} settings
 * @param {number} failures
 */
export function pauseMs(settings, failures) {
  var minMs = settings.backoff.minMs;
  return minMs + settings.random() * max(0, min(settings.backoff.maxMs, minMs * pow(2, failures)) - minMs);
}
