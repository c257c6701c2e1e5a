// An open page follows the database, until somebody pauses it.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { LOTS, close, visit } from '../lib/board.js';
import { ways } from '../lib/ways.js';

const { all, close: closeWays } = await ways(LOTS);

after(async () => {
  closeWays();
  await close();
});

for (const { name, at } of all.filter((way) => way.script)) {
  test(`open page follows the database until it is paused: ${name}`, async () => {
    await visit({ at, live: true }, async (page) => {
      const ready = page.locator('main tr', { hasText: 'orders' }).locator('[data-label=ready]');
      await page.goto('queues');
      await page.evaluate(() => { window.isSamePage = true; });
      const before = Number(await ready.textContent());

      await order(page);
      await ready.filter({ hasText: exactly(before + 1) }).waitFor();

      await page.getByRole('button', { name: 'Live' }).click();
      await order(page);
      await ticks(page, 3);
      assert.equal(Number(await ready.textContent()), before + 1, 'a paused page has changed');

      await page.getByRole('button', { name: 'Paused' }).click();
      await ready.filter({ hasText: exactly(before + 2) }).waitFor();
      assert(await page.evaluate(() => window.isSamePage), 'the page was loaded anew');
    });
  });
}

function exactly(number) {
  return new RegExp(`^\\s*${number}\\s*$`);
}

/** Enqueues a job, as the application would. */
async function order(page) {
  assert.equal((await page.request.post(`${LOTS}/orders`)).status(), 201);
}

/** Waits for ticks of a stream of events beside that of the page. */
async function ticks(page, number) {
  await page.evaluate((most) => new Promise((done) => {
    const events = new EventSource('events');
    let seen = 0;
    events.addEventListener('tick', () => {
      seen += 1;
      if (seen === most) {
        events.close();
        done();
      }
    });
  }), number);
}
