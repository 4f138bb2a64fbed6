// What commands print around their results: progress, failures, tables. No process, no clock.
import { describe, expect, it } from 'vitest';
import { reportFailure } from '../../server/cli/failure.js';
import { Progress } from '../../server/cli/progress.js';
import { siCount, table } from '../../server/cli/terminal.js';
import { AppError } from '../../server/errors.js';

class Recorder {
  text = '';
  readonly columns = 80;
  constructor(readonly isTTY: boolean) {}
  write(text: string): void {
    this.text += text;
  }
}

describe('progress', () => {
  it('on a terminal redraws one line, not more often than the eye can follow, and cleans up', () => {
    const out = new Recorder(true);
    let now = 0;
    const progress = new Progress(out, () => now);
    progress.report('m: converting', 0);
    for (now = 1; now <= 100; now++) progress.report('m: converting', now / 200);
    progress.report('m: converting', 1);
    progress.clear();
    progress.clear();
    const plain = out.text.replaceAll(/\u001b\[\d+m/g, '');
    const frames = plain.split('\r\u001b[K').slice(1);
    expect(frames.map((frame) => frame.replaceAll(/[█░]/g, '').trim())).toEqual([
      '0% m: converting',
      '40% m: converting',
      '100% m: converting',
      '',
    ]);
    expect(frames.every((frame) => frame === '' || frame.startsWith('█') || frame.startsWith('░'))).toBe(true);
    expect(plain).not.toContain('\n');
  });

  it('in a log says nothing of quick stages, and a line every two seconds of slow ones', () => {
    const out = new Recorder(false);
    let now = 0;
    const progress = new Progress(out, () => now);
    progress.report('quick', 0);
    now = 1500;
    progress.report('quick', 1);
    for (; now <= 6500; now += 100) progress.report('slow', (now - 1500) / 5000);
    progress.clear();
    expect(out.text).toBe('slow: 40 %\nslow: 80 %\n');
  });
});

describe('failures', () => {
  it('an expected error is one line', () => {
    const out = new Recorder(false);
    reportFailure(new AppError('config_missing', { path: 'x', reason: 'a\n  b' }), out, false);
    expect(out.text).toBe('error: The configuration x cannot be read: a b. Create it or give --config.\n');
  });
  it('an unexpected one asks for a report, and shows its stack and causes when asked', () => {
    const error = new Error('broken', { cause: new Error('below') });
    const quiet = new Recorder(false);
    reportFailure(error, quiet, false);
    expect(quiet.text.split('\n')).toHaveLength(3);
    expect(quiet.text).toContain('--verbose');
    const loud = new Recorder(false);
    reportFailure(error, loud, true);
    expect(loud.text).toContain('cli-output.test.ts');
    expect(loud.text).toContain('caused by Error: below');
  });
});

describe('formats', () => {
  it('counts in three digits', () => {
    expect([0, 7, 999, 1000, 3_141_592, 999_600, 1_235_814_400].map(siCount)).toEqual([
      '0',
      '7',
      '999',
      '1 k',
      '3.14 M',
      '1 M',
      '1.24 G',
    ]);
  });
  it('aligns two columns', () => {
    expect(
      table([
        ['a', '1'],
        ['long', '2'],
        ['b', ''],
      ]),
    ).toBe('a     1\nlong  2\nb');
  });
});
