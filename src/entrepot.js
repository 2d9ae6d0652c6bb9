#!/usr/bin/env node
// Plain JavaScript, so that a node too old for the TypeScript sources can still say so in a sentence.
const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `entrepot needs Node.js 24 or newer, and this is ${process.versions.node}. ` +
      'In a checkout, "npm ci" installs a fitting one and "npm start" or "npm run entrepot" use it.\n',
  );
  process.exit(2);
}
// Before the thread pool starts: threads that wait for a disk stand still, and a few of them are soon used up.
process.env.UV_THREADPOOL_SIZE ??= '16';
await import('./main.ts');
