// BullMQ for kill.sh: jobs that are added by one process and run by another, which may be killed.
//
//	node keep.mjs add SOCKET N
//	node keep.mjs work SOCKET COMMAND DIR		until it is ended
//
// A job whose worker died is taken up again after three seconds, not after the thirty that are the default.
import {spawn} from 'node:child_process';
import {Queue, Worker} from 'bullmq';

const [verb, path, command, dir] = process.argv.slice(2);
const connection = {path, maxRetriesPerRequest: null};
const NAME = 'jobs';

if (verb === 'add') {
	const queue = new Queue(NAME, {connection});
	for (let n = 1; n <= Number(command); n++)
		await queue.add('job', {n});
	await queue.close();
} else {
	const run = (job) => new Promise((resolve, reject) => {
		const child = spawn(command, [dir, String(job.data.n)], {stdio: 'ignore'});
		child.on('error', reject);
		child.on('exit', (code) => (code === 0 ? resolve(0) : reject(new Error(`exit ${code}`))));
	});
	const worker = new Worker(NAME, run, {connection, concurrency: 2, lockDuration: 3000, stalledInterval: 1000});
	worker.on('error', () => {}); // Redis is away for a moment
}
