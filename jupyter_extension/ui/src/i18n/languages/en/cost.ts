import type { CountedKind } from '../../../api/types';

const many = (n: string, one: string): string => `${n} ${one}${n === '1' ? '' : 's'}`;

const hours: Record<CountedKind, (n: string) => string> = {
  gpu: (n) => many(n, 'GPU-hour'),
  cpu: (n) => many(n, 'CPU-hour'),
  node: (n) => many(n, 'node-hour'),
  billing: (n) => many(n, 'billed hour'),
  time: (n) => many(n, 'hour'),
  jobs: (n) => many(n, 'job'),
};

const counts: Record<CountedKind, (n: string) => string> = {
  gpu: (n) => many(n, 'GPU'),
  cpu: (n) => many(n, 'CPU'),
  node: (n) => many(n, 'node'),
  billing: (n) => many(n, 'billed unit'),
  time: (n) => many(n, 'hour'),
  jobs: (n) => many(n, 'job'),
};

/** What a launch costs, and what a site's limits leave of that. */
export const cost = {
  hours,
  counts,
  whose: {
    user: () => 'your own limit',
    account: (name: string) => `limit of account ${name}`,
    qos: (name: string) => `limit of QoS ${name}`,
  } as Record<'user' | 'account' | 'qos', (name: string) => string>,
  asks: (hours: string) => `Asks for up to ${hours}.`,
  left: (left: string, limit: string, whose: string) => `Left: ${left} of ${limit} (${whose}).`,
  tooMuch: (left: string, limit: string, whose: string) =>
    `That is more than is left: ${left} of ${limit} (${whose}).`,
  each: (limit: string, whose: string) =>
    `That is more than one job may ask for: ${limit} (${whose}).`,
  atOnce: (limit: string, left: string, whose: string) =>
    `Of ${limit} at the same time, free: ${left} (${whose}). It would have to wait for the others.`,
  unknown: 'What is left of your limits is not known: Slurm does not say.',
};
