// Each action does what it says, on each way to the dashboard, and leaves a record.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { LOTS, close, json, until, visit } from '../lib/board.js';
import { ways } from '../lib/ways.js';

const { all, close: closeWays } = await ways(LOTS);

after(async () => {
  closeWays();
  await close();
});

/** Actions on one job: its state before, the button, what the page says, and the state after. */
const ON_ONE = [
  { from: 'dead', button: 'Requeue', says: 'The job is in line again.', to: 'ready' },
  { from: 'scheduled', button: 'Run now', says: 'The job runs as soon as a worker is free.', to: 'ready' },
  { from: 'scheduled', button: 'Cancel', says: 'The job is cancelled.', to: 'cancelled', reason: 'ordered twice' },
  { from: 'running', button: 'Ask to stop', says: 'The job runs, and was asked to stop.', to: 'cancelled', reason: 'it is late' },
];

/** Actions on many jobs: their state before, the button, what to choose in the preview, and what is true of each job after. */
const ON_MANY = [
  { from: 'dead', button: 'Requeue', is: (job) => job.state === 'ready' },
  { from: 'scheduled', button: 'Run now', is: (job) => job.state === 'ready' },
  { from: 'ready', button: 'Cancel', is: (job) => job.state === 'cancelled' },
  { from: 'scheduled', button: 'Priority', choose: (box) => box.selectOption('high'), is: (job) => job.priority === 'high' },
  { from: 'ready', button: 'Move', choose: (box, lot) => box.fill(`${lot}.shelf`), is: (job, lot) => job.queue === `${lot}.shelf` },
  { from: 'completed', button: 'Delete', is: (job) => job === undefined },
];

for (const { name, lot, at, script } of all) {
  const on = (title, act) => test(title, () => visit({ at, script }, (page) => act(page, lot)));
  describe(name, () => {
    for (const action of ON_ONE) on(`${action.button} changes a ${action.from} job`, (page) => actOnOne(page, lot, action));
    for (const action of ON_MANY) on(`${action.button} changes chosen ${action.from} jobs`, (page) => actOnMany(page, lot, action));
    on('preview of one job leads to its action', deleteOne);
    on('action on all that match keeps its pace, and stops', paceAndStop);
    on('group of dead jobs is requeued', requeueGroup);
    on('queue pauses for some minutes, and resumes', pauseQueue);
    on('tables pause and resume', pauseInTables);
    on('workflow is retried, and cancelled', actOnWorkflows);
    if (script) on('one box chooses all of a page', chooseAll);
  });
}

async function actOnOne(page, lot, { from, button, says, to, reason }) {
  const [id] = await find(page, lot, from, 1);
  await page.goto(`job?id=${id}`);
  if (reason) await page.getByLabel('Reason of the cancellation').fill(reason);
  await press(page, button);
  await said(page, says);
  await until(`job ${id} is ${to}`, async () => (await look(page, id)).state === to);
  await page.reload();
  if (reason) await page.getByText(`: ${reason}`).first().waitFor();
  const [record] = (await json(page, 'audit')).records.filter(({ subject }) => subject === `job ${id}`);
  assert.deepEqual([record.by, record.reason, record.outcome], ['ada', reason ?? null, says]);
}

async function actOnMany(page, lot, { from, button, choose, is }) {
  const ids = await find(page, lot, from, 2);
  await page.goto(filtered(lot, from));
  for (const id of ids) await page.getByLabel(`Choose the job ${id}`).check();
  await press(page, button);
  await page.getByRole('heading', { name: / 2 jobs\?/ }).waitFor();
  if (choose) await choose(page.getByRole('combobox'), lot);
  await page.getByLabel('Reason').fill('as a test');
  await page.locator('button.main').click();
  await done(page, 2);
  for (const id of ids) assert(is(await look(page, id), lot), `${button} left ${id}`);
}

async function deleteOne(page, lot) {
  const [id] = await find(page, lot, 'completed', 1);
  await page.goto(`job?id=${id}`);
  await page.getByRole('link', { name: 'Delete', exact: true }).click();
  await press(page, 'Delete 1 job');
  await done(page, 1);
  assert.equal(await look(page, id), undefined);
}

async function paceAndStop(page, lot) {
  await page.goto(filtered(lot, 'scheduled'));
  await page.locator('.bar').getByRole('link', { name: 'Cancel' }).click();
  await page.getByLabel('Pace').fill('1 per hour');
  await page.locator('button.main').click();
  const id = await started(page);
  await until('the first job is cancelled', async () => (await json(page, `action?id=${id}`)).changed === 1);
  await press(page, 'Stop');
  await said(page, 'The action is stopped. The jobs that it has changed stay changed.');
  assert.equal((await json(page, `action?id=${id}`)).state, 'stopped');
}

async function requeueGroup(page, lot) {
  await page.goto('dead');
  await page.getByRole('row', { name: `a parcel of ${lot} is lost` }).getByRole('link', { name: 'Requeue' }).click();
  await page.locator('button.main').click();
  await done(page);
  assert.deepEqual(await find(page, lot, 'dead', 0), []);
}

async function pauseQueue(page, lot) {
  const queue = `${lot}.shelf`;
  await page.goto(`queue?name=${queue}`);
  await page.getByLabel('Minutes').fill('90');
  await page.getByLabel('Reason').fill('the shelf broke');
  await press(page, 'Pause');
  await said(page, `The queue ${queue} is paused.`);
  await page.getByText(/Paused by ada .*until.* Reason: the shelf broke/).waitFor();
  await press(page, 'Resume');
  await said(page, `The queue ${queue} goes on.`);
  await page.getByText('Workers start its jobs.').waitFor();
}

async function pauseInTables(page, lot) {
  await pressWhenShown(page, 'queues', `Pause the queue ${lot}.shelf`);
  await said(page, `The queue ${lot}.shelf is paused.`);
  await pressWhenShown(page, 'queues', `Resume the queue ${lot}.shelf`);
  await said(page, `The queue ${lot}.shelf goes on.`);
  await page.goto('kinds');
  await press(page, 'Pause the kind thumbnail');
  await said(page, 'The kind thumbnail is paused.');
  await press(page, 'Resume the kind thumbnail');
  await said(page, 'The kind thumbnail goes on.');
}

async function actOnWorkflows(page, lot) {
  await page.goto('workflows');
  await page.getByRole('link', { name: `${lot} 3`, exact: true }).click();
  await press(page, 'Retry failed steps');
  await said(page, '1 step is in line again.');
  await page.goto('workflows');
  await page.getByRole('link', { name: `${lot} 7`, exact: true }).click();
  await page.getByLabel('Reason of the cancellation').fill('out of stock');
  await press(page, 'Cancel');
  await said(page, 'The workers cancel the rest of the workflow.');
  await until('the workflow is cancelled', async () => {
    await page.reload();
    return page.getByText(/^Cancelled by .*: out of stock$/).count();
  });
}

async function chooseAll(page, lot) {
  await page.goto(filtered(lot, 'ready'));
  await page.getByLabel('Choose all of this page').check();
  const boxes = page.getByLabel(/^Choose the job/);
  assert(await boxes.count() > 2);
  assert.equal(await page.locator('input[name=id]:checked').count(), await boxes.count());
}

/** Returns the ids of jobs of a lot: this many, or all of them for 0. */
async function find(page, lot, state, number) {
  const { jobs } = await json(page, filtered(lot, state));
  assert(jobs.length >= number, `only ${jobs.length} jobs of ${lot} are ${state}`);
  return jobs.slice(0, number || undefined).map(({ id }) => id);
}

function filtered(lot, state) {
  return `jobs?${new URLSearchParams({ filter: `lot = '${lot}' and state = '${state}'` })}`;
}

/** Returns the job with this id, if there is one. */
async function look(page, id) {
  const answer = await page.request.get(`api/job?id=${id}`);
  return answer.status() === 404 ? undefined : answer.json();
}

async function press(page, name) {
  await page.getByRole('button', { name, exact: true }).click();
}

/** Loads a page until it has this button, because its numbers may be an interval old, and presses it. */
async function pressWhenShown(page, path, name) {
  await until(`${path} has the button ${name}`, async () => {
    await page.goto(path);
    return page.getByRole('button', { name, exact: true }).count();
  });
  await press(page, name);
}

/** Waits for a page that says this. */
async function said(page, text) {
  await page.locator('.said').filter({ hasText: text }).waitFor();
}

/** Waits for the page of a new action, and returns its number. */
async function started(page) {
  await page.locator('.said').filter({ hasText: /^Action \d+ has started\.$/ }).waitFor();
  return new URL(page.url()).searchParams.get('id');
}

/** Waits until the new action is done, and has changed this many jobs. */
async function done(page, changed) {
  const id = await started(page);
  const action = await until(`action ${id} is done`, async () => {
    const now = await json(page, `action?id=${id}`);
    return now.state === 'done' && now;
  });
  if (changed !== undefined) assert.equal(action.changed, changed);
}
