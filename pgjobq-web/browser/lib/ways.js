// The ways to a dashboard on which everything must work.
import { proxy } from './proxy.js';

/** Opens the ways to this application. Each acts on jobs of its own, which are in a lot. */
export async function ways(address) {
  const behind = await proxy(address);
  const nested = `${address}/admin/jobs/`;
  const all = [
    { name: 'nested', lot: 'amber', at: nested, script: true },
    { name: 'nested, without JavaScript', lot: 'birch', at: nested, script: false },
    { name: 'behind a proxy that strips its prefix', lot: 'coral', at: behind.at, script: true },
  ];
  return { all, close: behind.close };
}
