// Shows the bytes of a lane's last exchange: request, answer, and the last chunk or frame with its header bits.
(function (Compare) {
  'use strict';

  var text = function (name) { return Compare.words.text(name); };
  var OPCODES = { 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' };

  // A tape has one character per byte, each below 256.
  function printable(bytes) {
    var utf8;
    try {
      utf8 = decodeURIComponent(escape(bytes));
    } catch (cut) {
      utf8 = bytes;
    }
    return utf8.replace(/\r\n/g, '\n').replace(/[\u0000-\u0009\u000b-\u001f\u007f]/g, function (character) {
      return '\\x' + (character.charCodeAt(0) + 256).toString(16).substr(1);
    });
  }

  function bits(number, count) {
    return (number + Math.pow(2, count)).toString(2).substr(1);
  }

  // RFC 6455 §5.2, of a frame from the server.
  function frameHeader(frame) {
    var first = frame.charCodeAt(0), second = frame.charCodeAt(1);
    var extended = { 126: 2, 127: 8 }[second & 127] || 0;
    var length = second & 127;
    if (extended) {
      length = 0;
      for (var i = 2; i < 2 + extended; i++) {
        length = length * 256 + frame.charCodeAt(i);
      }
    }
    var shown = bits(first, 8) + ' ' + bits(second, 8);
    for (var at = 2; at < 2 + extended; at++) {
      shown += ' ' + bits(frame.charCodeAt(at), 8);
    }
    return {
      bytes: 2 + extended,
      text: shown + '\nFIN ' + (first >> 7) + ' · RSV ' + bits(first >> 4 & 7, 3) + ' · opcode ' + (first & 15) + ' ' +
        (OPCODES[first & 15] || '') + ' · MASK ' + (second >> 7) + ' · length ' + length
    };
  }

  function part(name, content, length) {
    var section = document.createElement('section');
    var head = document.createElement('h4');
    head.textContent = text(name) + (length ? ' · ' + length.toLocaleString('en') + ' ' + text('ofBytes') : '');
    var body = document.createElement('pre');
    body.textContent = content;
    section.className = name;
    section.appendChild(head);
    section.appendChild(body);
    return section;
  }

  // Shows a tape; none if nothing has passed yet.
  Compare.showWire = function (place, tape) {
    place.textContent = '';
    if (!tape || !tape.request) {
      place.appendChild(part('request', text('nothing')));
      return;
    }
    place.appendChild(part('request', printable(tape.request)));
    place.appendChild(part('answer', printable(tape.answer)));
    if (!tape.piece) {
      return;
    }
    if (/^HTTP\/1.1 101/.test(tape.answer)) {
      var header = frameHeader(tape.piece);
      var frame = part('frame', header.text + '\n' + printable(tape.piece.substr(header.bytes)), tape.pieceLength);
      place.appendChild(frame);
    } else {
      place.appendChild(part('chunk', printable(tape.piece), tape.pieceLength));
    }
  };
})(window.Compare);
