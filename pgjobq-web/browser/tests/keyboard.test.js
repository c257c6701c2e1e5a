// Everything can be done with the keyboard alone.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { SHOP, close, visit } from '../lib/board.js';
import { screens } from '../lib/screens.js';

const at = `${SHOP}/admin/jobs/`;
const FOCUSABLE = 'a[href], button, input:not([type=hidden]), select, summary, [tabindex="0"]';

after(close);

test('skip link is the first stop, and leads to the content', async () => {
  await visit({ at }, async (page) => {
    await page.goto('overview');
    await page.keyboard.press('Tab');
    const skip = page.getByRole('link', { name: 'Skip to the content' });
    assert(await skip.evaluate((link) => link === document.activeElement && link.getBoundingClientRect().width > 50));
    await page.keyboard.press('Enter');
    assert.equal(await focused(page, (element) => element.id), 'main');
  });
});

test('tab key reaches everything, and shows where it is', { concurrency: 2 }, async (t) => {
  let paths;
  await visit({ at }, async (page) => { paths = await screens(page); });
  // The lists of two filters have the same stops, and so have two jobs, all but one button.
  const different = new Map(paths.map((path) => [path.replace(/(filter|id)=[^&]*/g, '$1'), path]));
  await Promise.all([...different.values()].map((path) => t.test(path, () => walk(path))));
});

/** Goes through a page with the tab key, and fails if something is left out, or if it cannot be seen where the focus is. */
async function walk(path) {
  await visit({ at }, async (page) => {
    await page.goto(path);
    const all = await page.locator(FOCUSABLE).evaluateAll((elements) => {
      const seen = elements.filter((element) => element.checkVisibility({ visibilityProperty: true }));
      seen.forEach((element, n) => { element.dataset.stop = n; });
      return seen.map((element) => element.outerHTML.slice(0, 120));
    });
    const reached = new Set();
    for (let step = 0; step <= all.length; step += 1) {
      await page.keyboard.press('Tab');
      const stop = await focused(page, where);
      if (stop.number === undefined) break;
      assert(stop.isVisible, `${path}: one cannot see that the focus is on ${all[stop.number]}`);
      reached.add(Number(stop.number));
    }
    assert.deepEqual(all.filter((_, n) => !reached.has(n)), []);
  });
}

/** Returns which element has the focus, and whether that can be seen: an outline, within the window. */
function where(element) {
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  const isInside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  const hasOutline = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  return { number: element.dataset.stop, isVisible: isInside && hasOutline };
}

test('keys go to screens, through rows, and to the filter', async () => {
  await visit({ at, live: true }, async (page) => {
    await page.goto('overview');
    await page.keyboard.press('/');
    await page.waitForURL('**/jobs');
    await page.keyboard.press('/');
    assert.equal(await focused(page, (element) => element.id), 'filter');
    await page.keyboard.type('g');
    assert.equal(await page.locator('#filter').inputValue(), 'g', 'a key in a field is text');
    await page.locator('#main').focus();

    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.keyboard.press('k');
    await page.keyboard.press('x');
    const chosen = await page.locator('input[name=id]').evaluateAll((boxes) => boxes.map((box) => box.checked));
    assert.deepEqual([...chosen.slice(0, 3)], [true, true, false]);
    const link = await focused(page, (element) => element.getAttribute('href'));
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/${link}`);

    await page.keyboard.press('p');
    assert.equal(await page.locator('#live').textContent(), 'Paused');
    const keys = await page.locator('nav.screens a').evaluateAll((all) => all.map((a) => [a.dataset.key, a.getAttribute('href')]));
    assert.equal(new Set(keys.map(([key]) => key)).size, keys.length, 'two screens have the same key');
    for (const [key, screen] of keys) {
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await page.waitForURL(`**/${screen}`);
    }
  });
});

/** Returns what `read` returns of the element that has the focus. */
async function focused(page, read) {
  return page.evaluate(`(${read})(document.activeElement)`);
}
