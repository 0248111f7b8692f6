/**
 * Owns the messages of each step, which both sides send and both expect. samples.rs makes the same.
 * Leaves sending them and what is wrong with those that come to acceptance.js.
 */

var samples = {
  numbered: function () {
    return numbered(1000);
  },

  /** Every code unit of the BMP but surrogates, in rows of 256, and what is often changed or framed wrongly. */
  unicode: function () {
    var texts = [];
    for (var row = 0; row < 256; row++) {
      if (row < 0xd8 || row > 0xdf) {
        var units = [];
        for (var cell = 0; cell < 256; cell++) {
          units[cell] = String.fromCharCode(256 * row + cell);
        }
        texts.push(units.join(''));
      }
    }
    for (var plane = 1; plane <= 16; plane++) {
      texts.push(astral(plane, 0x0000) + astral(plane, 0x8000) + astral(plane, 0xffff));
    }
    // Emoji, and what normal forms take apart: musical symbols, compatibility ideographs.
    texts.push(astral(1, 0xf600) + astral(1, 0xd15e) + astral(1, 0xd164) + astral(2, 0xf800) + astral(2, 0xfa1d));
    return texts.concat([
      '', '\x10', '\x10\x10', '\x10c1000', '\uFEFFfirst', 'e\u0301', '\u1112\u1161\u11ab', '\u0323\u0307s',
      '\r\n\r\ndata: x\rid: 1\n\n', '12:tlonger', '\u2028\u2029\x85', '</script><!--'
    ]);
  },

  binary: function () {
    var bytes = [bytesOf(0), bytesOf(1), bytesOf(256), bytesOf(70001)];
    // A part of a buffer is not the buffer.
    bytes.push(bytesOf(300).subarray(7, 130));
    return bytes;
  },

  /** As long as a message may be, in bytes of UTF-8: 1 MiB. */
  large: function () {
    return [blocks(16384)];
  },

  /** Each longer than a part, and than the bodies that pass. */
  parts: function () {
    return ['first', blocks(2048), blocks(2048), 'last'];
  },

  /** What filters take for an attack. */
  veil: function () {
    return ['first', 'a <script>alert(1)</script> b', blocks(512) + '<script>', 'last'];
  },

  resumed: function () {
    return numbered(100);
  },

  idle: function () {
    return numbered(10);
  },

  awaited: function () {
    return numbered(100);
  },

  framework: function () {
    return numbered(10);
  },

  renewed: function () {
    return numbered(10);
  },

  reopened: function () {
    return numbered(10);
  }
};

/** Fills a block of 64 bytes from its fifth on. */
var LARGE_FILLING = '-the-quick-brown-fox-jumps-over-the-lazy-dog-abc\u00e9-\u20ac-\ud83d\ude00-';

/** A text of so many blocks. */
function blocks(count) {
  var texts = [];
  for (var i = 0; i < count; i++) {
    texts[i] = hex(i) + LARGE_FILLING;
  }
  return texts.join('');
}

function numbered(count) {
  var texts = [];
  for (var i = 0; i < count; i++) {
    texts[i] = 'message ' + i;
  }
  return texts;
}

function astral(plane, low) {
  var rest = 0x10000 * (plane - 1) + low;
  return String.fromCharCode(0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff));
}

function bytesOf(length) {
  var bytes = new Uint8Array(length);
  for (var i = 0; i < length; i++) {
    bytes[i] = (i + (i >> 8)) & 255;
  }
  return bytes;
}

/** Why they differ, or ''. */
function difference(expected, found) {
  if (typeof expected === 'string') {
    return found === expected ? '' : typeof found !== 'string' ? 'no text but ' + found :
      unitDifference(expected.length, found.length, function (i) {
        return hex(expected.charCodeAt(i)) + ' came as ' + (i < found.length ? hex(found.charCodeAt(i)) : 'nothing');
      }, function (i) {
        return expected.charCodeAt(i) === found.charCodeAt(i);
      });
  }
  if (Object.prototype.toString.call(found) !== '[object ArrayBuffer]') {
    return 'no ArrayBuffer but ' + Object.prototype.toString.call(found) + ' ' + ('' + found).substr(0, 40);
  }
  var bytes = new Uint8Array(found);
  return unitDifference(expected.length, bytes.length, function (i) {
    return expected[i] + ' came as ' + bytes[i];
  }, function (i) {
    return expected[i] === bytes[i];
  });
}

function unitDifference(expectedLength, foundLength, describe, isSame) {
  var count = 0;
  var first = [];
  for (var i = 0; i < expectedLength; i++) {
    if (!isSame(i)) {
      if (count++ < 4) {
        first.push('at ' + i + ' ' + describe(i));
      }
    }
  }
  return count || expectedLength !== foundLength ?
    'length ' + expectedLength + ' came as ' + foundLength + ', ' + count + ' units differ: ' + first.join(', ') : '';
}
