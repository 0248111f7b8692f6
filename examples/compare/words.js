// Owns every text of the page, in both languages, and which of them is shown.
(function (Compare) {
  'use strict';

  // Each in both languages. A name with `@` is that of one view, and stands for the name without.
  var TEXTS = {
    title: ['Five ways to get the news', '소식을 받는 다섯 가지 방법'],
    'title@questions': ['Six ways to ask and be answered', '묻고 답을 받는 여섯 가지 방법'],
    'title@phone': ['Five ways to keep a phone up to date', '휴대폰에 소식을 전하는 다섯 가지 방법'],
    subtitle: ['The same events over the same network. What does each way cost?',
      '같은 이벤트를 같은 네트워크로 보냅니다. 방식마다 비용은 얼마나 다를까요?'],
    'subtitle@questions': ['The same questions over the same network. What does an answer cost?',
      '같은 질문을 같은 네트워크로 보냅니다. 답 하나의 비용은 얼마나 다를까요?'],
    'subtitle@phone': ['What does an hour cost, in bytes and in time with the radio on?',
      '한 시간 동안 데이터는 얼마나 쓰고, 무선 장치는 얼마나 켜져 있을까요?'],
    views: ['Views', '화면'], viewNews: ['News', '소식'], viewQuestions: ['Question and answer', '질문과 답'],
    viewPhone: ['A phone’s hour', '휴대폰의 한 시간'],
    theme: ['Theme', '화면 모드'], themeAuto: ['Auto', '자동'], themeLight: ['Light', '밝게'], themeDark: ['Dark', '어둡게'],
    language: ['Language', '언어'], skip: ['Skip to the lanes', '비교 화면으로 건너뛰기'],
    controls: ['Load and network', '부하와 네트워크'],
    eventsPerSecond: ['Events', '이벤트'], sizeBytes: ['Event size', '이벤트 크기'],
    questionsPerSecond: ['Questions', '질문'], answerBytes: ['Answer size', '답 크기'],
    answerMs: ['Server thinks', '서버 처리 시간'],
    intervalMs: ['Polling', '폴링 간격'], 'intervalMs@phone': ['Short polling asks every', '숏 폴링 간격'],
    addedRttMs: ['Added RTT', '왕복 지연'],
    cutsPerMinute: ['Cuts', '연결 끊김'], extraClients: ['Extra clients', '추가 접속자'],
    perSecond: ['/s', '/초'], perMinute: ['/min', '/분'], bytes: ['B', 'B'], ms: ['ms', 'ms'],
    'break': ['Break WebSocket', 'WebSocket 끊기'], mend: ['Mend WebSocket', 'WebSocket 복구'],
    reset: ['Reset numbers', '수치 초기화'], 'reset@phone': ['Measure anew', '다시 측정'],
    csv: ['CSV', 'CSV'], picture: ['Picture', '그림 저장'],
    lanes: ['The ways, side by side', '나란히 놓은 방식들'],
    fetch: ['Plain request', '일반 요청'],
    'short-poll': ['Short polling', '숏 폴링'], 'long-poll': ['Long polling', '롱 폴링'],
    events: ['Event stream', '이벤트 스트림'], stream: ['HTTP streaming', 'HTTP 스트리밍'],
    websocket: ['WebSocket', 'WebSocket'],
    'short-poll-how': [
      'The client asks at a fixed interval, and is answered at once, news or not. An event waits half an interval on average; an empty answer still costs a whole request.',
      '클라이언트가 일정한 간격으로 묻고, 서버는 새 소식이 있든 없든 바로 답합니다. 이벤트는 평균 간격의 절반을 기다리며, 빈 응답에도 요청 한 번의 비용이 듭니다.'],
    'long-poll-how': [
      'The server holds the answer until there is an event; then the client asks again. Events arrive almost at once, but each costs a whole request, whose return trip keeps the next event waiting.',
      '서버가 이벤트가 생길 때까지 응답을 붙들고, 답을 받은 클라이언트는 곧바로 다시 묻습니다. 거의 즉시 도착하지만 응답마다 요청 한 번이 들고, 그 왕복 동안 다음 이벤트는 기다려야 합니다.'],
    'events-how': [
      'One answer goes on and on, in a format that browsers read by themselves (EventSource). An event costs a few dozen bytes more; what goes up, such as an acknowledgement, is a request of its own.',
      '계속 이어지는 응답 하나를 브라우저가 스스로 읽습니다(EventSource). 이벤트마다 포장이 수십 바이트 붙고, 수신 확인처럼 서버로 올라가는 것은 별도의 요청이 됩니다.'],
    'stream-how': [
      'One answer goes on and on, and the page reads each piece as it comes. A proxy that collects answers before it passes them on stops it, and some browsers show pieces late (Firefox by 50 ms).',
      '계속 이어지는 응답 하나를 페이지가 조각이 도착하는 대로 읽습니다. 응답을 다 모은 뒤에야 넘기는 프록시를 만나면 막히고, 조각을 늦게 보여 주는 브라우저도 있습니다(Firefox는 50 ms).'],
    'websocket-how': [
      'One request turns the connection into a channel of frames, both ways. An event costs a header of 2 to 4 bytes and no request. Some proxies break it; then this session goes on over long polling.',
      '요청 한 번으로 연결이 양방향 프레임 통로로 바뀝니다. 이벤트마다 헤더 2~4바이트만 붙고 요청은 들지 않습니다. 이를 막는 프록시를 만나면 이 세션은 롱 폴링으로 이어집니다.'],
    'fetch-how@questions': [
      'Each question is a request, and its answer comes back in it. Nothing is repeated when the network fails.',
      '질문마다 요청 하나를 보내고 답은 그 응답에 담겨 옵니다. 네트워크가 끊기면 다시 보내지 않습니다.'],
    'short-poll-how@questions': [
      'The question is a request; the answer waits for the next time that the client asks, which is a request too.',
      '질문은 요청 하나로 가고, 답은 클라이언트가 다음번에 물을 때까지 기다립니다. 물을 때도 요청이 듭니다.'],
    'long-poll-how@questions': [
      'A request carries the question up, and the held one brings the answer down: two requests.',
      '질문은 새 요청으로 올라가고, 붙들어 둔 요청이 답을 가지고 내려옵니다. 요청 두 번이 듭니다.'],
    'events-how@questions': [
      'A request carries the question up; the answer comes down the event stream that is open already. Now and then a request acknowledges.',
      '질문은 요청으로 올라가고, 답은 이미 열려 있는 이벤트 스트림으로 내려옵니다. 수신 확인에도 가끔 요청이 듭니다.'],
    'stream-how@questions': [
      'A request carries the question up; the answer comes down the stream that is open already. Now and then a request acknowledges.',
      '질문은 요청으로 올라가고, 답은 이미 열려 있는 스트림으로 내려옵니다. 수신 확인에도 가끔 요청이 듭니다.'],
    'websocket-how@questions': [
      'A frame goes up and a frame comes down, on one connection. No request at all.',
      '한 연결에서 프레임 하나가 올라가고 하나가 내려옵니다. 요청이 전혀 들지 않습니다.'],
    'short-poll-how@phone': [
      'Each time that the client asks wakes the radio, news or not.',
      '새 소식이 있든 없든, 물을 때마다 무선 장치가 깨어납니다.'],
    'long-poll-how@phone': [
      'The server answers a poll after 25 s without news, so that proxies do not cut it.',
      '프록시가 끊지 않도록, 소식이 없으면 25초 뒤에 응답합니다.'],
    'events-how@phone': [
      'A little padding every 15 s keeps the answer alive, and every 55 s another begins.',
      '15초마다 채움 바이트로 응답을 살려 두고, 55초마다 새 응답을 시작합니다.'],
    'stream-how@phone': [
      'The same, read by the page itself.',
      '위와 같으나 페이지가 직접 읽습니다.'],
    'websocket-how@phone': [
      'A ping of a few bytes every 25 s keeps proxies from cutting the connection.',
      '프록시가 연결을 끊지 않도록 25초마다 몇 바이트짜리 핑을 보냅니다.'],
    median: ['delay, ms', '지연, ms'], 'median@questions': ['median time, ms', '중앙값, ms'],
    p95: ['95 % within, ms', 'p95 (95백분위), ms'],
    bytesPerEvent: ['bytes / event', '바이트 / 이벤트'], 'bytesPerEvent@questions': ['bytes / question', '바이트 / 질문'],
    requestsPerSecond: ['requests / s', '요청 / 초'], requestsPerEvent: ['requests / question', '요청 / 질문'],
    cpu: ['CPU µs / event', 'CPU µs / 이벤트'], 'cpu@questions': ['server µs / question', '서버 µs / 질문'],
    waiting: ['waiting', '대기'], gaps: ['lost', '유실'], repeats: ['repeated', '중복'],
    viaNone: ['reconnecting', '다시 연결 중'],
    versus: ['vs WebSocket', 'WebSocket 대비'],
    'times-median': ['delay', '지연'], 'times-median@questions': ['time', '시간'],
    'times-bytes': ['bytes', '바이트'], 'times-cpu': ['CPU', 'CPU'],
    yardstick: ['The yardstick: {size} B of event, {bytes} B on the wire',
      '기준: {size} B짜리 이벤트를 {bytes} B로 전송'],
    'yardstick@questions': ['The yardstick: {size} B of answer, {bytes} B on the wire',
      '기준: {size} B짜리 답에 모두 {bytes} B 전송'],
    noVerdict: ['measuring…', '측정 중…'],
    legend: [
      'Each thin line is one event, from the moment it was made (top) to the moment it arrived (bottom): the flatter, the later. A bar is one request, for as long as it waits for its answer.',
      '가는 선 하나가 이벤트 하나로, 만들어진 순간(위)에서 도착한 순간(아래)까지 이어집니다. 선이 누울수록 늦게 도착한 것입니다. 막대는 요청 하나이며, 응답을 기다리는 동안만큼 길어집니다.'],
    'legend@questions': [
      'A question rises from the page (bottom) to the server (top), and its answer falls back, to the dot: the wider, the slower. A bar is one request, for as long as it waits for its answer.',
      '질문은 페이지(아래)에서 서버(위)로 올라가고, 답은 점이 찍힌 곳으로 내려옵니다. 폭이 넓을수록 느린 것입니다. 막대는 요청 하나이며, 응답을 기다리는 동안만큼 길어집니다.'],
    'legend@phone': [
      'The last five minutes: a block is time with the radio on, above with a message a minute, below without any. A radio is taken to fall asleep after 5 s without a byte.',
      '최근 5분입니다. 칸이 칠해진 동안 무선 장치가 켜져 있으며, 위는 1분에 메시지 하나를 받을 때, 아래는 메시지가 없을 때입니다. 5초 동안 오가는 바이트가 없으면 꺼진다고 봅니다.'],
    timeline: ['Requests and deliveries of the last seconds', '최근 몇 초간의 요청과 전달'],
    awakeTimes: ['When the radio was on, in the last five minutes', '최근 5분 동안 무선 장치가 켜져 있던 시간'],
    histogram: ['How late events are, 1 ms to 5 s', '지연 분포, 1 ms ~ 5 s'],
    'histogram@questions': ['How long answers take, 1 ms to 5 s', '답까지 걸린 시간 분포, 1 ms ~ 5 s'],
    chart: ['Over the last minute', '최근 1분'], chartWhat: ['What is drawn', '표시할 값'],
    chartLatency: ['Median delay, ms', '지연 중앙값, ms'], 'chartLatency@questions': ['Median time, ms', '시간 중앙값, ms'],
    chartBytes: ['Bytes per event', '이벤트당 바이트'], 'chartBytes@questions': ['Bytes per question', '질문당 바이트'],
    chartCpu: ['CPU per event, µs', '이벤트당 CPU, µs'], 'chartCpu@questions': ['CPU per question, µs', '질문당 CPU, µs'],
    reduced: [
      'This browser is too old for the chart of the last minute. All numbers above are complete.',
      '이 브라우저는 오래되어 최근 1분 차트를 그리지 못합니다. 위의 수치는 모두 그대로 측정한 값입니다.'],
    wire: ['What is on the wire', '실제로 오가는 바이트'], wireLane: ['Whose bytes', '표시할 방식'],
    hold: ['Hold still', '잠시 멈춤'],
    request: ['Request', '요청'], answer: ['Answer', '응답'],
    chunk: ['Latest chunk', '마지막 조각'], frame: ['Latest frame', '마지막 프레임'],
    ofBytes: ['bytes', '바이트'], nothing: ['Nothing yet.', '아직 없습니다.'],
    upload: ['An upload of 1 MiB', '1 MiB 올리기'], uploadNow: ['Upload now', '지금 올리기'],
    uploadHow: [
      'The ways take turns, and no question is asked meanwhile. A plain request sends all in one body; the others send 16 messages of 64 KiB.',
      '방식마다 차례로 올리며, 그동안 질문은 하지 않습니다. 일반 요청은 본문 하나로, 나머지는 64 KiB 메시지 16개로 보냅니다.'],
    uploadMs: ['time, ms', '시간, ms'], uploadRequests: ['requests', '요청'],
    uploadBytes: ['bytes on the wire', '전송 바이트'], uploadCpu: ['server CPU, ms', '서버 CPU, ms'],
    minute: ['an hour with a message a minute', '1분에 메시지 하나씩 한 시간'], idle: ['an hour without a message', '메시지 없이 한 시간'],
    kilobytes: ['KiB', 'KiB'], wakeUps: ['radio wake-ups', '깨어난 횟수'], awake: ['minutes with the radio on', '켜진 시간(분)'],
    aDay: ['{megabytes} MiB in a day{times}', '하루 {megabytes} MiB{times}'],
    aDayTimes: [', ×{ratio} of WebSocket', ', WebSocket의 {ratio}배'],
    measuring: ['measuring the first minute: {seconds} s to go', '처음 1분을 측정하는 중: {seconds}초 남음'],
    measured: ['an hour, computed from {minutes} measured minutes', '측정한 {minutes}분으로 계산한 한 시간'],
    how: [
      'Every lane but short polling is the Anywire client itself, held to one transport. Bytes are counted at the sockets of a relay before each server, HTTP heads and frame headers included, TCP and IP headers not. CPU is the time of the server’s own thread, divided by its deliveries. The delay runs from the making of an event to the page’s handler; the median is of the last 10 seconds. On a cut, every lane loses its connections at the same moment; a WebSocket that comes back is first tried with 16 KB each way, which counts too.',
      '숏 폴링을 제외한 모든 방식은 전송 방식 하나로 고정한 Anywire 클라이언트 그대로입니다. 바이트는 각 서버 앞에 있는 중계기의 소켓에서 셉니다. HTTP 헤더와 프레임 헤더는 포함하고 TCP·IP 헤더는 제외합니다. CPU는 서버 전용 스레드가 쓴 시간을 전달 횟수로 나눈 값입니다. 지연은 이벤트가 만들어진 때부터 페이지의 처리 함수에 도착할 때까지이며, 최근 10초를 기준으로 합니다. 연결이 끊길 때는 모든 방식이 같은 순간에 끊기며, 다시 연결된 WebSocket은 먼저 16 KB를 왕복시켜 시험하므로 그 바이트도 포함됩니다.'],
    'how@questions': [
      'Every lane but the first two is the Anywire client itself, held to one transport. Requests and bytes of the last 30 seconds, heartbeats and acknowledgements with them, are divided by the answers that came. Bytes are counted at the sockets of a relay before each server, HTTP heads and frame headers included, TCP and IP headers not. CPU is the time of the server’s own thread. On a cut, every lane loses its connections at the same moment: a plain request that was under way is lost, a session asks again by itself.',
      '처음 두 방식을 제외한 모든 방식은 전송 방식 하나로 고정한 Anywire 클라이언트 그대로입니다. 최근 30초 동안의 요청과 바이트를, 연결 유지와 수신 확인까지 모두 합쳐, 도착한 답의 수로 나눕니다. 바이트는 각 서버 앞에 있는 중계기의 소켓에서 셉니다. HTTP 헤더와 프레임 헤더는 포함하고 TCP·IP 헤더는 제외합니다. CPU는 서버 전용 스레드가 쓴 시간입니다. 연결이 끊길 때는 모든 방식이 같은 순간에 끊기며, 보내던 일반 요청은 유실되지만 세션은 스스로 다시 보냅니다.'],
    'how@phone': [
      'Each way has two sessions here: one that is left alone, and one that gets a message of 128 bytes a minute. What passes a relay before each server is measured for whole minutes, and multiplied; no hour was waited for, and no phone was used. Bytes include HTTP heads as this browser sends them; TCP and IP headers and TLS are not in them.',
      '방식마다 세션 두 개를 둡니다. 하나는 그대로 두고, 다른 하나는 1분에 128바이트짜리 메시지를 하나씩 받습니다. 서버 앞 중계기를 지나는 바이트를 분 단위로 측정해 한 시간으로 환산한 값이며, 실제로 한 시간을 기다리거나 휴대폰을 쓴 것은 아닙니다. 이 브라우저가 보내는 HTTP 헤더를 포함하고 TCP·IP 헤더와 TLS는 제외합니다.'],
    full: ['Too many pages are open; close one and reload.', '열린 페이지가 너무 많습니다. 하나를 닫고 새로 고쳐 주세요.'],
    ended: ['The server has stopped; start it and reload.', '서버가 멈췄습니다. 다시 켠 뒤 새로 고쳐 주세요.']
  };

  var languages = ['en', 'ko'];
  var chosen = 'en';

  Compare.words = {
    // The text for a name, in the language that is shown.
    text: function (name) {
      var texts = TEXTS[name + '@' + Compare.address.view] || TEXTS[name];
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
