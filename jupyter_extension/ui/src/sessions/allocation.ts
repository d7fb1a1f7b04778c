import type { Allocation, LaunchRequest, Session } from '../api/types';
import type { Dictionary } from '../i18n/languages/en';

/** What a job has on its node, in one line. */
export const hasOf = ({ allocation: words }: Dictionary, has: Allocation): string =>
  [has.node, words.cpus(has.cpus), words.memory(has.memory_gb), words.gpus(has.gpus)].join(', ');

/** What a session has that runs in a job that was there before it. */
export function allocatedTo(t: Dictionary, { allocation, way, door, request }: Session): string {
  if (!allocation) {
    return '';
  }
  const has = hasOf(t, allocation);
  const host = door === 'here' ? undefined : door && t.doors[door];
  const whose =
    way === 'owning'
      ? t.allocation.owned(has)
      : t.allocation.shared(has, host ?? t.allocation.others);
  const size = request.resolution.replace('x', '×');
  return `${whose} · ${t.launch.screen(size, String(request.fps))}`;
}

/** The same once more: in a job of its own where it had one, else where the server begins with. */
export const requestAgain = ({ request, way, name }: Session): LaunchRequest => ({
  ...request,
  ...(request.begin && { begin: null }),
  ...(name && { name }),
  ...(way === 'job' && { where: 'job' }),
});
