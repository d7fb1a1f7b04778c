import type { Session } from '../api/types';

/**
 * What becomes of a desktop when the server that leads to it has ended: `on` it runs on in a job of
 * its own, `elsewhere` it runs on as a guest of another job, `unknown` it is on the server's own
 * machine, which may be a container that ends as well, `with` it is a guest of the job that the server
 * runs in, and ends with it.
 */
export type Fate = 'on' | 'elsewhere' | 'unknown' | 'with';

/** `job` is the one that the server of this page runs in, null if it runs in none. */
export function fateOf({ way, scheduler, slurm_job_id }: Session, job: string | null): Fate {
  if (way === 'guest' && slurm_job_id) {
    return slurm_job_id === job ? 'with' : 'elsewhere';
  }
  return scheduler === 'slurm' || slurm_job_id ? 'on' : 'unknown';
}
