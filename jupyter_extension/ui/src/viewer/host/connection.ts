/** How the picture came in one moment; what is not known there is null. */
export interface Sample {
  /** When, in milliseconds. */
  at: number;
  fps: number | null;
  /** Over the network and back, in milliseconds. */
  roundTrip: number | null;
  /** From the screen's change to the frame on its way, on the node, in milliseconds. */
  node: number | null;
  /** From its arrival to its being seen, in this browser, in milliseconds. */
  here: number | null;
  /** In Mbit/s. */
  mbps: number | null;
  /** Of all CPUs of the node, whoever uses them, in per cent. */
  cpu: number | null;
}

/** How the picture is made and brought. */
export interface Path {
  encoder: string;
  /** Whether a GPU encodes; null where that is not known. */
  gpuEncodes: boolean | null;
  /** There is a GPU that should. */
  gpuExpected: boolean;
  transport: string;
  /** Through a server of the site's, since it found no direct way (TURN). */
  relayed: boolean;
  decoder: string;
  size: string;
  /** The host itself finds the network poor. */
  poor: boolean;
}

/**
 * `network` the way is slow, `node` the node is late with its pictures, `cpu` late because its CPU
 * encodes, `idleGpu` in time although the CPU encodes where a GPU should, `here` this computer is.
 */
export type Verdict = 'unknown' | 'good' | 'network' | 'node' | 'cpu' | 'idleGpu' | 'here';

const SLOW_ROUND_TRIP_MS = 150;
const SLOW_NODE_MS = 60;
const SLOW_HERE_MS = 80;
/** A verdict needs more than a moment. */
const JUDGED = 5;

/** How much is kept: five minutes of one sample each two seconds. */
export const SAMPLE_EVERY_MS = 2_000;
const KEPT = 150;

export const withSample = (samples: readonly Sample[], one: Sample): Sample[] =>
  [...samples, one].slice(-KEPT);

type Number = Exclude<keyof Sample, 'at'>;

/** The middle of the last values; null where there are none. */
export function lately(samples: readonly Sample[], what: Number, of = JUDGED): number | null {
  const values = samples
    .slice(-of)
    .flatMap((sample) => sample[what] ?? [])
    .sort((a, b) => a - b);
  return values[Math.floor(values.length / 2)] ?? null;
}

/** From a change on the screen to the moment it is seen, in milliseconds; null while not known. */
export function delayOf(samples: readonly Sample[]): number | null {
  const [node, trip, here] = [
    lately(samples, 'node'),
    lately(samples, 'roundTrip'),
    lately(samples, 'here'),
  ];
  return node === null && trip === null ? null : (node ?? 0) + (trip ?? 0) / 2 + (here ?? 0);
}

/** The same at each moment of the past: the last one is the delay of now, and no second truth. */
export const delaysOf = (samples: readonly Sample[]): (number | null)[] =>
  samples.map((_, at) => delayOf(samples.slice(0, at + 1).slice(-JUDGED)));

export function verdictOf(samples: readonly Sample[], path: Path | null): Verdict {
  if (!path || samples.length === 0) {
    return 'unknown';
  }
  const over = (what: Number, limit: number): boolean => (lately(samples, what) ?? 0) > limit;
  if (path.poor || over('roundTrip', SLOW_ROUND_TRIP_MS)) {
    return 'network';
  }
  if (over('node', SLOW_NODE_MS)) {
    return path.gpuEncodes === false ? 'cpu' : 'node';
  }
  if (over('here', SLOW_HERE_MS)) {
    return 'here';
  }
  return path.gpuEncodes === false && path.gpuExpected ? 'idleGpu' : 'good';
}
