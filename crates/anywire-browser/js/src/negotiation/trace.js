/**
 * Owns how attempts to connect went: for the application, and as reports for the server
 * (NEGOTIATION §9, PROTOCOL §7.6).
 * Leaves what an attempt is to negotiation.js.
 */

import { exec, join, round, splice } from '../language.js';
import { newPacket, REPORT } from '../wire/packet.js';

var TRACE_LENGTH = 64;
/** In one go. */
var MAX_REPORTS = 16;

/** @returns {Trace} */
export function createTrace() {
  var noted = 0;
  var hasTrouble = false;
  // What the server has not been told.
  /** @type {Packet[]} */
  var unreported = [];

  /** @type {Trace} */
  var trace = {
    attempts_: [],

    note_: function (transport, phase, ms, outcome, detail) {
      ms = round(ms);
      hasTrouble = hasTrouble || !exec(/^(ok|dropped)/, outcome);
      keep(trace.attempts_, {
        leg: transport, phase: phase, ms: ms, result: outcome + (detail ? ' ' + detail : '')
      });
      keep(unreported, newPacket(REPORT, join([++noted, transport, phase, ms, outcome], ' ')));
    },

    reports_: function () {
      var packets = [];
      for (var i = 0; hasTrouble && i < MAX_REPORTS && i < unreported.length; i++) {
        packets[i] = unreported[i];
      }
      return packets;
    },

    handleReported_: function (packets) {
      for (var i = 0; i < packets.length; i++) {
        if (packets[i] === unreported[0]) {
          splice(unreported, 0, 1);
        }
      }
    }
  };
  return trace;
}

/**
 * @template T
 * @param {T[]} list
 * @param {T} last
 */
function keep(list, last) {
  list[list.length] = last;
  splice(list, 0, list.length - TRACE_LENGTH);
}
