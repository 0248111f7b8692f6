// Owns every text of the page, in both languages, and which of them is shown.
(function (Compare) {
  'use strict';

  var TEXTS = {
    title: ['Five ways to get the news', '소식을 받는 다섯 가지 방법'],
    subtitle: ['The same events, at the same time, over the same network. What does each way cost?',
      '같은 이벤트를, 같은 시각에, 같은 네트워크로 보냅니다. 방식마다 비용은 얼마나 다를까요?'],
    theme: ['Theme', '화면 모드'], themeAuto: ['Auto', '자동'], themeLight: ['Light', '밝게'], themeDark: ['Dark', '어둡게'],
    language: ['Language', '언어'], skip: ['Skip to the lanes', '비교 화면으로 건너뛰기'],
    controls: ['Load and network', '부하와 네트워크'],
    eventsPerSecond: ['Events', '이벤트'], sizeBytes: ['Event size', '이벤트 크기'],
    intervalMs: ['Polling', '폴링 간격'], addedRttMs: ['Added RTT', '왕복 지연'],
    cutsPerMinute: ['Cuts', '연결 끊김'], extraClients: ['Extra clients', '추가 접속자'],
    perSecond: ['/s', '/초'], perMinute: ['/min', '/분'], bytes: ['B', 'B'], ms: ['ms', 'ms'],
    'break': ['Break WebSocket', 'WebSocket 끊기'], mend: ['Mend WebSocket', 'WebSocket 복구'],
    reset: ['Reset numbers', '수치 초기화'],
    lanes: ['The five ways', '다섯 가지 방식'],
    'short-poll': ['Short polling', '숏 폴링'], 'long-poll': ['Long polling', '롱 폴링'],
    events: ['Event stream', '이벤트 스트림'], stream: ['HTTP streaming', 'HTTP 스트리밍'],
    websocket: ['WebSocket', 'WebSocket'],
    'short-poll-how': [
      'The client asks again and again at a fixed interval, and is answered at once, news or not. An event waits half an interval on average, and every empty answer still costs a whole request.',
      '클라이언트가 일정한 간격으로 계속 묻고, 서버는 새 소식이 있든 없든 바로 답합니다. 이벤트는 평균적으로 간격의 절반을 기다리며, 빈 응답에도 요청 한 번의 비용이 고스란히 듭니다.'],
    'long-poll-how': [
      'The client asks once, and the server holds the answer until there is an event; then the client asks again. Events arrive almost at once, but each answer costs a whole request, and its return trip keeps the next event waiting.',
      '클라이언트가 한 번 물으면 서버는 이벤트가 생길 때까지 응답을 붙들고 있고, 답을 받은 클라이언트는 곧바로 다시 묻습니다. 거의 즉시 도착하지만 응답마다 요청 한 번이 들고, 그 왕복 동안 다음 이벤트는 기다려야 합니다.'],
    'events-how': [
      'One request gets an answer that goes on and on, in a text format that browsers read by themselves (EventSource). An event costs a few dozen bytes of wrapping, and whatever goes up, such as an acknowledgement, is a request of its own.',
      '요청 한 번에 계속 이어지는 응답을 받으며, 브라우저가 스스로 읽는 텍스트 형식(EventSource)입니다. 이벤트마다 포장이 수십 바이트 붙고, 수신 확인처럼 서버로 올라가는 것은 모두 별도의 요청이 됩니다.'],
    'stream-how': [
      'One request gets an answer that goes on and on, and the page reads each piece as it comes, with less wrapping than an event stream. But a proxy that collects answers before it passes them on stops it, and some browsers show the pieces late (Firefox by 50 ms).',
      '요청 한 번에 계속 이어지는 응답을 받고, 페이지는 조각이 도착하는 대로 읽으며, 포장은 이벤트 스트림보다 적습니다. 다만 응답을 다 모은 뒤에야 넘기는 프록시를 만나면 막히고, 조각을 늦게 보여 주는 브라우저도 있습니다(Firefox는 50 ms).'],
    'websocket-how': [
      'One request turns the connection into a channel of frames, both ways. An event costs a header of 2 to 4 bytes and no request, but some proxies break it, and then this session goes on over long polling.',
      '요청 한 번으로 연결이 양방향 프레임 통로로 바뀝니다. 이벤트마다 헤더 2~4바이트만 붙고 요청은 들지 않지만, 이를 막는 프록시도 있으며 그럴 때 이 세션은 롱 폴링으로 이어집니다.'],
    median: ['delay, ms', '지연, ms'], p95: ['95 % within', 'p95 (95백분위)'], bytesPerEvent: ['bytes / event', '바이트 / 이벤트'],
    requestsPerSecond: ['requests / s', '요청 / 초'], cpu: ['CPU µs / event', 'CPU µs / 이벤트'],
    waiting: ['waiting', '대기'], gaps: ['lost', '유실'], repeats: ['repeated', '중복'],
    viaNone: ['reconnecting', '다시 연결 중'],
    versus: ['vs WebSocket', 'WebSocket 대비'],
    'times-median': ['delay', '지연'], 'times-bytes': ['bytes', '바이트'], 'times-cpu': ['CPU', 'CPU'],
    yardstick: ['The yardstick: {size} B of event, {bytes} B on the wire',
      '기준: {size} B짜리 이벤트를 {bytes} B로 전송'],
    noVerdict: ['measuring…', '측정 중…'],
    legend: [
      'Each thin line is one event, from the moment it was made (top) to the moment it arrived (bottom): the flatter, the later. A bar is one request, for as long as it waits for its answer.',
      '가는 선 하나가 이벤트 하나로, 만들어진 순간(위)에서 도착한 순간(아래)까지 이어집니다. 선이 누울수록 늦게 도착한 것입니다. 막대는 요청 하나이며, 응답을 기다리는 동안만큼 길어집니다.'],
    timeline: ['Requests and deliveries of the last seconds', '최근 몇 초간의 요청과 전달'],
    histogram: ['How late events are, 1 ms to 5 s', '지연 분포, 1 ms ~ 5 s'],
    chart: ['Over the last minute', '최근 1분'], chartWhat: ['What is drawn', '표시할 값'],
    chartLatency: ['Median delay, ms', '지연 중앙값, ms'], chartBytes: ['Bytes per event', '이벤트당 바이트'],
    chartCpu: ['CPU per event, µs', '이벤트당 CPU, µs'],
    reduced: [
      'This browser is too old for the chart of the last minute. All numbers above are complete.',
      '이 브라우저는 오래되어 최근 1분 차트를 그리지 못합니다. 위의 수치는 모두 그대로 측정한 값입니다.'],
    wire: ['What is on the wire', '실제로 오가는 바이트'], wireLane: ['Whose bytes', '표시할 방식'],
    hold: ['Hold still', '일시 정지'],
    request: ['Request', '요청'], answer: ['Answer', '응답'],
    chunk: ['Latest chunk', '마지막 조각'], frame: ['Latest frame', '마지막 프레임'],
    ofBytes: ['bytes', '바이트'], nothing: ['Nothing yet.', '아직 없습니다.'],
    how: [
      'Every lane but short polling is the Anywire client itself, held to one transport. Bytes are counted at the sockets of a relay before each server, HTTP heads and frame headers included, TCP and IP headers not. CPU is the time of the server’s own thread, divided by its deliveries. The delay runs from the making of an event to the page’s handler; the median is of the last 10 seconds. On a cut, every lane loses its connections at the same moment; a WebSocket that comes back is first tried with 16 KB each way, which counts too.',
      '숏 폴링을 제외한 모든 방식은 전송 방식 하나로 고정한 Anywire 클라이언트 그대로입니다. 바이트는 각 서버 앞에 있는 중계기의 소켓에서 셉니다. HTTP 헤더와 프레임 헤더는 포함하고 TCP·IP 헤더는 제외합니다. CPU는 서버 전용 스레드가 쓴 시간을 전달 횟수로 나눈 값입니다. 지연은 이벤트가 만들어진 때부터 페이지의 처리 함수에 도착할 때까지이며, 최근 10초를 기준으로 합니다. 연결이 끊길 때는 모든 방식이 같은 순간에 끊기며, 다시 연결된 WebSocket은 먼저 16 KB를 왕복시켜 시험하므로 그 바이트도 포함됩니다.'],
    full: ['Too many pages are open; close one and reload.', '열린 페이지가 너무 많습니다. 하나를 닫고 새로 고쳐 주세요.'],
    ended: ['The server has stopped; start it and reload.', '서버가 멈췄습니다. 다시 켠 뒤 새로 고쳐 주세요.']
  };

  var languages = ['en', 'ko'];
  var chosen = 'en';

  Compare.words = {
    // The text for a name, in the language that is shown.
    text: function (name) {
      var texts = TEXTS[name];
      return texts ? texts[languages.indexOf(chosen)] : name;
    },

    language: function () {
      return chosen;
    },

    // Shows this language everywhere: what has data-word gets its text, data-label its name for screen readers.
    show: function (language) {
      chosen = languages.indexOf(language) < 0 ? 'en' : language;
      document.documentElement.lang = chosen;
      document.title = this.text('title') + ' · Anywire';
      this.fill(document);
      Compare.storage.set('language', chosen);
    },

    fill: function (root) {
      var words = this;
      Compare.each(root.querySelectorAll('[data-word]'), function (node) {
        node.textContent = words.text(node.getAttribute('data-word'));
      });
      Compare.each(root.querySelectorAll('[data-label]'), function (node) {
        node.setAttribute('aria-label', words.text(node.getAttribute('data-label')));
      });
    }
  };

  Compare.each = function (list, act) {
    Array.prototype.forEach.call(list, act);
  };

  // A page that may not store forgets what was chosen, no more.
  Compare.storage = {
    get: function (name) {
      try { return localStorage.getItem('compare-' + name); } catch (refused) { return null; }
    },
    set: function (name, value) {
      try { localStorage.setItem('compare-' + name, value); } catch (refused) { /* see above */ }
    }
  };
})(window.Compare = {});
