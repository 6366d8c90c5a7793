// BullMQ over Redis: the jobs of one shape, two workers' worth of concurrency, from the first add to the last completion.
//
//	node run.mjs SHAPE COMMAND PARALLEL SOCKET REDIS_PID OUT
//
// The queue and the worker stand ready before the clock starts, as creel_live's daemon does.  OUT gets "WALL CPU" in
// microseconds; CPU is ours, our children's and the server's, from /proc.
import {spawn} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import {FlowProducer, Queue, Worker} from 'bullmq';

const [shape, command, parallel, path, redis, out] = process.argv.slice(2);
const connection = {path, maxRetriesPerRequest: null};
const total = {independent: 1000, chain: 200, fan: 502}[shape];
const NAME = 'jobs';

function run() {
	return new Promise((resolve, reject) => {
		const child = spawn(command, [], {stdio: 'ignore'});
		child.on('error', reject);
		child.on('exit', (code) => (code === 0 ? resolve(0) : reject(new Error(`exit ${code}`))));
	});
}

function ticks(pid, children) {
	const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
	const field = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return Number(field[11]) + Number(field[12]) + (children ? Number(field[13]) + Number(field[14]) : 0);
}
const cpu = () => (ticks('self', true) + ticks(redis, false)) * 10000;

const queue = new Queue(NAME, {connection});
const flow = new FlowProducer({connection});
let done = 0, failed = 0, finish;
const finished = new Promise((resolve) => (finish = resolve));
const worker = new Worker(NAME, run, {connection, concurrency: shape === 'chain' ? 1 : Number(parallel)});
worker.on('failed', (job, err) => {
	failed++;
	console.error(`${job?.name}: ${err.message}`);
	finish();
});
worker.on('completed', async (job) => {
	done++;
	// A job of a flow has one parent only, so the first of the fan adds the rest when it is done.
	if (shape === 'fan' && job.name === 'first')
		await flow.add({name: 'last', queueName: NAME,
			children: Array.from({length: total - 2}, (_, i) => ({name: `a${i}`, queueName: NAME}))});
	if (done === total)
		finish();
});
await Promise.all([queue.waitUntilReady(), flow.waitUntilReady(), worker.waitUntilReady()]);

const began = process.hrtime.bigint(), used = cpu();
if (shape === 'independent')
	await queue.addBulk(Array.from({length: total}, (_, i) => ({name: `a${i}`, data: {}})));
else if (shape === 'fan')
	await queue.add('first', {});
else {
	let tree = {name: 'a0', queueName: NAME};
	for (let i = 1; i < total; i++)
		tree = {name: `a${i}`, queueName: NAME, children: [tree]};
	await flow.add(tree);
}
await finished;
const wall = Number((process.hrtime.bigint() - began) / 1000n), took = cpu() - used;
await Promise.all([worker.close(), flow.close(), queue.close()]);
if (failed || done !== total)
	process.exit(1);
writeFileSync(out, `${wall} ${took}\n`);
process.exit(0);
