// Each button of each screen is pressed among hostile texts, without JavaScript and behind a proxy: it says what it has done, and runs
// nothing. So a button of a new screen is covered by itself. The pace keeps actions on many jobs from changing more than one.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { HOSTILE, close, visit } from '../lib/board.js';
import { screens } from '../lib/screens.js';
import { ways } from '../lib/ways.js';

const { all, close: closeWays } = await ways(HOSTILE);
const BUTTONS = 'main form button:not([type=button])';

after(async () => {
  closeWays();
  await close();
});

for (const { name, at, script } of all.slice(1)) {
  test(`each button says what it has done: ${name}`, async () => {
    await visit({ at, script }, async (page) => {
      const pressed = new Set();
      for (const path of await screens(page)) {
        for (let before; before !== pressed.size;) {
          before = pressed.size;
          await page.goto(path);
          await pressNext(page, pressed);
        }
      }
      assert(pressed.size >= 18, `only ${pressed.size} buttons were found: ${[...pressed].join(', ')}`);
    });
  });
}

/** Presses the first button of this page that does something new. */
async function pressNext(page, pressed) {
  const shapes = await page.locator(BUTTONS).evaluateAll((buttons) => buttons.map(({ form, value, textContent }) => {
    const { scope, action } = Object.fromEntries(new FormData(form));
    return [form.getAttribute('action'), scope, action, value || textContent.replace(/\d.*/, '')].filter(Boolean).join(' ');
  }));
  const next = shapes.findIndex((shape) => !pressed.has(shape));
  if (next < 0) return;
  pressed.add(shapes[next]);
  const button = page.locator(BUTTONS).nth(next);
  const form = button.locator('xpath=ancestor::form');
  const acts = await form.getAttribute('method') === 'post';
  for (const pace of await form.locator('[name=rate]').all()) await pace.fill('1 per hour');
  for (const empty of await form.locator('input[list][required]').all()) {
    await empty.fill(await form.locator('datalist option').first().getAttribute('value'));
  }
  if (!acts && await form.locator('[name=id]').count()) await form.locator('[name=id]').first().check();
  const answered = page.waitForEvent('framenavigated');
  await button.click();
  await answered;
  await page.waitForLoadState();
  const says = acts ? page.locator('.said') : page.getByRole('heading', { level: 1 });
  assert((await says.textContent()).trim().length > 3, `${shapes[next]} says nothing`);
  assert.equal(await page.locator('.error[role=alert]').count(), 0, `${shapes[next]}: ${await page.locator('main').textContent()}`);
}
