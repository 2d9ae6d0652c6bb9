/** `npm run bench <which> [options]`: one of the benches. */
import { argv, exit } from 'node:process';
import { benchIntake } from './intake.ts';
import { benchPages } from './pages.ts';
import { benchPublish } from './publish.ts';
import { benchServe } from './serve.ts';

const benches: Readonly<Record<string, (args: string[]) => Promise<void>>> = {
  intake: benchIntake,
  pages: benchPages,
  publish: benchPublish,
  serve: benchServe,
};

const [name = '', ...args] = argv.slice(2);
const bench = benches[name];
if (!bench) {
  console.error(`Which bench? One of: ${Object.keys(benches).join(', ')}`);
  exit(2);
}
await bench(args);
