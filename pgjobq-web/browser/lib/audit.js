// What every screen must be at every width: accessible, and no wider than the window.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/**
 * Returns the violations that axe-core finds, one line each. It comes in through the protocol of the developer tools, which the policy of
 * the page does not concern; so the policy holds here as everywhere. It need not load the style sheet again: no rule of it concerns the
 * orientation of the screen.
 */
export async function violations(page) {
  await page.evaluate(`globalThis.axe ?? (() => { ${axe} })()`);
  const options = { resultTypes: ['violations'], preload: false };
  const { violations: found } = await page.evaluate((options) => globalThis.axe.run(document, options), options);
  return found.map(({ id, help, nodes }) => `${id} (${help}): ${nodes.map((node) => node.html).slice(0, 3).join(' ')}`);
}

/** Returns the elements that stick out of the window, if the page can be scrolled sideways. */
export async function overflow(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const sticksOut = (element) => element.getBoundingClientRect().right > width + 1 && !element.closest('.screens, .scroll');
    const out = [...document.querySelectorAll('body *')].filter(sticksOut);
    return out.slice(-3).map((element) => element.outerHTML.slice(0, 200));
  });
}
