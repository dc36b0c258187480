// SPDX-License-Identifier: Apache-2.0
//
// Ask TA-Lib (the C library, as WebAssembly in the npm package talib-web).
//
//   node ask.mjs FOLDER < {"name": {"call": "RSI", "in": [[...]], "options": [14], "out": 1}, ...}
//                       > {"name": [[...]], ...}
//
// FOLDER holds node_modules. An answer has as many series as `out` says, each as long as those that were given, with null
// where TA-Lib has no value. The package's own functions are not used: they pass one address for two results and an end
// that is one too far, so that the bands of BBANDS break off and the last value of everything is made of foreign memory.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const folder = resolve(process.argv[2]);
const talib = createRequire(join(folder, "package.json"))("talib-web");
const wasm = readFileSync(join(folder, "node_modules/talib-web/lib/talib.wasm"));
const c = await talib.init("data:application/wasm;base64," + wasm.toString("base64"));

function doubles(n) {
	return c._malloc(8 * n);
}

function ask({ call, in: series, options, out }) {
	const n = series[0].length;
	const inputs = series.map((values) => {
		const at = doubles(n);
		c.HEAPF64.set(values, at / 8);
		return at;
	});
	const outputs = Array.from({ length: out }, () => doubles(n));
	const places = [c._malloc(4), c._malloc(4)]; // where the first value belongs, how many there are
	const args = [0, n - 1, ...inputs, ...options, ...places, ...outputs];
	const code = c.ccall("TA_" + call, "number", args.map(() => "number"), args);
	if (code !== 0)
		throw new Error(`TA_${call} returned ${code}`);
	const [begin, count] = places.map((at) => c.HEAP32[at / 4]);
	const answer = outputs.map((at) => [
		...Array(begin).fill(null),
		...c.HEAPF64.subarray(at / 8, at / 8 + count),
		...Array(n - begin - count).fill(null),
	]);
	[...inputs, ...outputs, ...places].forEach((at) => c._free(at));
	return answer;
}

const answers = {};
for (const [name, question] of Object.entries(JSON.parse(readFileSync(0, "utf8"))))
	answers[name] = ask(question);
process.stdout.write(JSON.stringify(answers) + "\n");
