import { s3Contract } from './s3-contract.ts';

await s3Contract('bookworm');
