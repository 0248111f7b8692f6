// Draws a lane's requests and deliveries as they happen, some seconds of them, moving to the left.
(function (Compare) {
  'use strict';

  var SHOWN_MS = 6000;
  // The relay is read ten times a second; drawing this much later, nothing appears in the past.
  var LATE_MS = 300;
  var PAD = 9;

  function Timeline(canvas) {
    this.canvas = canvas;
    this.exchanges = {};
    this.deliveries = [];
    this.marks = [];
    // Whether an answer that does not end brings the events, and exchanges are beside it.
    this.isStream = false;
  }

  // A question was asked, came to the server, its answer left there, and came: all at these times.
  Timeline.prototype.answer = function (asked, heard, left, came) {
    this.deliveries.push({ asked: asked, heard: heard, made: left, came: came });
  };

  // An event was made and came at these times.
  Timeline.prototype.deliver = function (made, came) {
    this.deliveries.push({ made: made, came: came });
  };

  // What the relay saw.
  Timeline.prototype.note = function (activity) {
    var timeline = this;
    activity.forEach(function (one) {
      var what = one[0], number = one[1], at = one[2];
      var exchange = timeline.exchanges[number];
      if (what === 'request') {
        timeline.exchanges[number] = { from: at, to: null, label: one[3] };
      } else if (what === 'answer' && exchange) {
        exchange.answered = at;
      } else if (what === 'end' && exchange) {
        exchange.to = at;
      } else if (what === 'cut') {
        if (exchange) {
          exchange.to = at;
        }
        timeline.marks.push({ at: at, isCut: true });
      } else if (what === 'up') {
        timeline.marks.push({ at: at, isCut: false });
      }
    });
  };

  Timeline.prototype.draw = function (now, style) {
    var fitted = Compare.fit(this.canvas);
    var pen = fitted.pen, width = fitted.width, height = fitted.height;
    var end = now - LATE_MS, begin = end - SHOWN_MS;
    var x = function (at) { return (at - begin) / SHOWN_MS * width; };
    this.forget(begin);
    drawGrid(pen, x, begin, end, width, height, style);
    var numbers = Object.keys(this.exchanges);
    for (var i = 0; i < numbers.length; i++) {
      var exchange = this.exchanges[numbers[i]];
      var isSide = exchange.label === 'preflight' || (exchange.label === 'poll' && this.isStream);
      drawExchange(pen, exchange, isSide, x, end, height, style);
    }
    this.marks.forEach(function (mark) {
      drawMark(pen, mark, x(mark.at), height, style);
    });
    pen.strokeStyle = pen.fillStyle = style.colour;
    pen.lineWidth = 1.5;
    this.deliveries.forEach(function (delivery) {
      if (delivery.came > end) {
        return;
      }
      pen.globalAlpha = 0.8;
      pen.beginPath();
      if (delivery.asked) {
        pen.moveTo(x(delivery.asked), height - PAD);
        pen.lineTo(x(delivery.heard), PAD);
        pen.lineTo(x(delivery.made), PAD);
      }
      pen.moveTo(x(delivery.made), PAD);
      pen.lineTo(x(delivery.came), height - PAD);
      pen.stroke();
      pen.globalAlpha = 1;
      pen.beginPath();
      pen.arc(x(delivery.came), height - PAD, 3.2, 0, Math.PI * 2);
      pen.fill();
    });
  };

  // What has left the picture is dropped.
  Timeline.prototype.forget = function (begin) {
    var exchanges = this.exchanges;
    Object.keys(exchanges).forEach(function (number) {
      if (exchanges[number].to !== null && exchanges[number].to < begin) {
        delete exchanges[number];
      }
    });
    while (this.deliveries.length && this.deliveries[0].came < begin) {
      this.deliveries.shift();
    }
    while (this.marks.length && this.marks[0].at < begin) {
      this.marks.shift();
    }
  };

  function drawGrid(pen, x, begin, end, width, height, style) {
    pen.fillStyle = style.line;
    for (var at = Math.ceil(begin / 1000) * 1000; at < end; at += 1000) {
      pen.fillRect(Math.round(x(at)), 0, 1, height);
    }
    pen.fillRect(0, PAD, width, 1);
    pen.fillRect(0, height - PAD, width, 1);
  }

  // A request that brings events is a bar; acknowledgements and preflights are thin ones below.
  function drawExchange(pen, exchange, isSide, x, end, height, style) {
    if (exchange.from > end) {
      return;
    }
    var from = x(exchange.from), to = x(exchange.to === null ? end : Math.min(exchange.to, end));
    var top = isSide ? height * 0.70 : height * 0.32;
    var thick = isSide ? height * 0.10 : height * 0.28;
    pen.fillStyle = pen.strokeStyle = style.colour;
    pen.globalAlpha = isSide ? 0.45 : 0.2;
    pen.fillRect(from, top, Math.max(3, to - from), thick);
    pen.globalAlpha = 1;
    pen.fillRect(from, top, 2.5, thick);
    if (exchange.to !== null && exchange.to <= end) {
      pen.globalAlpha = 0.7;
      pen.fillRect(Math.max(from, to - 1.5), top, 1.5, thick);
      pen.globalAlpha = 1;
    }
  }

  function drawMark(pen, mark, at, height, style) {
    pen.fillStyle = mark.isCut ? style.bad : style.colour;
    if (mark.isCut) {
      pen.fillRect(at - 1, 0, 2, height);
    } else {
      pen.fillRect(at, height * 0.62, 2, height * 0.12);
    }
  }

  // A canvas as large as it is shown, in its device's pixels, empty.
  Compare.fit = function (canvas) {
    var ratio = window.devicePixelRatio || 1;
    var width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    var pen = canvas.getContext('2d');
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.globalAlpha = 1;
    return { pen: pen, width: width, height: height };
  };

  Compare.Timeline = Timeline;
})(window.Compare);
