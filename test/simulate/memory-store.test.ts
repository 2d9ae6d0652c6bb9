import { storeContract } from '../store/contract.ts';
import { MemoryStore, type Disk } from './memory-store.ts';

storeContract({
  name: 'a store in memory',
  open: () => {
    const disk: Disk = new Map();
    const open = (): MemoryStore => new MemoryStore(disk, Date.now);
    return Promise.resolve({ store: open(), reopen: () => Promise.resolve(open()) });
  },
});
