// A dashboard in a browser, which fails on whatever a page must not do.
import assert from 'node:assert/strict';
import { accessSync } from 'node:fs';
import { chromium } from 'playwright-core';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The addresses of the applications, from the program that has started this one. */
export const { SHOP, LOTS, HOSTILE } = process.env;
assert(SHOP && LOTS && HOSTILE, 'the applications do not run: start the suite with `browser/run`');

let launched;

/** Returns the browser of this process. */
function browser() {
  const executablePath = process.env.CHROMIUM ?? BROWSERS.find(exists);
  assert(executablePath, `there is no browser: install \`chromium\`, or set CHROMIUM (looked at ${BROWSERS.join(', ')})`);
  launched ??= chromium.launch({ executablePath, args: ['--no-sandbox'] });
  return launched;
}

/** Closes the browser, so that this process can end. */
export async function close() {
  await (await launched)?.close();
}

/**
 * Opens a page, in a browser without a history, whose updates are paused unless it is `live`. Its
 * relative addresses lead to the dashboard at `at`. Afterwards fails if any page has complained on its console (as it
 * does about a violation of its policy), asked another origin for anything, opened a dialog or a window, or thrown an error.
 */
export async function visit({ at, script = true, theme = 'light', width = 1280, live = false }, use) {
  const { origin } = new URL(at);
  const paused = { origin, localStorage: [{ name: 'pgjobq-live', value: 'off' }] };
  const context = await (await browser()).newContext({
    baseURL: at, javaScriptEnabled: script, colorScheme: theme, viewport: { width, height: 900 }, reducedMotion: 'reduce',
    storageState: { cookies: [], origins: live ? [] : [paused] },
  });
  context.setDefaultTimeout(10_000);
  const faults = watch(context, origin);
  try {
    await use(await context.newPage());
    assert.deepEqual(faults, []);
  } finally {
    await context.close();
  }
}

/** Collects what pages must not do. */
function watch(context, origin) {
  const faults = [];
  context.on('console', (message) => {
    // A page that does not exist, or no more, is a page; what it loads must exist.
    const isPage = / 404 /.test(message.text()) && message.location().url === message.page()?.url();
    if (['error', 'warning'].includes(message.type()) && !isPage) faults.push(`console of ${message.page()?.url()}: ${message.text()}`);
  });
  context.on('weberror', (error) => faults.push(`error: ${error.error()}`));
  context.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) faults.push(`request: ${request.url()}`);
  });
  context.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  let pages = 0;
  context.on('page', (page) => {
    pages += 1;
    if (pages > 1) faults.push(`window: ${page.url()}`);
  });
  return faults;
}

/** Returns the JSON below `api/`, for the browser and user of this page. */
export async function json(page, path) {
  const answer = await page.request.get(`api/${path}`);
  assert.equal(answer.status(), 200, `api/${path}: ${await answer.text()}`);
  return answer.json();
}

/** Waits until `seen` returns something true. Each try asks the server, which takes its time. */
export async function until(what, seen) {
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    const found = await seen();
    if (found) return found;
  }
  throw new assert.AssertionError({ message: `in 20 seconds it did not happen that ${what}` });
}

function exists(path) {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
