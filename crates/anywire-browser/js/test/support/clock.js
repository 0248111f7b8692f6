// Time that stands still until a test moves it.

const isBefore = (entry, other) => entry.at < other.at || (entry.at === other.at && entry.order < other.order);

class Clock {
  constructor() {
    this.time = 1_000_000;
    // By how much the wall clock is ahead.
    this.jump = 0;
    this.count = 0;
    // Many clients may share a clock: a heap, in which what was cleared stays until its time.
    this.heap = [];
    this.now = () => this.time;
    this.setTimeout = (callback, ms) => {
      const entry = { at: this.time + Math.max(0, ms || 0), order: this.count++, callback };
      this.push(entry);
      return entry;
    };
    /** A turn is a task that comes at once. */
    this.turns = (pump) => {
      this.setTimeout(() => pump() && this.turns(pump), 0);
    };
    this.clearTimeout = (entry) => {
      if (entry) {
        entry.callback = null;
      }
    };
  }

  get due() {
    return this.heap.filter(({ callback }) => callback);
  }

  push(entry) {
    const due = this.heap;
    let i = due.push(entry) - 1;
    for (let above; i && isBefore(entry, due[above = (i - 1) >> 1]); i = above) {
      due[i] = due[above];
    }
    due[i] = entry;
  }

  pop() {
    const due = this.heap;
    const [first] = due;
    const last = due.pop();
    if (due.length) {
      let i = 0;
      for (let below; (below = 2 * i + 1) < due.length; i = below) {
        if (below + 1 < due.length && isBefore(due[below + 1], due[below])) {
          below++;
        }
        if (!isBefore(due[below], last)) {
          break;
        }
        due[i] = due[below];
      }
      due[i] = last;
    }
    return first;
  }

  /** Runs what is due within the next `ms`, in order. */
  advance(ms) {
    const until = this.time + ms;
    while (this.heap.length && this.heap[0].at <= until) {
      const { at, callback } = this.pop();
      this.time = Math.max(this.time, at);
      callback?.();
    }
    this.time = until;
  }
}

export { Clock };
