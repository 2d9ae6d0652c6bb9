/** Writes the documents that are made from the code: `npm run docs`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateDocs } from '../generated-docs.ts';
import { startInProcess } from '../server.ts';

const teardowns: (() => unknown)[] = [];
const server = await startInProcess({ teardown: (work) => teardowns.unshift(work) });
for (const [path, text] of Object.entries(await generateDocs(server))) {
  writeFileSync(join(import.meta.dirname, '../..', path), text);
  console.log(path);
}
for (const teardown of teardowns) await teardown();
