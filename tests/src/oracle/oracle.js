// A page's part in a run of the oracle: what `workload.rs`, `ledger.rs` and `rust_client.rs` are for the Rust client.
window.oracle = (() => {
  const LARGE_BYTES = 1048576;

  function bytes(index, length) {
    const array = new Uint8Array(length);
    for (let at = 0; at < length; at += 1) array[at] = index + at * 7;
    return array.buffer;
  }

  function message(kind, letter, index) {
    if (kind === 'binary') return bytes(index, index * 97 % 4096);
    if (kind !== '1 MiB') return `${index % 5 ? '' : '\x10'}${letter}${index} é🦀`;
    if (index % 2) return bytes(index, LARGE_BYTES);
    const line = `${letter}${index} 0123456789 é🦀\n`;
    return line.repeat(Math.floor(LARGE_BYTES / new TextEncoder().encode(line).length));
  }

  function isEqual(one, other) {
    if (typeof one === 'string' || typeof other === 'string') return one === other;
    const [a, b] = [new Uint8Array(one), new Uint8Array(other)];
    return a.length === b.length && a.every((byte, at) => byte === b[at]);
  }

  // A pause every few messages, as long as the workload's pace says.
  async function sendAll(socket, kind, count, pace) {
    for (let index = 0; index < count && socket.readyState === 1; index += 1) {
      socket.send(message(kind, 'u', index));
      if (pace.every && index % pace.every === 0) {
        await new Promise((resume) => setTimeout(resume, pace.ms));
      }
    }
  }

  function start(url, kind, count, pace, options) {
    const began = performance.now();
    let last = began;
    const run = { count: 0, wrong: null, sessions: 0, first: null, longestGap: 0, end: null };
    const socket = new Anywire(url, [], options);
    run.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      run.sessions += 1;
      sendAll(socket, kind, count, pace);
    };
    socket.onmessage = ({ data }) => {
      const now = performance.now();
      if (run.wrong) return;
      if (run.count >= count || !isEqual(data, message(kind, 'd', run.count))) {
        run.wrong = `in place ${run.count} came ${String(data).slice(0, 60)}`;
        return;
      }
      if (run.count) run.longestGap = Math.max(run.longestGap, now - last);
      else run.first = now - began;
      run.count += 1;
      last = now;
    };
    socket.onclose = ({ code, reason }) => { run.end = { code, reason }; };
    window.run = run;
  }

  // What the page has seen, as plain data.
  function read() {
    const { count, wrong, sessions, first, longestGap, end, socket } = window.run;
    const trace = (socket.trace || []).map((attempt) => Object.values(attempt).join(' '));
    return { count, wrong, sessions, first, longestGap, end, transport: socket.transport, trace };
  }

  return { start, read };
})();
