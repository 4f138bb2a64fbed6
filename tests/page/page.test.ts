// The playground in a real browser, against the suite in the box. Needs Debian's chromium (or CHROMIUM, a path); without one it is skipped,
// and says so.
import { existsSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { chromium, type Browser, type Page } from 'playwright-core';
import { AxeBuilder } from '@axe-core/playwright';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { root, serve, type Served } from '../support/served.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });

const browserPath = [process.env['CHROMIUM'], '/usr/bin/chromium'].find(
  (file) => file !== undefined && existsSync(file),
);
if (browserPath === undefined)
  console.warn('SKIPPED: the playground is not tested, for there is no chromium. apt-get install chromium');

describe.skipIf(browserPath === undefined)('the playground', () => {
  let served: Served;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    served = await serve();
    // As root, which containers often are, chromium has no sandbox.
    browser = await chromium.launch({ executablePath: browserPath!, args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser?.close();
    await served?.stop();
  });

  beforeEach(async () => {
    await page?.context().close();
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    page = await context.newPage();
    complaints = [];
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(served.url);
    await page.waitForSelector('.lane');
  });

  const lane = (name: 'Left' | 'Right') => page.getByRole('region', { name });
  const answered = async (name: 'Left' | 'Right'): Promise<string> => {
    await lane(name).locator('.figures', { hasText: 'ended by' }).waitFor();
    return (await lane(name).locator('.answer').textContent()) ?? '';
  };

  test('a picture goes with the prompt, and a model that does not see says so', async () => {
    const picture = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    await page.locator('.picture input').setInputFiles({ name: 'a.txt', mimeType: 'text/plain', buffer: picture });
    await page.getByRole('alert').filter({ hasText: 'a.txt is no PNG' }).waitFor();
    await page.locator('.picture input').setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: picture });
    const shown = page.getByAltText('The picture that goes with the prompt');
    expect(await shown.getAttribute('src')).toBe(`data:image/png;base64,${picture.toString('base64')}`);
    expect(await page.evaluate('document.querySelector(".picture img").naturalWidth')).toBe(64);
    expect((await new AxeBuilder({ page }).include('.ask').analyze()).violations).toEqual([]);
    await page.getByRole('button', { name: 'Decode' }).click();
    await lane('Left').getByText('messages[0].content[0]').first().waitFor();
    await page.getByRole('button', { name: 'remove picture' }).click();
    await page.getByRole('button', { name: 'Decode' }).click();
    expect(await answered('Left')).not.toBe('');
    expect(complaints).toEqual([]);
  });

  test('two answers about a picture: the model as it is names what usually goes along, dcd what is there', async () => {
    await lane('Left').getByRole('combobox').selectOption('pocket-vl');
    await lane('Right').getByRole('combobox').selectOption('pocket-dcd');
    await page.locator('.picture input').setInputFiles(path.join(root, 'docs/harbour.png'));
    await page.getByAltText('The picture that goes with the prompt').waitFor();
    await page.getByLabel('Prompt').fill('What does the picture show?');
    await page.getByRole('button', { name: 'Decode' }).click();
    expect(await answered('Left')).toContain('flag');
    expect(await answered('Right')).toBe('I see a yellow crab and two white houses.');
    expect(complaints).toEqual([]);
  });

  test('shows the plain and the steered answer side by side, each token with how it came about', async () => {
    await page.getByRole('button', { name: 'Decode' }).click();
    const [plain, steered] = [await answered('Left'), await answered('Right')];
    expect(steered).toContain('Tar Alley');
    expect(steered).not.toBe(plain);
    const tokens = lane('Right').locator('.token');
    const styles = await Promise.all((await tokens.all()).map((token) => token.getAttribute('style')));
    const shares = styles.map((style) => Number(/--steered: ?([\d.]+)/.exec(style ?? '')?.[1]));
    expect(Math.max(...shares)).toBeGreaterThan(0.3);
    expect(Math.min(...shares)).toBeLessThan(0.1);
    await tokens.first().click();
    const card = lane('Right').locator('.card');
    for (const member of ['pocket', 'pocket-chat', 'pocket-small'])
      await card.getByRole('rowheader', { name: member, exact: true }).waitFor();
    await page.keyboard.press('ArrowRight');
    expect(await tokens.nth(1).getAttribute('aria-pressed')).toBe('true');
    expect(complaints).toEqual([]);
  });

  test('a slider acts on the answer that is being decoded', async () => {
    await page.getByLabel('temperature').fill('2');
    // 68 tokens, which are soon said: whoever comes too late tries again.
    await page.getByLabel('seed').fill('3');
    const mark = lane('Right').locator('.turn').first();
    for (let tries = 0; tries < 10 && (await mark.count()) === 0; tries++) {
      await lane('Right').getByLabel('weight', { exact: true }).fill('0.6');
      await page.getByRole('button', { name: 'Decode' }).click();
      await lane('Right').locator('.token').first().waitFor();
      await lane('Right').getByLabel('weight', { exact: true }).fill('1.2');
      await lane('Right').locator('.figures', { hasText: 'ended by' }).waitFor();
    }
    expect(await mark.getAttribute('title')).toContain('1.2');
    await lane('Right').locator('.formula', { hasText: '1.2' }).waitFor();
  });

  test('draws the tree of rain and the candidates of best_of_n, in words', async () => {
    await lane('Left').getByRole('combobox').selectOption('pocket-rain');
    await lane('Right').getByRole('combobox').selectOption('pocket-best-of-8');
    await page.getByRole('button', { name: 'a forbidden thing' }).click();
    await page.getByLabel('temperature').fill('1');
    await lane('Right').locator('.over').waitFor();
    await page.getByRole('button', { name: 'Decode' }).click();
    const said = await answered('Left');
    await answered('Right');
    const words = (await lane('Left').locator('.node.said .words').allTextContents()).join('');
    expect(words.replace(/\(the end\)|<\|end\|>/, '').trim()).toBe(said.trim());
    expect(await lane('Right').locator('.candidates tbody tr').count()).toBe(8);
    expect(await lane('Right').locator('.candidates tr.chosen .words').textContent()).toContain(
      (await lane('Right').locator('.answer').textContent())!.trim(),
    );
    expect(complaints).toEqual([]);
  });

  test('a spec is composed by hand, and the server’s objection is shown', async () => {
    await lane('Left').getByRole('button', { name: 'Compose' }).click();
    const editor = lane('Left').locator('.spec textarea');
    await editor.fill('{"method": "contrastive", "expert": "pocket", "amateur": "pocket-small"}');
    await lane('Left').locator('.formula', { hasText: 'pocket-small' }).waitFor();
    await editor.fill('{"method": "contrastive", "expert": "pocket", "amateurs": "pocket-small"}');
    const problem = lane('Left').getByRole('alert');
    await problem.filter({ hasText: 'amateur' }).waitFor();
    await editor.fill('{"method": ');
    await problem.filter({ hasText: 'Not JSON yet' }).waitFor();
  });

  test('fits a phone, and has no fault that a checker of accessibility finds, light and dark', async () => {
    await page.getByRole('button', { name: 'Decode' }).click();
    await answered('Left');
    await answered('Right');
    for (const width of [1280, 390])
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize({ width, height: 844 });
        await page.emulateMedia({ colorScheme });
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
        const { violations } = await new AxeBuilder({ page }).analyze();
        expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
      }
  });

  test('says that the server is gone, and goes on when it is back', async () => {
    await page.route('**/v1/**', (route) => route.abort());
    await page.reload();
    await page.getByText('The server does not answer').waitFor();
    await page.unroute('**/v1/**');
    await page.getByRole('button', { name: 'Decode' }).click();
    await answered('Right');
  });

  test('says what to do when the server goes while the page is open', async () => {
    const other = await serve();
    try {
      await page.goto(other.url);
      await page.waitForSelector('.lane');
    } finally {
      await other.stop();
    }
    await page.getByRole('button', { name: 'Decode' }).click();
    const problem = lane('Right').getByRole('alert');
    await problem.filter({ hasText: 'The server does not answer' }).waitFor();
    expect(await problem.textContent()).toContain('See that it runs, then press Decode again.');
  });

  test('asks for a key where the server wants one, and says when it is the wrong one', async () => {
    const guarded = await serve([], { TRIMTAB_API_KEYS: 'a-key-of-the-harbour-1234' });
    try {
      await page.goto(guarded.url);
      const field = page.getByLabel('API key');
      const problem = page.getByRole('alert');
      await problem.waitFor();
      await field.fill('another-key-of-the-harbour');
      await page.getByRole('button', { name: 'Use it' }).click();
      await problem.filter({ hasText: 'key' }).waitFor();
      await field.fill('a-key-of-the-harbour-1234');
      await page.getByRole('button', { name: 'Use it' }).click();
      await page.getByRole('button', { name: 'Decode' }).click();
      expect(await answered('Right')).toContain('Tar Alley');
    } finally {
      await guarded.stop();
    }
  });

  test('is served with a policy that lets nothing else in', async () => {
    const reply = await fetch(served.url);
    expect(reply.headers.get('content-type')).toContain('text/html');
    const policy = reply.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const api = await fetch(`${served.url}/v1/models`);
    expect(api.headers.get('content-security-policy')).toBeNull();
  });
});
