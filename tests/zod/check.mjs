// node check.mjs SPOOL N: every plan.json and state.json of the N executions of the spool parses.
import fs from 'node:fs';
import path from 'node:path';
import { ActionDefinition, ApiCatalogEntry, ErrorDetail, ExecutionPlan, ExecutionState } from './schemas.mjs';

const [spool, expected] = [process.argv[2], Number(process.argv[3])];
let passed = 0;
let failed = 0;

function check(name, schema, value) {
  const result = schema.safeParse(value);
  if (result.success) {
    passed++;
    return;
  }
  failed++;
  console.error(`${name}: ${JSON.stringify(result.error.issues.slice(0, 5), null, 1)}`);
}

const root = path.join(spool, 'executions');
const found = fs.readdirSync(root).flatMap((day) => fs.readdirSync(path.join(root, day)).map((id) => path.join(root, day, id)));
const seen = { statuses: new Set(), categories: new Set(), requests: 0 };
for (const dir of found) {
  const plan = JSON.parse(fs.readFileSync(path.join(dir, 'plan.json')));
  const state = JSON.parse(fs.readFileSync(path.join(dir, 'state.json')));
  check(`${plan.name}: plan.json`, ExecutionPlan, plan);
  check(`${plan.name}: state.json`, ExecutionState, state);
  for (const [id, d] of Object.entries(plan.definitions ?? {})) check(`${plan.name}: definition ${id}`, ActionDefinition, d);
  for (const [id, a] of Object.entries(plan.apis ?? {})) check(`${plan.name}: API ${id}`, ApiCatalogEntry, a);
  for (const a of Object.values(state.actionStates)) {
    seen.statuses.add(a.status);
    seen.requests += a.httpTrace.length;
    if (a.result?.error) seen.categories.add(a.result.error.category);
  }
  seen.statuses.add(state.status);
  // The state must reflect the last commit once an execution waits or has ended.
  const commits = fs.readdirSync(path.join(dir, 'journal')).filter((f) => f.endsWith('.json')).length;
  if (state.seq !== commits) {
    failed++;
    console.error(`${plan.name}: state.json reflects commit ${state.seq} of ${commits}`);
  }
  for (const f of fs.readdirSync(path.join(dir, 'journal'))) {
    for (const e of JSON.parse(fs.readFileSync(path.join(dir, 'journal', f))).events) {
      if (e.error) check(`${plan.name}: ${f}: ${e.type}`, ErrorDetail, e.error);
    }
  }
}
if (found.length !== expected) {
  failed++;
  console.error(`${found.length} executions, expected ${expected}`);
}
// The plans must have shown what the schemas have words for, or this test proves little.
for (const s of ['completed', 'failed', 'skipped', 'pending', 'cancelled', 'paused_for_confirmation']) {
  if (!seen.statuses.has(s)) {
    failed++;
    console.error(`no execution or action with status ${s} was seen`);
  }
}
if (seen.requests < 3) {
  failed++;
  console.error(`${seen.requests} HTTP requests were seen in states, expected 3`);
}
console.log(`zod: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
