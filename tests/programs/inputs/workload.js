// SPDX-License-Identifier: MIT
// workload.js: Node.js on tasks whose memory is malloc's: buffers, compression and hashing in the thread pool, regular
// expressions, workers (a V8 isolate each), messages that change threads, streams, JSON and source text to compile.
// Prints one line for each task, the same in every run: no times, no random numbers, results in the order of the tasks.
'use strict';

const assert = require('assert');
const childProcess = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const stream = require('stream');
const util = require('util');
const vm = require('vm');
const zlib = require('zlib');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

function checksum(data) {
    return crypto.createHash('sha256').update(data).digest('hex').slice(0, 16);
}

// A linear congruence, so that the data are the same on every machine.
function* numbers(seed) {
    let state = BigInt(seed);
    for (;;) {
        state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
        yield Number(state >> 33n);
    }
}

function makeText(seed, words) {
    const next = numbers(seed);
    const parts = [];
    for (let i = 0; i < words; i++) {
        parts.push((next.next().value % 50000).toString(36) + (i % 13 === 12 ? '\n' : ' '));
    }
    return parts.join('');
}

// What a worker does: count the words of its text, and give back the counts and a buffer, which moves to the main
// thread.
function work() {
    const counts = new Map();
    for (const word of makeText(workerData.seed, 120000).split(/\s+/)) {
        counts.set(word, (counts.get(word) || 0) + 1);
    }
    const bytes = new Uint8Array(3000000 + workerData.seed).fill(workerData.seed);
    parentPort.postMessage({ counts, bytes }, [bytes.buffer]);
}

async function runWorkers(count) {
    const answers = [];
    for (let seed = 1; seed <= count; seed++) {
        answers.push(new Promise((resolve, reject) => {
            const worker = new Worker(__filename, { workerData: { seed } });
            let answer;
            worker.on('message', (message) => { answer = message; });
            worker.on('error', reject);
            worker.on('exit', (code) => (code === 0 ? resolve(answer) : reject(new Error(`worker: ${code}`))));
        }));
    }
    return Promise.all(answers);
}

async function main() {
    const report = (task, ...values) => console.log(`${task}: ${values.join(' ')}`);
    const text = makeText(99, 400000);
    report('text', text.length, checksum(text));

    const compressions = [];
    for (let level = 1; level <= 9; level += 2) {
        compressions.push(util.promisify(zlib.deflate)(text, { level }));
        compressions.push(util.promisify(zlib.gzip)(text.slice(0, 300000 * level), { level, memLevel: level }));
    }
    const quality = { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 };
    compressions.push(util.promisify(zlib.brotliCompress)(text, { params: quality }));
    const packed = await Promise.all(compressions);
    report('compress', ...packed.map((data) => data.length));
    const unpacked = await Promise.all([
        util.promisify(zlib.inflate)(packed[0]),
        util.promisify(zlib.gunzip)(packed[9]),
        util.promisify(zlib.brotliDecompress)(packed[10]),
    ]);
    for (const data of unpacked) {
        assert(text.startsWith(data.toString()));
    }
    report('decompress', ...unpacked.map(checksum));

    const keys = await Promise.all([1, 2, 3, 4, 5, 6].map((salt) =>
        util.promisify(crypto.scrypt)('password', `salt ${salt}`, 64, { N: 4096 * (1 + salt % 2), r: 8, p: 1 })));
    report('scrypt', ...keys.map(checksum));
    const cipher = crypto.createCipheriv('aes-256-gcm', keys[0].subarray(0, 32), keys[1].subarray(0, 12));
    report('encrypt', checksum(Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()])));

    // Buffers of many sizes in a window, so that most of them die young.
    const next = numbers(7);
    const window = new Array(3000);
    let total = 0;
    for (let i = 0; i < 200000; i++) {
        const size = next.next().value % (i % 100 === 0 ? 500000 : 2000);
        const buffer = i % 2 ? Buffer.alloc(size, i & 255) : Buffer.from(new ArrayBuffer(size));
        const old = window[i % window.length];
        if (old !== undefined && old.length > 0) {
            total += old[old.length >> 1];
        }
        window[i % window.length] = buffer;
    }
    report('buffers', total, checksum(Buffer.concat(window.slice(0, 500))));

    const counts = new Map();
    for (const [word] of text.matchAll(/[a-z][a-z0-9]*(?=[ \n])/g)) {
        counts.set(word, (counts.get(word) || 0) + 1);
    }
    const sorted = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    report('words', counts.size, sorted.slice(0, 5).flat().join(','));
    report('replace', checksum(text.replace(/(\w)(\w+)/g, (whole, first, rest) => rest + first.toUpperCase())));

    const records = sorted.map(([word, count], index) => ({ word, count, index, tags: [word, [index]] }));
    const tree = JSON.parse(JSON.stringify(records));
    report('json', checksum(JSON.stringify(tree)), structuredClone(tree).length);

    const functions = Array.from({ length: 4000 }, (_, i) =>
        `function f${i}(a) { return a % ${i + 2} ? [a, ${i}] : f${(i * 7) % 4000}(a + 1); }`);
    const calls = functions.map((_, i) => `f${i}(${i})`);
    const source = `${functions.join('\n')}\n[${calls.join(',')}].length`;
    report('compile', vm.runInContext(source, vm.createContext({})));

    const answers = await runWorkers(4);
    report('workers', ...answers.map(({ counts: words, bytes }) => `${words.size}/${bytes.length}/${bytes[9]}`));

    fs.writeFileSync('text', text);
    await stream.promises.pipeline(fs.createReadStream('text', { highWaterMark: 10000 }), zlib.createGzip(),
        zlib.createGunzip(), fs.createWriteStream('copy'));
    report('stream', fs.readFileSync('copy').equals(fs.readFileSync('text')));

    const child = childProcess.spawnSync(process.execPath, ['-e', 'process.stdin.pipe(process.stdout)'],
        { input: text, maxBuffer: 1 << 28 });
    report('child', child.status, checksum(child.stdout));
}

if (isMainThread) {
    main().catch((error) => {
        console.error(error);
        process.exit(1);
    });
} else {
    work();
}
