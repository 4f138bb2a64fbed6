// Says how far a long measurement is: one line that redraws itself on a terminal, a line per step elsewhere.
export interface Progress {
  step(name: string): void;
  /** One answer has come. */
  tick(): void;
  end(): void;
}

const REDRAW_MS = 100;

export function progressOn(stream: NodeJS.WriteStream): Progress {
  let [name, answers, drawnMs] = ['', 0, 0];
  const startedMs = performance.now();
  const seconds = (): string => `${((performance.now() - startedMs) / 1000).toFixed(0)} s`;
  const draw = (): void => {
    drawnMs = performance.now();
    stream.write(`\r\u001b[2K${name}: ${answers} answers, ${seconds()}`);
  };
  return {
    step(next) {
      [name, answers] = [next, 0];
      if (stream.isTTY) draw();
      else stream.write(`${next} (${seconds()})\n`);
    },
    tick() {
      answers++;
      if (stream.isTTY && performance.now() - drawnMs > REDRAW_MS) draw();
    },
    end() {
      if (stream.isTTY) stream.write('\r\u001b[2K');
    },
  };
}
