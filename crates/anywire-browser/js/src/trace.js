/**
 * Owns how attempts to connect went: for the application, and as reports for the server
 * (NEGOTIATION §9, PROTOCOL §7.6).
 * Leaves what an attempt is to negotiation.js.
 */

var TRACE_LENGTH = 64;

/** @returns {Trace} */
function createTrace() {
  var noted = 0;
  var reported = 0;
  var hasTrouble = false;

  /** @type {Trace} */
  var trace = {
    attempts: [],

    note: function (leg, phase, ms, outcome, detail) {
      noted++;
      hasTrouble = hasTrouble || !/^(ok|dropped)/.test(outcome);
      trace.attempts.push({
        leg: leg, phase: phase, ms: Math.round(ms), result: outcome + (detail ? ' ' + detail : '')
      });
      trace.attempts.splice(0, trace.attempts.length - TRACE_LENGTH);
    },

    reports: function () {
      var first = noted - trace.attempts.length;
      var reports = [];
      for (var number = Math.max(first, reported); hasTrouble && number < noted; number++) {
        var attempt = trace.attempts[number - first];
        reports.push(newPacket(REPORT, [
          number + 1, attempt.leg, attempt.phase, attempt.ms, attempt.result.split(' ')[0]
        ].join(' ')));
      }
      return reports;
    },

    handleReported: function (packets) {
      for (var i = 0; i < packets.length; i++) {
        if (packets[i].letter === REPORT) {
          reported = Math.max(reported, parseInt(packets[i].content, 10));
        }
      }
    }
  };
  return trace;
}
