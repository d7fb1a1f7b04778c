import type { LaunchRequest, Limits, Session, Site } from '../src/api/types';

export const request: LaunchRequest = {
  image: 'desktop',
  hours: 8,
  cpus: 4,
  memory_gb: 8,
  gpus: 1,
  resolution: '1920x1080',
  fps: 60,
  bitrate_kbps: 20_000,
  keyboard: 'us',
};

export const limits: Limits = {
  hours: { min: 0.1, max: 8 },
  cpus: { min: 1, max: 16 },
  memory_gb: { min: 1, max: 64 },
  gpus: { min: 0, max: 2 },
  width: { min: 640, max: 2560 },
  height: { min: 480, max: 1600 },
  fps: { min: 10, max: 120 },
  sessions: { min: 0, max: 4 },
  bitrate_kbps: { min: 500, max: 100_000 },
};

export const site: Site = {
  scheduler: 'slurm',
  partition: 'viz',
  qos: 'moonlight',
  defaults: request,
  limits,
  keyboards: ['us', 'gb', 'de', 'de(nodeadkeys)', 'kr'],
};

/** What a server says that knows neither bitrates nor keyboards. */
export function olderSite(): Site {
  const { bitrate_kbps: _rate, keyboard: _layout, ...defaults } = request;
  const { bitrate_kbps: _range, ...known } = limits;
  return { ...site, defaults, limits: known, keyboards: undefined };
}

export function session(changes: Partial<Session> = {}): Session {
  return {
    session_id: 'ml-alice-4k7q2mzj5a',
    user: 'alice',
    image_id: 'desktop',
    image_name: 'XFCE desktop',
    status: 'pending',
    reason: '',
    reason_code: '',
    host: 'selkies',
    request,
    scheduler: 'slurm',
    slurm_job_id: '1234',
    queue: null,
    steps: [],
    node: null,
    display_num: null,
    sunshine_port: null,
    web_url: null,
    stream_url: null,
    notes: [],
    created_at: '2026-11-22T20:30:00Z',
    started_at: null,
    ends_at: null,
    ended_at: null,
    stale_since: null,
    stale_reason: null,
    ...changes,
  };
}

/** An answer as an error is made of it: by its status, and where it was read. */
export const seen = (status: number): { status: number } => ({ status });
