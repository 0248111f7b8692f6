/**
 * Owns the text encoding of payloads (PROTOCOL §4.3), for engines whose XMLHttpRequest knows no
 * bytes. Only in the full build.
 */

/** @type {Encoding} */
var TEXT_ENCODING = {
  contentType: 'text/plain',
  responseType: '',
  field: 'responseText',
  // Engines have changed text on its way (to a Unicode normal form, or ended it at NUL): it goes up
  // as ASCII (PROTOCOL §4.7).
  pack: function (packets) {
    return 'b=' + encodeURIComponent(encodeText(packets));
  },
  unpack: function (body) {
    return decodeText(unescapeText(body));
  },
  toText: function (body) {
    return body;
  }
};

/**
 * What comes down is escaped too, for engines that make a space of NUL (PROTOCOL §4.7, §14.3).
 * @param {string} text
 */
function unescapeText(text) {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw protocolError();
  }
}

/** @param {Packet[]} packets */
function encodeText(packets) {
  var text = '';
  for (var i = 0; i < packets.length; i++) {
    var content = packets[i].content;
    if (packets[i].letter === BINARY) {
      content = toBase64(content);
    }
    text += content.length + ':' + packets[i].letter + content;
  }
  return text;
}

/** @param {string} text */
function decodeText(text) {
  var packets = [];
  var at = 0;
  while (at < text.length) {
    var colon = text.indexOf(':', at);
    var start = colon + 2;
    var end = start + parseNumber(colon < 0 ? '' : text.substring(at, colon));
    var letter = text.charAt(colon + 1);
    var content = text.substring(start, end);
    // A length may end inside a surrogate pair; what it cuts is not text.
    if (end > text.length || wellFormed(content) !== content) {
      throw protocolError();
    }
    packets.push(checkPacket(
      LETTERS, letter, letter === BINARY ? fromBase64(content) : content));
    at = end;
  }
  return packets;
}
