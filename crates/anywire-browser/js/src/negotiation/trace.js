/**
 * Owns how attempts to connect went: for the application, and as reports for the server
 * (NEGOTIATION §9, PROTOCOL §7.6).
 * Leaves what an attempt is to negotiation.js.
 */

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
      ms = Math.round(ms);
      hasTrouble = hasTrouble || !/^(ok|dropped)/.test(outcome);
      trace.attempts_.push({
        leg: transport, phase: phase, ms: ms, result: outcome + (detail ? ' ' + detail : '')
      });
      unreported.push(newPacket(REPORT, [++noted, transport, phase, ms, outcome].join(' ')));
      trace.attempts_.splice(0, trace.attempts_.length - TRACE_LENGTH);
      unreported.splice(0, unreported.length - TRACE_LENGTH);
    },

    reports_: function () {
      return hasTrouble ? unreported.slice(0, MAX_REPORTS) : [];
    },

    handleReported_: function (packets) {
      for (var i = 0; i < packets.length; i++) {
        if (packets[i] === unreported[0]) {
          unreported.shift();
        }
      }
    }
  };
  return trace;
}
