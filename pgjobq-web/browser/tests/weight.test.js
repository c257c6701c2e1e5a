// The weight of a page in a browser that has nothing of it yet.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { SHOP, close, visit } from '../lib/board.js';

const MOST_BYTES = 60_000;

after(close);

test('first page transfers less than 60 kB', async () => {
  await visit({ at: `${SHOP}/admin/jobs/` }, async (page) => {
    const session = await page.context().newCDPSession(page);
    const loaded = [];
    session.on('Network.loadingFinished', ({ encodedDataLength }) => loaded.push(encodedDataLength));
    await session.send('Network.enable');
    await page.goto('', { waitUntil: 'load' });
    const icon = await page.locator('link[rel=icon]').getAttribute('href');
    const bytes = loaded.reduce((sum, size) => sum + size, 0) + (await (await page.request.get(icon)).body()).length;
    console.log(`the first page transfers ${bytes} bytes in ${loaded.length} answers and the icon`);
    assert(loaded.length >= 3, `only ${loaded.length} answers were seen: the page, its style sheet and its script`);
    assert(bytes < MOST_BYTES, `the first page transfers ${bytes} bytes`);
  });
});
