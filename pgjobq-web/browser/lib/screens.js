// The screens of a dashboard, read from its own links: a new screen in the navigation is covered by itself.

/** Pages that nothing links to: one that does not exist, and mistakes. */
const MISTAKES = ['nowhere', 'jobs?filter=state+%3D+dead', 'preview?action=cancel&filter=state+%3D+%27dead%27'];

/** Returns the paths of all screens: those in the navigation, each state of jobs, and from each of them a page of each shape that it links to. */
export async function screens(page) {
  const navigation = await links(page, 'overview', 'nav.screens');
  const states = await links(page, 'jobs', 'nav.tabs');
  const lists = [...new Set([...navigation, ...states])];
  const shapes = new Map(lists.map((path) => [path, path]));
  for (const list of lists) {
    for (const link of await links(page, list, 'main')) {
      const shape = shapeOf(link, list);
      if (!shapes.has(shape)) shapes.set(shape, link);
    }
  }
  return [...new Set([...shapes.values(), ...MISTAKES])].filter((path) => !path.startsWith('api/'));
}

/** Returns the links within an element of a page, without showing it. */
async function links(page, path, within) {
  const html = await (await page.request.get(path)).text();
  const found = await page.evaluate(([text, selector]) => {
    const all = new DOMParser().parseFromString(text, 'text/html').querySelectorAll(selector);
    return [...all].map((link) => link.getAttribute('href'));
  }, [html, `${within} a[href]`]);
  return found.filter((link) => !link.startsWith('#'));
}

/** Links have the same shape if they lead to one screen with the same parameters; to jobs of the same state; to the same action. */
function shapeOf(link, list) {
  const url = new URL(link, 'http://board/');
  const kind = url.pathname === '/job' ? list : url.searchParams.get('action');
  return [url.pathname, kind, ...new Set(url.searchParams.keys())].join(' ');
}
