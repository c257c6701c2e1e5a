// Each screen, at each width and in each theme, with ordinary and with hostile texts.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, test } from 'node:test';
import { overflow, violations } from '../lib/audit.js';
import { HOSTILE, SHOP, close, visit } from '../lib/board.js';
import { screens } from '../lib/screens.js';

const { SHOTS } = process.env;
const WIDTHS = [320, 1600];
const THEMES = ['light', 'dark'];
/** Pages that are open at a time. */
const LANES = 2;

after(close);

for (const [name, address] of Object.entries({ shop: SHOP, hostile: HOSTILE })) {
  const at = `${address}/admin/jobs/`;
  test(`each screen of ${name} is accessible, and fits`, { concurrency: LANES }, async (t) => {
    let paths;
    await visit({ at }, async (page) => { paths = await screens(page); });
    assert(paths.length > 40, `only ${paths.length} screens were found`);
    const lane = (n) => visit({ at }, async (page) => {
      for (const path of paths.filter((_, place) => place % LANES === n)) {
        await t.test(path, () => audit(page, path, name));
      }
    });
    await Promise.all(Array.from({ length: LANES }, (_, n) => lane(n)));
  });
}

/** Looks at one screen at each width and in each theme. */
async function audit(page, path, name) {
  const faults = [];
  await page.goto(path);
  for (const [width, theme] of WIDTHS.flatMap((width) => THEMES.map((theme) => [width, theme]))) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: theme });
    faults.push(...(await overflow(page)).map((html) => `is wider than ${width} px: ${html}`));
    if (SHOTS) await shoot(page, path, `${name}-${width}-${theme}`);
    // A theme changes nothing but colors, and a width no color: so two of the four show all.
    if (WIDTHS.indexOf(width) === THEMES.indexOf(theme)) faults.push(...await violations(page));
  }
  assert.deepEqual(faults, []);
}

async function shoot(page, path, name) {
  await mkdir(SHOTS, { recursive: true });
  await page.screenshot({ path: `${SHOTS}/${name}-${path.replace(/\W+/g, '-').slice(0, 60)}.png`, fullPage: true });
}
